//! src/web/catchers.rs: refusals as problem documents (RFC 9457), and the way to the login page.

use rocket::catcher::BoxFuture;
use rocket::http::{ContentType, MediaType, Method, RawStr, Status};
use rocket::response::{Redirect, Responder, Response};
use rocket::{Catcher, Request};
use serde_json::json;

use super::headers::forbid_storing;
use super::return_to::ReturnTo;
use super::visit::LastRefusal;

/// Ready catchers for 400, 401, 403, 409, 413, 429, 500, 501 and 503: `register("/", catchers())`.
///
/// Each answers with `application/problem+json`, whose member `code` is [`Denied::code`] where a
/// guard or an act of this crate refused. For a GET or HEAD that names `text/html`, a 401 becomes
/// 303 to `identity.login_path` (for `not_fresh` to `identity.confirm_path`) where that is set, with the
/// page that was asked for in `next`.
///
/// A 401 of the application's own, with no guard's refusal behind it, gets the problem document.
///
/// They are not registered by the fairing, because Rocket launches with one catcher only for each
/// status at one base: leave out what your application catches itself.
///
/// ```
/// let mine = rocket_identity::catchers().into_iter().filter(|c| c.code != Some(500));
/// # let _: Vec<_> = mine.collect();
/// ```
///
/// [`Denied::code`]: crate::Denied::code
pub fn catchers() -> Vec<Catcher> {
    [400, 401, 403, 409, 413, 429, 500, 501, 503].map(|status| Catcher::new(status, answer)).into()
}

fn answer<'r>(status: Status, request: &'r Request<'_>) -> BoxFuture<'r> {
    let refusal = LastRefusal::of(request).filter(|last| last.denied.status() == status);
    let login_path = refusal.as_ref().and_then(|refusal| refusal.login_path.as_deref());
    let response = match login_path {
        Some(path) if status == Status::Unauthorized && is_a_page(request) => {
            Redirect::to(with_next(path, request)).respond_to(request)
        }
        _ => {
            let denied = refusal.map(|refusal| refusal.denied);
            let problem = json!({
                "type": "about:blank",
                "title": status.reason_lossy(),
                "status": status.code,
                "code": denied.as_ref().map_or_else(|| code_of(status), |denied| denied.code()),
                "detail": denied.as_ref().map(|denied| denied.detail()),
            });
            let kind = ContentType::new("application", "problem+json");
            (status, (kind, problem.to_string())).respond_to(request)
        }
    };
    let response = response.map(|mut response: Response<'r>| {
        forbid_storing(&mut response);
        response.adjoin_raw_header("Vary", "Accept");
        response
    });
    Box::pin(async move { response })
}

/// The application's own refusals get a code as well.
fn code_of(status: Status) -> &'static str {
    match status.code {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        409 => "conflict",
        413 => "too_large",
        429 => "too_many_requests",
        501 => "not_implemented",
        503 => "unavailable",
        _ => "internal",
    }
}

/// A browser asks for a page: `text/html` by name, and not less than JSON. `*/*` is a program's.
fn is_a_page(request: &Request<'_>) -> bool {
    let weight = |wanted: &dyn Fn(&MediaType) -> bool| {
        let accepted = request.accept().into_iter().flat_map(|accept| accept.iter());
        let weights =
            accepted.filter(|kind| wanted(kind.media_type())).map(|kind| kind.weight_or(1.0));
        weights.fold(0.0, f32::max)
    };
    let html = weight(&|kind| kind.is_html());
    let json = weight(&|kind| kind.is_json() || kind.sub() == "problem+json");
    matches!(request.method(), Method::Get | Method::Head) && html > 0.0 && html >= json
}

fn with_next(login_path: &str, request: &Request<'_>) -> String {
    let uri = request.uri();
    let asked = match uri.query() {
        Some(query) => format!("{}?{query}", uri.path()),
        None => uri.path().to_string(),
    };
    match ReturnTo::parse(&asked) {
        Some(next) => {
            let separator = if login_path.contains('?') { '&' } else { '?' };
            // A slash may stand in a query as it is (RFC 3986 section 3.4), and reads better.
            let next = RawStr::new(next.as_str()).percent_encode().to_string().replace("%2F", "/");
            format!("{login_path}{separator}next={next}")
        }
        None => login_path.to_owned(),
    }
}
