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
    browser.arrives(&nginx.url("/login?next=/account")).await;

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

/// What nginx's own documentation has for it: who connected is appended to what came.
const FORWARDED: &str = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";

/// As an attacker has them, hoping that one of them is believed.
fn spoofed(n: u32) -> [String; 3] {
    ["X-Forwarded-For: ", "X-Real-IP: ", "Forwarded: for="]
        .map(|field| format!("{field}192.0.2.{n}"))
}

/// The status of a guess at an account of its own, and what the 429 goes by.
fn guess(nginx: &Nginx, from: &str, name: &str, fields: &[String]) -> (u16, bool) {
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let form = format!("username={name}&password=wrong");
    let answer = nginx.send_from(from, "/login", &fields, &form);
    (answer.status, answer.text.contains("\"address\";q=3"))
}

/// Row 85 of the project's security checklist: behind a proxy that is named, each client has a bucket
/// of its own, and no field that it sends gives it another.
#[test]
fn behind_nginx_each_client_is_counted_by_the_address_that_nginx_saw() {
    let settings = |trusted: &str| {
        format!(
            "{{behind_tls_proxy=true,throttle={{address_burst=3,address_refill=\"1h\"{trusted}}}}}"
        )
    };
    let named = settings(r#",trusted_proxies=["127.0.0.1/32"]"#);
    let fields = format!("{HOST} {FORWARDED}");
    let (nginx, _example) = site(&fields, "release", |_| named.clone());
    for client in ["127.0.0.2", "127.0.0.3"] {
        for n in 0..3 {
            assert_eq!(guess(&nginx, client, &format!("{client}-{n}"), &[]), (401, false));
        }
        for n in 0..3 {
            let name = format!("{client}-s{n}");
            assert_eq!(guess(&nginx, client, &name, &spoofed(n)[..2]), (429, true), "{client}");
        }
    }
    // A field that nginx does not mind is handed on as the client wrote it. It says something else
    // than nginx does, so that neither is believed: that is nginx's own bucket, for all who do so.
    let liars = (0..4).map(|n| {
        let client = ["127.0.0.4", "127.0.0.5"][n as usize % 2];
        guess(&nginx, client, &format!("liar{n}"), &spoofed(n)).0
    });
    assert_eq!(liars.collect::<Vec<_>>(), [401, 401, 401, 429]);
    assert_eq!(guess(&nginx, "127.0.0.4", "honest", &[]), (401, false), "nobody else pays");

    // So what is seen above is the setting's doing: without it all are nginx.
    let (nginx, _example) = site(&fields, "release", |_| settings(""));
    let statuses = (0..4).map(|n| {
        let client = format!("127.0.0.{}", 2 + n);
        guess(&nginx, &client, &format!("name{n}"), &spoofed(n)[..2])
    });
    let expected = [(401, false), (401, false), (401, false), (429, true)];
    assert_eq!(statuses.collect::<Vec<_>>(), expected);
}
