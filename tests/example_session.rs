//! tests/example_session.rs: the example's contract, over a real socket. Rows are those of the
//! project's security checklist.
#![cfg(all(feature = "testing", feature = "password"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../examples/session/main.rs"]
#[allow(dead_code, reason = "the example's `main` is not called here")]
mod app;
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::figment::{Figment, Profile, Provider};
use rocket::futures::future::join_all;
use rocket::serde::json::Value;
use support::{Answer, Captured, Server};
use tokio::sync::Mutex;

const ADA: &str = "username=ada&password=correct+horse+battery+staple";
const GRACE: &str = "username=grace&password=tr0ub4dor+%26+three";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";

/// The accounts as the contract has them.
const DEMO: [(&str, &str); 3] = [
    ("ada", "correct horse battery staple"),
    ("grace", "tr0ub4dor & three"),
    ("hedy", "spread over 88 frequencies"),
];

/// Held by a test that fills the processor.
static PROCESSOR: Mutex<()> = Mutex::const_new(());

async fn server() -> Server {
    server_with(|figment| figment).await
}

async fn server_with(settings: impl FnOnce(Figment) -> Figment) -> Server {
    Captured::install();
    let rocket = app::rocket();
    let figment = rocket.figment().clone().select("debug");
    let figment =
        figment.merge(("address", "127.0.0.1")).merge(("port", 0)).merge(("shutdown.ctrlc", false));
    Server::start(rocket.configure(settings(figment))).await
}

async fn log_in(server: &Server, form: &str) -> Answer {
    post(server, "/login", "", form).await
}

async fn post(server: &Server, path: &str, fields: &str, form: &str) -> Answer {
    let head = format!("POST {path}\n{FORM}\n{fields}");
    server.send_bytes(&head, form.as_bytes()).await
}

async fn get(server: &Server, path: &str, cookie: &str) -> Answer {
    server.send(&format!("GET {path}\nCookie: {cookie}")).await
}

fn json(answer: &Answer) -> Value {
    rocket::serde::json::from_str(&answer.body).expect("JSON")
}

/// The values of an attribute, in order.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let name = format!(" {name}=\"");
    let parts = html.split(&name).skip(1);
    parts.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn each_demo_account_logs_in_and_is_who_it_says() {
    let server = server().await;
    for (form, id, name) in [(ADA, 1, "ada"), (GRACE, 2, "grace")] {
        let answer = log_in(&server, form).await;
        assert_eq!((answer.status, answer.all("location")), (303, vec!["/"]));
        let me = get(&server, "/me", answer.cookie()).await;
        assert_eq!((me.status, me.all("content-type")), (200, vec!["application/json"]));
        assert_eq!(json(&me), rocket::serde::json::json!({ "id": id, "name": name }));
        let home = get(&server, "/", answer.cookie()).await;
        assert!(home.status == 200 && home.body.contains(&format!("Hello, {name}.")));
    }
}

#[tokio::test]
async fn the_public_pages_are_for_everybody_and_set_no_cookie() {
    let server = server().await;
    for (path, text) in [("/", "You are not logged in."), ("/login", "<form"), ("/health", "ok")] {
        let answer = server.send(&format!("GET {path}\n{BROWSER}")).await;
        assert!(answer.status == 200 && answer.body.contains(text), "{answer:?}");
        assert!(answer.sets_no_cookie(), "{path}");
    }
}

#[tokio::test]
async fn without_a_login_a_browser_is_led_to_the_form_and_a_program_gets_a_problem() {
    let server = server().await;
    for path in ["/me", "/account"] {
        let answer = server.send(&format!("GET {path}\nAccept: application/json")).await;
        assert_eq!((answer.status, &*answer.code()), (401, "unauthenticated"));
        let answer = server.send(&format!("GET {path}\n{BROWSER}")).await;
        let login = format!("/login?next={path}");
        assert_eq!((answer.status, answer.all("location")), (303, vec![&*login]));
        let page = server.send(&format!("GET {login}")).await;
        assert!(page.body.contains(&format!("name=\"next\" value=\"{path}\"")), "{page:?}");
    }
}

