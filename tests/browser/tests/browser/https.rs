//! tests/browser/https.rs: the example with Rocket's own TLS, in a release profile.

use std::time::{SystemTime, UNIX_EPOCH};

use thirtyfour::{Key, SameSite};

use crate::browser::Browser;
use crate::programs::{Certificate, Example};

const DAY: i64 = 24 * 60 * 60;

/// A browser that was led from the guarded page to the login, and has logged in.
async fn logged_in(example: &Example) -> Browser {
    let browser = Browser::start().await;
    browser.open(&example.url("/account")).await;
    browser.logs_in_as_ada().await;
    browser.arrives(&example.url("/account")).await;
    browser
}

#[tokio::test]
async fn by_keyboard_a_login_leads_back_to_the_page_that_asked_for_it() {
    let example = Example::with_tls();
    let browser = Browser::start().await;
    browser.open(&example.url("/account")).await;
    browser.arrives(&example.url("/login?next=/account")).await;
    browser.shot("https-login").await;
    browser.has_focus("username").await;
    browser.types("ada" + Key::Tab).await;
    browser.types("wrong" + Key::Enter).await;
    browser.arrives(&example.url("/login")).await;
    assert!(browser.text().await.contains("do not belong together"));
    assert!(browser.session().await.is_none(), "a wrong password sets no cookie");
    browser.shot("https-login-refused").await;
    browser.logs_in_as_ada().await;
    browser.arrives(&example.url("/account")).await;
    let text = browser.text().await;
    assert!(text.to_lowercase().contains("only for ada"), "{text}");
    browser.shot("https-account").await;
}

/// OWASP ASVS 5.0, 3.3.1, 3.3.2, 3.3.4: prefix and `Secure`, `SameSite`, `HttpOnly`.
#[tokio::test]
async fn the_browser_keeps_the_cookie_with_every_flag_and_shows_it_to_no_script() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    let cookie = browser.session().await.expect("a session");
    assert_eq!(cookie.name, "__Host-session");
    assert_eq!(cookie.secure, Some(true));
    assert_eq!(cookie.http_only, Some(true));
    assert_eq!(cookie.same_site, Some(SameSite::Lax));
    assert_eq!(cookie.path.as_deref(), Some("/"));
    assert_eq!(cookie.domain.as_deref(), Some("localhost"), "this host alone, without a dot");
    let visible: String =
        browser.script("document.cookie = 'theme=dark'; return document.cookie").await;
    assert_eq!(visible, "theme=dark");
}

#[tokio::test]
async fn over_http_2_a_login_holds_among_other_cookies() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    // RFC 9113, 8.2.3: here a browser sends a field for each cookie.
    let set = "for (const name of ['a', 'theme', '__session', 'z'])
        document.cookie = name + '=' + name.repeat(9) + '; path=/; secure'";
    browser.script::<Option<()>>(set).await;
    browser.open(&example.url("/me")).await;
    assert_eq!(browser.protocol().await, "h2");
    // Those four, the session's and that of a known device.
    assert_eq!(browser.cookies().await.len(), 6);
    assert_eq!(browser.text().await, r#"{"id":1,"name":"ada"}"#);
}

#[tokio::test]
async fn a_logout_takes_the_cookie_away_and_ends_what_it_stood_for() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    let cookie = browser.session().await.expect("a session");
    browser.logs_out().await;
    browser.arrives(&example.url("/")).await;
    // What is left says that this browser has logged in before, and to no script.
    let left = browser.cookies().await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((&*left[0].name, left[0].secure), ("__Host-device", Some(true)));
    assert_eq!((left[0].http_only, left[0].same_site), (Some(true), Some(SameSite::Lax)));
    assert!(browser.text().await.contains("You are not logged in."));
    browser.shot("https-logged-out").await;
    // Whoever kept a copy has a copy of nothing.
    browser.add(cookie).await;
    assert!(browser.session().await.is_some(), "the copy is in the browser");
    browser.open(&example.url("/account")).await;
    browser.arrives(&example.url("/login?next=/account")).await;
}

/// Goes there by a link, as one who is logged in already.
async fn visits_the_account(example: &Example, browser: &Browser) {
    browser.presses("rocket_identity").await;
    browser.arrives(&example.url("/")).await;
    browser.presses("Your session").await;
    browser.arrives(&example.url("/account")).await;
}

