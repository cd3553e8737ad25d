//! src/web/origin.rs: whether a request may act with this browser's cookies: the first line against
//! CSRF (OWASP cheat sheet "Fetch Metadata"; the rules of Go's `CrossOriginProtection`).

use rocket::Request;
use rocket::http::Method;

use crate::config::site::Site;

/// True for what needs the check: every method but the safe ones (RFC 9110 section 9.2.1), and
/// every upgrade, since a WebSocket is opened by GET.
pub fn matters(request: &Request<'_>) -> bool {
    let safe = matches!(request.method(), Method::Get | Method::Head | Method::Options);
    // Compared one by one: Rocket's map would hash the name, which costs more.
    !safe || request.headers().iter().any(|field| field.name() == "Upgrade")
}

/// True where the request comes from a page of this site, from a listed one, or from no page.
pub fn is_allowed(request: &Request<'_>, trusted: &[Site]) -> bool {
    let mut fetch_sites = request.headers().get("Sec-Fetch-Site");
    let mut origins = request.headers().get("Origin");
    let fields = (fetch_sites.next(), origins.next());
    if fetch_sites.next().is_some() || origins.next().is_some() {
        return false;
    }
    let host = request.host().map(|host| (host.domain().as_str(), host.port()));
    judge(fields, host, trusted)
}

/// The decision by itself; `fields` are `Sec-Fetch-Site` and `Origin`.
fn judge(
    (fetch_site, origin): (Option<&str>, Option<&str>),
    host: Option<(&str, Option<u16>)>,
    trusted: &[Site],
) -> bool {
    let site = origin.and_then(Site::parse);
    let listed = || site.as_ref().is_some_and(|site| trusted.contains(site));
    match (fetch_site, origin) {
        (Some("same-origin" | "none"), _) => true,
        (Some(_), _) => listed(),
        // No current browser omits both on an unsafe request: this is a program.
        (None, None) => true,
        (None, Some(_)) => {
            let own = |site: &Site| host.is_some_and(|(name, port)| site.is_at(name, port));
            site.as_ref().is_some_and(own) || listed()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checklist row 22: the decision, for each pair of fields; the host is `app.test`.
    #[test]
    fn the_table_of_fetch_metadata_and_origin_is_kept() {
        let trusted = [Site::parse("https://spa.test").unwrap()];
        let host = Some(("app.test", None));
        let own = ["https://app.test", "http://app.test", "https://APP.test:443"];
        let foreign = [
            "null",
            "",
            "https://evil.test",
            "https://app.test:8443",
            "https://app.test.evil.test",
            "https://evil-app.test",
            "https://app.test@evil.test",
            "app.test",
            "https://app.test/",
            "http://spa.test",
            "https://spa.test:8443",
            "https://app.test, https://app.test",
            "file://",
            "https://app.test\u{0}",
            "https://app%2etest",
        ];
        let of = |fetch: Option<&str>, origin: Option<&str>| judge((fetch, origin), host, &trusted);
        for passes in ["same-origin", "none"] {
            assert!(of(Some(passes), None) && of(Some(passes), Some("https://evil.test")));
        }
        for refused in ["same-site", "cross-site", "", "Same-Origin", "same-origin ", "garbage"] {
            assert!(!of(Some(refused), None), "{refused:?}");
            assert!(!of(Some(refused), Some(own[0])), "{refused:?} with our own origin");
            assert!(of(Some(refused), Some("https://spa.test")), "{refused:?} from a listed site");
        }
        assert!(of(None, None));
        assert!(of(None, Some("https://spa.test")));
        for origin in own {
            assert!(of(None, Some(origin)), "{origin}");
        }
        for origin in foreign {
            assert!(!of(None, Some(origin)), "{origin:?}");
        }
    }

    #[test]
    fn a_request_without_a_host_has_no_origin_of_its_own() {
        assert!(!judge((None, Some("https://app.test")), None, &[]));
    }
}