#[tokio::test]
async fn the_account_page_shows_the_facts_of_this_session_and_no_ticket() {
    let server = server().await;
    let agent = "User-Agent: <b>Netscape</b> 4";
    let login = post(&server, "/login", agent, &format!("{ADA}&remember=on")).await;
    let page = get(&server, "/account", login.cookie()).await;
    assert_eq!(page.status, 200);
    for fact in ["Began", "Last seen", "Expires", "yes", "&lt;b&gt;Netscape&lt;/b&gt; 4", "Handle"]
    {
        assert!(page.body.contains(fact), "{fact}: {page:?}");
    }
    let ticket = login.cookie().split_once('=').unwrap().1;
    assert!(!page.body.contains(&ticket[..43]) && !page.body.contains("<b>"));
    let times: BTreeSet<_> = attributes(&page.body, "datetime").into_iter().collect();
    assert_eq!(times.len(), 2, "it began and was seen at one moment, and ends at another");
}

#[tokio::test]
async fn only_a_remembered_login_outlives_the_browser() {
    let server = server().await;
    for (form, kept) in [("", false), ("&remember=on", true)] {
        let answer = log_in(&server, &format!("{ADA}{form}")).await;
        let set_cookie = answer.all("set-cookie")[0];
        assert_eq!(set_cookie.contains("; Max-Age=2592000"), kept, "{set_cookie}");
    }
}

#[tokio::test]
async fn a_logout_clears_the_cookie_whether_or_not_a_session_was_there() {
    let server = server().await;
    let cookie = log_in(&server, ADA).await.cookie().to_owned();
    assert_eq!(get(&server, "/me", &cookie).await.status, 200);
    for fields in [format!("Cookie: {cookie}"), String::new(), "Cookie: session=x".into()] {
        let answer = post(&server, "/logout", &fields, "").await;
        assert_eq!((answer.status, answer.all("location")), (303, vec!["/"]), "{fields}");
        let set_cookie = answer.all("set-cookie")[0];
        assert_eq!(answer.cookie(), "session=", "{fields}");
        assert!(set_cookie.contains("; Max-Age=0"), "{set_cookie}");
    }
    assert_eq!(get(&server, "/me", &cookie).await.status, 401);
}

/// Row 25.
#[tokio::test]
async fn a_get_of_login_or_logout_changes_nothing() {
    let server = server().await;
    let cookie = log_in(&server, ADA).await.cookie().to_owned();
    for head in ["GET /logout", "HEAD /logout", "GET /login?username=grace&remember=on"] {
        let answer = server.send(&format!("{head}\nCookie: {cookie}")).await;
        assert!(answer.sets_no_cookie(), "{head}");
        let me = get(&server, "/me", &cookie).await;
        assert_eq!(json(&me)["name"], "ada", "{head}");
    }
    // Rocket makes a GET of a POST with this field.
    let answer = post(&server, "/logout", &format!("Cookie: {cookie}"), "_method=get").await;
    assert!(answer.sets_no_cookie());
    assert_eq!(get(&server, "/me", &cookie).await.status, 200);
}

/// Rows 26 and 27.
#[tokio::test]
async fn a_cross_site_login_or_logout_is_403_and_sets_no_cookie() {
    let server = server().await;
    let cookie = log_in(&server, ADA).await.cookie().to_owned();
    for origin in ["Origin: https://evil.test", "Sec-Fetch-Site: cross-site", "Origin: null"] {
        for (path, form) in [("/login", GRACE), ("/login", "nonsense"), ("/logout", "")] {
            for fields in [format!("{origin}\nCookie: {cookie}"), origin.to_owned()] {
                let answer = post(&server, path, &fields, form).await;
                assert_eq!((answer.status, &*answer.code()), (403, "cross_origin"), "{fields}");
                assert!(answer.sets_no_cookie() && answer.all("clear-site-data").is_empty());
            }
        }
    }
    assert_eq!(json(&get(&server, "/me", &cookie).await)["name"], "ada");
}

