//! src/web/headers.rs: what a response must carry, whoever made it: a handler, a catcher, a panic.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rocket::http::Status;
use rocket::{Request, Response};

use super::challenge;
use super::core::Core;
use super::visit::{LastRefusal, Visit};
use crate::error::RateLimit;
use crate::user::User;

/// Adds headers and takes none away, but for a `Cache-Control` that would let the page be kept.
///
/// The credential's cookie rides here because Rocket has emptied its jar by now, and drops the jar's
/// changes when a catcher answers.
pub fn complete<U: User>(
    core: &Core,
    visit: &Visit<U>,
    request: &Request<'_>,
    response: &mut Response<'_>,
) {
    let refused = response.status().code >= 400;
    let set_cookies = visit.take_cookies();
    if core.mode.cookie().is_some() {
        response.adjoin_raw_header("Vary", "Cookie");
    }
    if core.mode.takes_bearer() {
        // Where one came, nothing is stored that could vary.
        if !visit.credentials.any_bearer() {
            response.adjoin_raw_header("Vary", "Authorization");
        }
        challenge::add(core, visit.credentials.any_bearer(), request, response);
    }
    if visit.origin_mattered {
        response.adjoin_raw_header("Vary", "Sec-Fetch-Site, Origin");
    }
    let presented = visit.credentials.any_cookie()
        || visit.credentials.any_bearer()
        || visit.waits.load(Ordering::Relaxed);
    // OWASP ASVS 5.0 14.3.2. Absent and looked for on a success: the page is everybody's.
    if presented || !set_cookies.is_empty() || visit.handed_out() || refused {
        forbid_storing(response);
    }
    // Not "cookies": ours is cleared anyway, and a browser without its device's would be a stranger.
    if core.settings.session.clear_site_data && visit.logged_out.load(Ordering::Relaxed) {
        response.set_raw_header("Clear-Site-Data", r#""cache", "storage""#);
    }
    for set_cookie in set_cookies {
        response.adjoin_raw_header("Set-Cookie", set_cookie);
    }
    if response.status() == Status::ServiceUnavailable {
        add_retry_after(response);
    }
}

/// A 503 or 429 of this crate's says when to come back, where no guard ran as well.
pub fn retry_later(request: &Request<'_>, response: &mut Response<'_>) {
    let status = response.status();
    if status != Status::ServiceUnavailable && status != Status::TooManyRequests {
        return;
    }
    let Some(last) = LastRefusal::of(request).filter(|last| last.denied.status() == status) else {
        return;
    };
    match last.denied.limit() {
        Some(limit) => add_rate_limit(limit, response),
        None => add_retry_after(response),
    }
}

/// RFC 9110 section 10.2.3, and draft-ietf-httpapi-ratelimit-headers: whole seconds, rounded up, so
/// that whoever waits as long as it says does not come too early.
fn add_rate_limit(limit: &RateLimit, response: &mut Response<'_>) {
    if response.headers().contains("RateLimit") {
        return;
    }
    let seconds = |span: Duration| span.as_millis().div_ceil(1_000);
    let name =
        limit.policy.replace(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\\'), "_");
    let RateLimit { remaining, limit: most, .. } = limit;
    let (wait, reset) = (seconds(limit.retry_after), seconds(limit.reset));
    let window = seconds(limit.window);
    response.set_raw_header("Retry-After", wait.to_string());
    response.set_raw_header("RateLimit", format!("\"{name}\";r={remaining};t={reset}"));
    response.set_raw_header("RateLimit-Policy", format!("\"{name}\";q={most};w={window}"));
}

fn add_retry_after(response: &mut Response<'_>) {
    if !response.headers().contains("Retry-After") {
        response.adjoin_raw_header("Retry-After", "1");
    }
}

/// Another value beside `no-store` may win in some cache, so it replaces what was there.
pub fn forbid_storing(response: &mut Response<'_>) {
    // Compared one by one: Rocket's map would hash the name, which costs more than the few there are.
    let kept = response.headers().iter().any(|field| {
        field.name() == "Cache-Control"
            && field.value().split(',').any(|one| one.trim().eq_ignore_ascii_case("no-store"))
    });
    if !kept {
        response.set_raw_header("Cache-Control", "no-store");
    }
}