#[tokio::test]
async fn back_after_a_logout_shows_nothing_of_the_account() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    visits_the_account(&example, &browser).await;
    let handle: String = browser.script("return document.querySelector('.handle').innerText").await;
    assert!(browser.source().await.contains(&handle));
    browser.logs_out().await;
    browser.arrives(&example.url("/")).await;
    browser.back().await;
    browser.arrives(&example.url("/login?next=/account")).await;
    browser.shot("https-back-after-logout").await;
    let source = browser.source().await;
    assert!(!source.contains(&handle) && !source.contains("Your session"), "{source}");
}

#[tokio::test]
async fn back_after_a_logout_in_another_tab_shows_nothing_of_the_account() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    visits_the_account(&example, &browser).await;
    let handle: String = browser.script("return document.querySelector('.handle').innerText").await;
    browser.presses("rocket_identity").await;
    browser.arrives(&example.url("/")).await;
    let other_tab = browser.in_new_tab(async || {
        browser.open(&example.url("/")).await;
        browser.logs_out().await;
        browser.arrives(&example.url("/")).await;
    });
    other_tab.await;
    browser.back().await;
    browser.arrives(&example.url("/login?next=/account")).await;
    assert!(!browser.source().await.contains(&handle));
}

/// Chromium 156 would show the page that the login's own redirect led to once more, from its back/forward
/// cache and in spite of `no-store`: the example's script asks for it anew.
#[tokio::test]
async fn back_to_the_page_of_the_logins_own_redirect_shows_the_login() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    browser.logs_out().await;
    browser.arrives(&example.url("/")).await;
    browser.back().await;
    browser.arrives(&example.url("/login?next=/account")).await;
    browser.shot("https-back-to-the-logins-page").await;
    assert!(browser.session().await.is_none());
    browser.open(&example.url("/me")).await;
    browser.arrives(&example.url("/login?next=/me")).await;
}

#[tokio::test]
async fn only_a_remembered_login_outlives_the_browser() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    assert_eq!(browser.session().await.expect("a session").expiry, None);
    browser.logs_out().await;
    browser.arrives(&example.url("/")).await;
    browser.open(&example.url("/login?next=/account")).await;
    browser.logs_in_as_ada_to_stay().await;
    browser.arrives(&example.url("/account")).await;
    browser.shot("https-remembered").await;
    let expiry = browser.session().await.expect("a session").expiry.expect("an expiry");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let left = expiry - i64::try_from(now).unwrap();
    assert!((30 * DAY - 60..=30 * DAY).contains(&left), "{left} s");
}

#[tokio::test]
async fn a_foreign_page_cannot_log_its_visitor_in() {
    let example = Example::with_tls();
    let browser = Browser::start().await;
    let form = format!(
        "data:text/html,<form method=post action={}>\
         <input name=username value=ada><input name=password value='{}'><button>Win</button>",
        example.url("/login"),
        crate::browser::ADA,
    );
    browser.open(&form).await;
    browser.presses("Win").await;
    browser.arrives(&example.url("/login")).await;
    browser.has_status(403).await;
    browser.shot("https-foreign-form").await;
    assert!(browser.cookies().await.is_empty());
}

/// So what the other tests see is a checked certificate.
#[tokio::test]
async fn a_browser_that_does_not_trust_the_ca_opens_nothing() {
    let example = Example::with_tls();
    let browser = Browser::that_trusts_nobody_new().await;
    browser.open(&example.url("/")).await;
    browser.shot("https-not-trusted").await;
    let text = browser.text().await;
    assert!(text.contains("Your connection is not private"), "{text}");
    assert!(!text.contains("You are not logged in"), "{text}");
}

#[test]
fn the_certificates_keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let certificate = Certificate::make();
    let files = std::fs::read_dir(certificate.folder()).unwrap().map(Result::unwrap);
    let mut modes: Vec<_> = files
        .map(|file| {
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            (file.file_name().into_string().unwrap(), mode)
        })
        .collect();
    modes.sort();
    let names = ["ca.key", "ca.pem", "localhost.key", "localhost.pem"];
    let wanted = names.map(|name| (name.into(), if name.ends_with("key") { 0o600 } else { 0o644 }));
    assert_eq!(modes, wanted);
}