#[tokio::test]
async fn after_a_login_the_way_leads_to_a_path_of_this_site_and_nowhere_else() {
    let server = server().await;
    let own = ["/me", "/account", "/me?a=b&c=%2F%2F", "/a:b", "/@a"];
    let foreign = [
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/%2F/evil.test",
        "/%5Cevil.test",
        "https://evil.test",
        "javascript:alert(1)",
        "//user@evil.test",
        "//user:word@evil.test",
        "/\t/evil.test",
        "\t//evil.test",
        "/\u{1}evil.test",
        "/me\r\nSet-Cookie: a=b",
        "/\0",
        "me",
        "",
        "/me\"><script>",
    ];
    for next in own.into_iter().chain(foreign) {
        let encoded = rocket::http::RawStr::new(next).percent_encode().to_string();
        let kept = own.contains(&next);
        let answer = log_in(&server, &format!("{ADA}&next={encoded}")).await;
        let expected = if kept { next } else { "/" };
        let seen = (answer.status, answer.all("location"));
        assert_eq!(seen, (303, vec![expected]), "{next:?}");
        assert!(!answer.cookie().is_empty() && answer.device().is_some(), "{next:?}");
        // The form, at first and after a mistake, carries on what it was given.
        let page = server.send(&format!("GET /login?next={encoded}")).await;
        let again = log_in(&server, &format!("username=ada&password=x&next={encoded}")).await;
        for page in [page, again] {
            let value = expected.replace('&', "&amp;");
            let carried = page.body.contains(&format!("name=\"next\" value=\"{value}\""));
            assert_eq!(carried, kept, "{next:?}: {page:?}");
            assert!(!page.body.contains("evil"), "{page:?}");
        }
    }
}

/// Row 80: what is answered does not tell whether the name is known; nor does the time that it takes
/// (tests/enumeration.rs).
#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer_and_no_cookie() {
    let server = server().await;
    let long = "a".repeat(20_000);
    let mut answers = Vec::new();
    for form in [
        "username=ada&password=wrong",
        "username=nobody&password=wrong",
        "username=&password=",
        "username=adá&password=correct+horse+battery+staple",
        "username=nobody&password=",
        &format!("username=ada&password={long}"),
        &format!("username=nobody&password={long}"),
    ] {
        let mut answer = log_in(&server, form).await;
        assert!(answer.status == 401 && answer.sets_no_cookie(), "{answer:?}");
        assert!(answer.body.contains("role=\"alert\""));
        answer.fields.retain(|(name, _)| name != "date");
        answers.push((answer.fields, answer.body));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

/// Row 81: hashing is bounded and off the async threads; whom it cannot serve soon it tells.
#[tokio::test]
async fn when_64_logins_wait_the_next_one_is_503_and_other_pages_still_answer() {
    const LOGINS: usize = 160;
    let _alone = PROCESSOR.lock().await;
    // None of those that wait gives up on a slow machine.
    let server = server_with(|figment| {
        figment
            .merge(("identity.password.longest_wait", "60s"))
            .merge(("identity.password.at_once", 1))
            .merge(("identity.throttle.address_burst", 1_000))
    });
    let server = server.await;
    let answered = AtomicUsize::new(0);
    let (server_, answered_) = (&server, &answered);
    let flood = (0..LOGINS).map(|n| async move {
        // One account would be out of guesses.
        let answer = log_in(server_, &format!("username=nobody{n}&password=wrong")).await;
        answered_.fetch_add(1, Ordering::Relaxed);
        answer
    });
    let meanwhile = async {
        // The first refusal tells that the queue is full.
        while answered.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let health = server.send("GET /health").await;
        (health.status, answered.load(Ordering::Relaxed))
    };
    let (answers, (health, before)) = tokio::join!(join_all(flood), meanwhile);
    assert_eq!(health, 200);
    assert!(before < LOGINS - 32, "it waited for {before} logins");
    let (busy, served): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 503);
    assert!(served.iter().all(|answer| answer.status == 401));
    assert!(served.len() > 64, "64 may wait and one runs: {}", served.len());
    assert!(!busy.is_empty());
    for answer in busy {
        assert_eq!(answer.all("retry-after"), ["1"]);
        assert!(answer.sets_no_cookie() && answer.body.contains("role=\"alert\""));
    }
    let answer = log_in(&server, ADA).await;
    assert_eq!(answer.status, 303, "every place was given back");
}

