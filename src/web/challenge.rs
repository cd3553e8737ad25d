//! src/web/challenge.rs: how a refusal asks for a bearer token.

use rocket::{Request, Response};

use super::core::Core;
use super::visit::LastRefusal;
use crate::error::{Denied, Reason};

/// What a client must present, or what was wrong with what it did (RFC 6750 section 3).
///
/// It tells apart a token that has expired and one that is not valid, and no more.
pub fn add(core: &Core, by_bearer: bool, request: &Request<'_>, response: &mut Response<'_>) {
    let status = response.status().code;
    if !matches!(status, 400 | 401 | 403) || response.headers().contains("WWW-Authenticate") {
        return;
    }
    let denied = LastRefusal::of(request).map(|refusal| refusal.denied);
    // What another fairing refused is not opened by a token of ours.
    if denied.as_ref().is_some_and(|denied| denied.fairing() != Some(&*core.name)) {
        return;
    }
    let denied = denied.filter(|denied| denied.status().code == status);
    let error = match denied.as_ref().map(Denied::reason) {
        Some(Reason::InvalidRequest) => r#", error="invalid_request""#.to_owned(),
        // Of a cookie: the bearer that this asks for was not there.
        Some(Reason::InvalidToken | Reason::ExpiredToken) if !by_bearer => String::new(),
        Some(Reason::InvalidToken) => {
            r#", error="invalid_token", error_description="The access token is not valid""#.into()
        }
        Some(Reason::ExpiredToken) => {
            r#", error="invalid_token", error_description="The access token has expired""#.into()
        }
        Some(Reason::InsufficientScope) => {
            let scope = denied.as_ref().and_then(Denied::scope).unwrap_or_default();
            // No other character is one of a scope (RFC 6749 section 3.3), or safe in the string.
            let safe = |c: &char| (' '..='~').contains(c) && !matches!(c, '"' | '\\');
            let scope: String = scope.chars().filter(safe).collect();
            format!(r#", error="insufficient_scope", scope="{scope}""#)
        }
        _ if status == 401 => String::new(),
        _ => return,
    };
    let realm = core.realm();
    response.adjoin_raw_header("WWW-Authenticate", format!(r#"Bearer realm="{realm}"{error}"#));
}
