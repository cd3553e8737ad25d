//! tests/browser/devices.rs: two browsers of one user, who sees both and logs one out; a fresh proof, and
//! a second factor.

use std::time::Duration;

use thirtyfour::Key;
use totp_rs::{Builder, Secret};

use crate::browser::{ADA, Browser};
use crate::programs::Example;

async fn logged_in(example: &Example) -> Browser {
    let browser = Browser::start().await;
    browser.open(&example.url("/login?next=/sessions")).await;
    browser.logs_in_as_ada().await;
    browser.arrives(&example.url("/sessions")).await;
    browser
}

/// The text of each row, and how many of them are this one.
async fn devices(browser: &Browser) -> (Vec<String>, usize) {
    let rows: Vec<String> = browser
        .script("return [...document.querySelectorAll('.devices li')].map(row => row.innerText)")
        .await;
    let own = rows.iter().filter(|row| row.contains("this one")).count();
    (rows, own)
}

/// Opens the stream from a page without a policy, and notes what happens to it: `said` are its events,
/// `streamEnd` is when it ended, by the browser's clock.
const LISTEN: &str = "
    window.said = [];
    const stream = new EventSource('/events');
    for (const kind of ['ready', 'ended']) {
        stream.addEventListener(kind, () => said.push(kind));
    }
    stream.onerror = () => {
        window.streamEnd ??= Date.now();
        // It asks again by itself, and is refused for good.
        window.over = stream.readyState == EventSource.CLOSED;
    };";

#[tokio::test]
async fn one_profile_sees_the_other_and_logs_it_out_and_its_open_stream_closes_within_a_second() {
    let example = Example::with_tls();
    let (one, other) = (logged_in(&example).await, logged_in(&example).await);
    for browser in [&one, &other] {
        browser.open(&example.url("/sessions")).await;
        let (rows, own) = devices(browser).await;
        assert_eq!((rows.len(), own), (2, 1), "{rows:?}");
        assert!(rows.iter().all(|row| row.contains("on Linux")), "{rows:?}");
    }
    one.shot("devices-two").await;

    other.open(&example.url("/me")).await;
    other.script::<Option<()>>(LISTEN).await;
    other.comes("the stream", "return said.includes('ready')").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(other.script::<bool>("return window.streamEnd === undefined").await, "it stays open");

    let before: f64 = one.script("return Date.now()").await;
    one.presses_in(".devices", "Log out").await;
    other.comes("the end of the stream", "return window.streamEnd !== undefined").await;
    let closed: f64 = other.script("return window.streamEnd").await;
    assert!(closed - before < 1_000.0, "{} ms after the button", closed - before);
    assert_eq!(other.script::<Vec<String>>("return said").await, ["ready", "ended"]);
    other.comes("the refusal", "return window.over === true").await;

    one.comes("the list", "return document.querySelectorAll('.devices li').length == 1").await;
    assert!(one.text().await.contains("That device is logged out."));
    one.shot("devices-one").await;
    other.open(&example.url("/account")).await;
    other.arrives(&example.url("/login?next=/account")).await;
    one.open(&example.url("/me")).await;
    assert_eq!(one.text().await, r#"{"id":1,"name":"ada"}"#);
}

#[tokio::test]
async fn logged_out_everywhere_both_are_at_the_login() {
    let example = Example::with_tls();
    let (one, other) = (logged_in(&example).await, logged_in(&example).await);
    one.presses("Log out everywhere").await;
    one.arrives(&example.url("/")).await;
    assert!(one.session().await.is_none());
    for browser in [&one, &other] {
        browser.open(&example.url("/sessions")).await;
        browser.arrives(&example.url("/login?next=/sessions")).await;
    }
    // What was on the screen still has its buttons.
    let browser = logged_in(&example).await;
    let copy = browser.session().await.expect("a session");
    browser
        .in_new_tab(async || {
            browser.open(&example.url("/")).await;
            browser.logs_out().await;
            browser.arrives(&example.url("/")).await;
            browser.add(copy).await;
        })
        .await;
    browser.presses("Log out everywhere").await;
    browser.has_status(401).await;
    assert!(browser.text().await.contains("You are not logged in any longer."));
    browser.shot("devices-over").await;
}

#[tokio::test]
async fn by_keyboard_a_confirmation_gives_a_new_cookie_and_leads_on() {
    let example = Example::with_tls();
    let browser = logged_in(&example).await;
    let old = browser.session().await.expect("a session").value;
    browser.open(&example.url("/confirm?next=/settings")).await;
    browser.has_focus("password").await;
    browser.types("wrong" + Key::Enter).await;
    browser.has_status(401).await;
    browser.has_focus("password").await;
    assert!(browser.text().await.contains("That is not your password."));
    browser.shot("confirm-refused").await;
    assert_eq!(browser.session().await.expect("a session").value, old);
    browser.types(ADA + Key::Enter).await;
    browser.arrives(&example.url("/settings")).await;
    browser.shot("settings").await;
    assert_ne!(browser.session().await.expect("a session").value, old);
}

#[tokio::test]
async fn by_keyboard_a_login_goes_on_with_the_code_of_an_authenticator() {
    let example = Example::with_tls();
    let browser = Browser::start().await;
    browser.open(&example.url("/account")).await;
    browser.has_focus("username").await;
    browser.types("hedy" + Key::Tab).await;
    browser.types("spread over 88 frequencies" + Key::Enter).await;
    browser.arrives(&example.url("/second-factor?next=%2Faccount")).await;
    assert!(browser.session().await.is_none(), "nobody is in yet");
    browser.has_focus("code").await;
    browser.types("000000" + Key::Enter).await;
    browser.has_status(401).await;
    browser.has_focus("code").await;
    browser.shot("second-factor-refused").await;
    browser.types(&*code() + Key::Enter).await;
    browser.arrives(&example.url("/account")).await;
    assert!(browser.text().await.to_lowercase().contains("only for hedy"));
    // Of the login that waited nothing is left.
    let mut names: Vec<_> = browser.cookies().await.into_iter().map(|one| one.name).collect();
    names.sort();
    assert_eq!(names, ["__Host-device", "__Host-session"]);
}

/// What hedy's authenticator shows now.
fn code() -> String {
    let key = Secret::try_from_base32("FREQUENCYHOPPINGBYHEDYANDGEORGE2").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Builder::new().with_secret(key).build().unwrap().generate(now.as_secs()).to_string()
}