/// What is no login form, with its status; `MALLORY` and `s3cret` are what was typed.
fn bad_forms() -> Vec<(&'static str, Vec<u8>, u16)> {
    let form = |text: &str, status| (FORM, text.as_bytes().to_vec(), status);
    let typed = "username=MALLORY&password=s3cret";
    let multipart = "Content-Type: multipart/form-data; boundary=x";
    vec![
        form("", 422),
        form("&&&", 422),
        form("username=MALLORY", 422),
        form("password=s3cret", 422),
        form("user=MALLORY&pass=s3cret", 422),
        form("{\"username\":\"MALLORY\",\"password\":\"s3cret\"}", 422),
        form(&format!("{typed}&password=s3cret"), 422),
        form(&format!("{typed}&%70assword=s3cret"), 422),
        form(&format!("{typed}&username=ada"), 422),
        form(&format!("{typed}&next=/&next=/me"), 422),
        form(&format!("{typed}&remember=on&remember=on"), 422),
        form(&format!("{typed}&remember=s3cret"), 422),
        form("username=MALLORY&password=s3cret%ff", 400),
        form("username=MALLORY&s3cret%ff=1&password=x", 400),
        (FORM, b"username=MALLORY&password=s3cret\xff".to_vec(), 400),
        form(&format!("username=MALLORY&password={}", "s3cret".repeat(200_000 / 6)), 413),
        ("Content-Type: text/plain", typed.into(), 415),
        ("Content-Type: application/json", b"{\"password\":\"s3cret\"}".to_vec(), 415),
        ("Content-Type: s3cret", typed.into(), 415),
        ("Accept: */*", typed.into(), 415),
        (
            multipart,
            b"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ns3cret\r\n--x--\r\n"
                .to_vec(),
            415,
        ),
    ]
}

#[tokio::test]
async fn what_is_no_login_form_is_a_4xx_of_its_own_and_logs_nobody_in() {
    let server = server().await;
    for (kind, body, status) in bad_forms() {
        let answer = server.send_bytes(&format!("POST /login\n{kind}"), &body).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!(answer.status, status, "{kind}: {shown}");
        assert!(answer.sets_no_cookie() && !answer.code().is_empty(), "{shown}");
        assert!(!answer.body.contains("s3cret"), "{answer:?}");
    }
    // What is beside the fields, or between them, does no harm.
    let answer = log_in(&server, &format!("&{ADA}&&submit=Log+in&")).await;
    assert_eq!(answer.status, 303);
}

/// Row 93: Rocket prints what a data guard failed with, and every field that its own parser reads.
#[tokio::test]
async fn no_form_reaches_the_log_at_any_level_be_it_good_or_bad() {
    let captured = Captured::install();
    let server = server().await;
    for (kind, body, _) in bad_forms().into_iter().filter(|(kind, ..)| !kind.contains("s3cret")) {
        server.send_bytes(&format!("POST /login\n{kind}"), &body).await;
    }
    for form in [ADA, GRACE, "username=MALLORY&password=s3cret"] {
        log_in(&server, form).await;
    }
    let records = captured.of("");
    for typed in
        ["s3cret", "MALLORY", "correct", "battery", "tr0ub4dor", "username=ada", "argon2id"]
    {
        let told = records.iter().find(|record| record.contains(typed));
        assert_eq!(told, None, "{typed}");
    }
    // The capture does see what Rocket says of a guard that failed.
    assert!(records.iter().any(|record| record.contains("Missing(\"password\")")), "{records:?}");
}

