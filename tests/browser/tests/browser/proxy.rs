//! tests/browser/proxy.rs: the example in plain HTTP behind nginx, which speaks TLS and HTTP/2 with
//! the browser.

use std::cell::RefCell;

use thirtyfour::SameSite;

use crate::browser::Browser;
use crate::programs::{Example, Nginx};

const BEHIND: (&str, &str) = ("ROCKET_IDENTITY", "{behind_tls_proxy=true}");
const HOST: &str = "proxy_set_header Host $http_host;";
/// As a browser without fetch metadata would ask: Safari before 16.4.
const NO_METADATA: &str = r#"proxy_set_header Sec-Fetch-Site "";"#;

/// nginx with these fields, before an example with these settings (of nginx's port).
fn site(fields: &str, profile: &str, settings: impl Fn(u16) -> String) -> (Nginx, Example) {
    let running = RefCell::new(None);
    let nginx = Nginx::start(fields, |port| {
        let example = Example::start(profile, &[("ROCKET_IDENTITY", &settings(port))]);
        *running.borrow_mut() = Some(example);
        running.borrow().as_ref().unwrap().port
    });
    (nginx, running.into_inner().unwrap())
}

#[tokio::test]
async fn behind_nginx_secure_stays_on_the_cookie_in_every_profile() {
    for profile in ["release", "debug"] {
        let (nginx, _example) = site(HOST, profile, |_| BEHIND.1.into());
        let browser = Browser::start().await;
        browser.open(&nginx.url("/account")).await;
        browser.logs_in_as_ada().await;
        browser.arrives(&nginx.url("/account")).await;
        browser.shot(&format!("nginx-account-{profile}")).await;
        let cookie = browser.session().await.expect("a session");
        assert_eq!(cookie.name, "__Host-session", "{profile}");
        assert_eq!((cookie.secure, cookie.http_only), (Some(true), Some(true)), "{profile}");
        assert_eq!(cookie.same_site, Some(SameSite::Lax), "{profile}");
    }
}

/// So what the test above sees is the setting's doing.
#[tokio::test]
async fn a_debug_profile_that_is_not_told_of_its_proxy_sets_a_cookie_without_secure() {
    let (nginx, _example) = site(HOST, "debug", |_| "{}".into());
    let browser = Browser::start().await;
    browser.open(&nginx.url("/account")).await;
    browser.logs_in_as_ada().await;
    browser.arrives(&nginx.url("/account")).await;
    let cookie = browser.session().await.expect("a session");
    assert_eq!((&*cookie.name, cookie.secure), ("session", Some(false)));
}

#[tokio::test]
async fn behind_nginx_login_and_logout_work_over_http_2_among_other_cookies() {
    let (nginx, _example) = site(HOST, "release", |_| BEHIND.1.into());
    let browser = Browser::start().await;
    browser.open(&nginx.url("/")).await;
    let set = "for (const name of ['a', 'z']) document.cookie = name + '=1; path=/; secure'";
    browser.script::<Option<()>>(set).await;
    browser.open(&nginx.url("/account")).await;
    browser.logs_in_as_ada().await;
    browser.arrives(&nginx.url("/account")).await;
    assert_eq!(browser.protocol().await, "h2");
    let ticket = browser.session().await.expect("a session");
    browser.logs_out().await;
    browser.arrives(&nginx.url("/")).await;
    assert!(browser.session().await.is_none());
    browser.add(ticket).await;
    browser.open(&nginx.url("/account")).await;
    browser.arrives(&nginx.url("/login?next=%2Faccount")).await;

    let requests = nginx.requests();
    let asked = |start: &str| requests.iter().find(|line| line.starts_with(start));
    let page = asked("HTTP/2.0 GET /account 200 ").unwrap_or_else(|| panic!("{requests:#?}"));
    for cookie in ["a=1", "z=1", "__Host-session="] {
        assert!(page.contains(cookie), "{page}");
    }
    assert!(asked("HTTP/2.0 POST /login 303 ").is_some(), "{requests:#?}");
    assert!(asked("HTTP/2.0 POST /logout 303 ").is_some(), "{requests:#?}");
}

/// A proxy that hides under which name the site was asked for leaves `Origin` nothing to be compared
/// with: for a browser without fetch metadata the site must then be listed.
#[tokio::test]
async fn without_the_host_an_older_browser_is_refused_until_its_site_is_listed() {
    let unlisted = |_| BEHIND.1.into();
    let listed =
        |port| format!(r#"{{behind_tls_proxy=true,origins=["https://localhost:{port}"]}}"#);
    let browser = Browser::start().await;

    let (nginx, _example) = site(NO_METADATA, "release", unlisted);
    browser.open(&nginx.url("/login")).await;
    browser.logs_in_as_ada().await;
    browser.has_status(403).await;
    browser.shot("nginx-without-host-refused").await;
    assert!(browser.session().await.is_none());

    let (nginx, _example) = site(NO_METADATA, "release", listed);
    browser.open(&nginx.url("/login")).await;
    browser.logs_in_as_ada().await;
    browser.arrives(&nginx.url("/")).await;
    assert!(browser.text().await.contains("Hello, ada."));
    browser.forgets_all_cookies().await;

    // With the host passed on nothing needs to be listed,
    let fields = format!("{HOST} {NO_METADATA}");
    let (nginx, _example) = site(&fields, "release", unlisted);
    browser.open(&nginx.url("/login")).await;
    browser.logs_in_as_ada().await;
    browser.arrives(&nginx.url("/")).await;
    assert!(browser.text().await.contains("Hello, ada."));
    browser.forgets_all_cookies().await;

    // nor for a browser that says itself that the request is its page's own.
    let (nginx, _example) = site("", "release", unlisted);
    browser.open(&nginx.url("/login")).await;
    browser.logs_in_as_ada().await;
    browser.arrives(&nginx.url("/")).await;
    assert!(browser.text().await.contains("Hello, ada."));
}