#[tokio::test]
async fn no_page_may_run_a_script_but_ours_or_load_anything_of_another_site() {
    let server = server().await;
    let cookie = log_in(&server, ADA).await.cookie().to_owned();
    let mut pages = Vec::new();
    let own = ["/account", "/sessions", "/settings", "/confirm?next=/me"];
    for path in ["/", "/login?next=/me", "/nowhere"].into_iter().chain(own) {
        pages.push(server.send(&format!("GET {path}\n{BROWSER}\nCookie: {cookie}")).await);
    }
    pages.push(log_in(&server, "username=ada&password=wrong").await);
    pages.push(post(&server, "/login", BROWSER, "").await);
    for page in pages {
        let policy = page.all("content-security-policy");
        assert_eq!(policy.len(), 1, "{page:?}");
        let directives: Vec<_> = policy[0].split("; ").collect();
        for directive in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(directives.contains(&directive), "{directives:?}");
        }
        assert_eq!(page.all("content-type"), ["text/html; charset=utf-8"]);
        assert!(page.body.contains("<html lang=\"en\">") && page.body.contains("<h1>"));
        assert_eq!(page.body.matches("<script").count(), 1, "{page:?}");
        assert!(page.body.contains("<script src=\"/back.js\" defer></script>"), "{page:?}");
        let mut links = attributes(&page.body, "href");
        links.extend(attributes(&page.body, "action"));
        let own = |link: &&str| link.starts_with('/') || link.starts_with("data:image/svg+xml,");
        assert!(links.iter().all(own), "{links:?}");
    }
}

#[tokio::test]
async fn each_field_of_the_form_has_a_label_and_says_what_belongs_into_it() {
    let server = server().await;
    let page = server.send("GET /login").await.body;
    for field in ["username", "password", "remember"] {
        assert!(attributes(&page, "for").contains(&field), "{field}");
        assert!(attributes(&page, "name").contains(&field), "{field}");
    }
    assert_eq!(attributes(&page, "autocomplete"), ["username", "current-password"]);
    for (name, password) in DEMO {
        let password = password.replace('&', "&amp;");
        assert!(page.contains(name) && page.contains(&password));
    }
    assert!(page.contains("FREQ UENC YHOP PING BYHE DYAN DGEO RGE2"), "{page}");
}

#[tokio::test]
async fn the_style_sheet_may_be_kept_and_a_users_page_may_not() {
    let server = server().await;
    let cookie = log_in(&server, ADA).await.cookie().to_owned();
    let style = get(&server, "/style.css", &cookie).await;
    assert_eq!(style.all("content-type"), ["text/css; charset=utf-8"]);
    assert_eq!(style.all("cache-control"), ["public, max-age=3600"]);
    assert!(style.body.contains("prefers-color-scheme: dark"));
    for path in ["/", "/account", "/me", "/sessions", "/settings", "/confirm"] {
        let page = get(&server, path, &cookie).await;
        assert_eq!(page.all("cache-control"), ["no-store"], "{path}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_page_for_people_and_a_problem_for_programs() {
    let server = server().await;
    let page = server.send(&format!("GET /nowhere\n{BROWSER}")).await;
    assert!(page.status == 404 && page.body.contains("Not Found"));
    let problem = server.send("GET /nowhere").await;
    assert_eq!((problem.status, &*problem.code()), (404, "not_found"));
    assert!(page.list("vary").contains(&"Accept") && problem.list("vary").contains(&"Accept"));
}

/// In the global profile they would win over `Rocket.toml`.
#[test]
fn the_paths_of_the_login_and_confirm_pages_are_defaults_that_any_setting_overrides() {
    Captured::install();
    let data = app::rocket().figment().data().unwrap();
    let path = |profile: Profile, name: &str| {
        let identity = data.get(&profile)?.get("identity")?.as_dict()?;
        Some(identity.get(name)?.as_str()?.to_owned())
    };
    for (name, expected) in [("login_path", "/login"), ("confirm_path", "/confirm")] {
        assert_eq!(path(Profile::Default, name).as_deref(), Some(expected));
        assert_eq!(path(Profile::Global, name), None);
    }
}
