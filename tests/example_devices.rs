//! tests/example_devices.rs: the example's devices, step-up and second factor, over a real socket.
#![cfg(all(feature = "testing", feature = "password"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "an authenticator goes by the world's clock")]

#[path = "../examples/session/main.rs"]
#[allow(dead_code, reason = "the example's `main` is not called here")]
mod app;
mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rocket::futures::future::join_all;
use rocket::serde::json::Value;
use support::{Answer, Captured, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use totp_rs::{Builder, Secret};

const ADA: &str = "username=ada&password=correct+horse+battery+staple";
const GRACE: &str = "username=grace&password=tr0ub4dor+%26+three";
const HEDY: &str = "username=hedy&password=spread+over+88+frequencies";
const KEY: &str = "FREQUENCYHOPPINGBYHEDYANDGEORGE2";
const PASSWORD: &str = "password=correct+horse+battery+staple";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
const LAPTOP: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36";
const PHONE: &str = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604";

async fn server() -> Server {
    Captured::install();
    let rocket = app::rocket();
    let figment = rocket.figment().clone().select("debug");
    let figment =
        figment.merge(("address", "127.0.0.1")).merge(("port", 0)).merge(("shutdown.ctrlc", false));
    Server::start(rocket.configure(figment)).await
}

async fn post(server: &Server, path: &str, fields: &str, form: &str) -> Answer {
    server.send_bytes(&format!("POST {path}\n{FORM}\n{fields}"), form.as_bytes()).await
}

/// Presses a button or sends a form, as whoever has this cookie.
async fn act(server: &Server, path: &str, cookie: &str, form: &str) -> Answer {
    post(server, path, &format!("Cookie: {cookie}"), form).await
}

async fn log_in(server: &Server, form: &str, agent: &str) -> String {
    let answer = post(server, "/login", agent, form).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.cookie().to_owned()
}

async fn get(server: &Server, path: &str, cookie: &str) -> Answer {
    server.send(&format!("GET {path}\nCookie: {cookie}")).await
}

/// What a browser gets that has this cookie.
async fn browse(server: &Server, path: &str, cookie: &str) -> Answer {
    server.send(&format!("GET {path}\n{BROWSER}\nCookie: {cookie}")).await
}

async fn is_in(server: &Server, cookie: &str) -> bool {
    get(server, "/me", cookie).await.status == 200
}

async fn list(server: &Server, cookie: &str) -> Vec<Value> {
    let head = format!("GET /sessions\nAccept: application/json\nCookie: {cookie}");
    let answer = server.send(&head).await;
    assert_eq!((answer.status, answer.all("content-type")), (200, vec!["application/json"]));
    assert!(answer.list("vary").contains(&"Accept"), "{answer:?}");
    rocket::serde::json::from_str(&answer.body).unwrap()
}

async fn own_handle(server: &Server, cookie: &str) -> String {
    let list = list(server, cookie).await;
    let own = list.iter().find(|row| row["current"] == true).expect("this one");
    own["handle"].as_str().unwrap().to_owned()
}

/// `name=value` of the cookies that were given a value, but the device's.
fn given(answer: &Answer) -> Vec<String> {
    let pairs = answer.all("set-cookie").into_iter().map(|set| set.split(';').next().unwrap());
    let pairs = pairs.filter(|pair| !pair.starts_with("device=") && !pair.ends_with('='));
    pairs.map(str::to_owned).collect()
}

/// What hedy's authenticator shows so many steps from now.
fn code(steps: i64) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(KEY).unwrap()).build().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    totp.generate(now.checked_add_signed(30 * steps).unwrap()).to_string()
}

/// The password is right; the cookie of the login that waits.
async fn waits(server: &Server, form: &str) -> String {
    let answer = post(server, "/login", "", form).await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/second-factor"]));
    answer.cookie().to_owned()
}

#[tokio::test]
async fn a_user_sees_each_of_their_devices_and_which_one_this_is() {
    let server = server().await;
    let laptop = log_in(&server, ADA, LAPTOP).await;
    let phone = log_in(&server, &format!("{ADA}&remember=on"), PHONE).await;
    log_in(&server, GRACE, "User-Agent: grace's").await;
    for (cookie, own) in [(&laptop, "Linux"), (&phone, "iPhone")] {
        let rows = list(&server, cookie).await;
        assert_eq!(rows.len(), 2, "{rows:?}");
        for row in rows {
            let mut keys: Vec<_> = row.as_object().unwrap().keys().collect();
            keys.sort();
            assert_eq!(keys, ["created", "current", "handle", "ip", "last_seen", "user_agent"]);
            let agent = row["user_agent"].as_str().unwrap();
            assert_eq!(row["current"], agent.contains(own), "{row}");
            assert_eq!(
                (&row["ip"], row["handle"].as_str().unwrap().len()),
                (&"127.0.0.1".into(), 22)
            );
            for time in ["created", "last_seen"] {
                let time = row[time].as_str().unwrap();
                assert!(humantime::parse_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
            }
        }
        let page = browse(&server, "/sessions", cookie).await;
        assert!(page.status == 200 && page.list("vary").contains(&"Accept"), "{page:?}");
        for text in ["Chrome on Linux", "Safari on an iPhone", "127.0.0.1"] {
            assert!(page.body.contains(text), "{text}: {page:?}");
        }
        assert_eq!(page.body.matches("this one").count(), 1);
        assert_eq!(page.body.matches("/revoke\"").count(), 1, "the header logs this one out");
        assert!(!page.body.contains("grace"));
    }
    let program = get(&server, "/sessions", &laptop).await;
    assert_eq!(program.all("content-type"), ["text/html; charset=utf-8"]);
}

#[tokio::test]
async fn one_device_logs_another_one_out() {
    let server = server().await;
    let (laptop, phone) = (log_in(&server, ADA, LAPTOP).await, log_in(&server, ADA, PHONE).await);
    let path = format!("/sessions/{}/revoke", own_handle(&server, &phone).await);
    let answer = act(&server, &path, &laptop, "").await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/sessions"]));
    assert!(is_in(&server, &laptop).await && !is_in(&server, &phone).await);
    // It is said once.
    for said in [true, false] {
        let page = browse(&server, "/sessions", &laptop).await;
        assert_eq!(page.body.contains("That device is logged out."), said, "{page:?}");
    }
    assert_eq!(act(&server, &path, &laptop, "").await.status, 404, "it is gone");

    // For the device itself it is a logout.
    let path = format!("/sessions/{}/revoke", own_handle(&server, &laptop).await);
    let answer = act(&server, &path, &laptop, "").await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/"]));
    assert_eq!(answer.cookie(), "session=");
    assert!(!is_in(&server, &laptop).await);
}

#[tokio::test]
async fn nobody_logs_out_another_user_or_what_is_no_session() {
    let server = server().await;
    let (ada, grace) = (log_in(&server, ADA, LAPTOP).await, log_in(&server, GRACE, PHONE).await);
    let theirs = own_handle(&server, &grace).await;
    for handle in [&*theirs, "AAAAAAAAAAAAAAAAAAAAAA", "x", "..%2F..", &"a".repeat(3_000)] {
        let answer = act(&server, &format!("/sessions/{handle}/revoke"), &ada, "").await;
        assert_eq!((answer.status, &*answer.code()), (404, "not_found"), "{handle}");
        assert!(answer.sets_no_cookie());
    }
    assert!(is_in(&server, &ada).await && is_in(&server, &grace).await);
}

#[tokio::test]
async fn the_others_or_all_of_a_user_are_logged_out_and_nobody_else() {
    let server = server().await;
    let mut cookies = Vec::new();
    for _ in 0..3 {
        cookies.push(log_in(&server, ADA, LAPTOP).await);
    }
    let grace = log_in(&server, GRACE, PHONE).await;
    let answer = act(&server, "/sessions/revoke-others", &cookies[0], "").await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/sessions"]));
    let page = browse(&server, "/sessions", &cookies[0]).await;
    assert!(page.body.contains("The other 2 devices are logged out."), "{page:?}");
    let left = join_all(cookies.iter().map(|cookie| is_in(&server, cookie))).await;
    assert_eq!(left, [true, false, false]);

    server.clock.advance(Duration::from_secs(1)); // A login of the same moment is refused.
    let again = log_in(&server, ADA, PHONE).await;
    let answer = act(&server, "/logout-everywhere", &again, "").await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/"]));
    assert_eq!(answer.cookie(), "session=");
    assert!(!is_in(&server, &again).await && !is_in(&server, &cookies[0]).await);
    assert!(is_in(&server, &grace).await);
}

const ACTS: [&str; 5] = [
    "/sessions/AAAAAAAAAAAAAAAAAAAAAA/revoke",
    "/sessions/revoke-others",
    "/logout-everywhere",
    "/confirm",
    "/second-factor",
];

#[tokio::test]
async fn who_is_not_logged_in_does_nothing_and_hears_of_it_as_a_person_or_as_a_program() {
    let server = server().await;
    for path in ACTS {
        let form = format!("{PASSWORD}&code=123456");
        let answer = post(&server, path, "", &form).await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
        assert!(answer.sets_no_cookie() && !answer.code().is_empty());
        let page = post(&server, path, BROWSER, &form).await;
        assert_eq!(page.status, 401, "{path}: {page:?}");
        assert!(page.body.contains("You are not logged in any longer."), "{path}: {page:?}");
    }
    for path in ["/sessions", "/settings", "/confirm"] {
        let answer = server.send(&format!("GET {path}")).await;
        assert_eq!((answer.status, &*answer.code()), (401, "unauthenticated"), "{path}");
        let answer = browse(&server, path, "").await;
        let login = format!("/login?next={path}");
        assert_eq!((answer.status, answer.all("location")), (303, vec![&*login]));
    }
    let answer = server.send("GET /events\nAccept: text/event-stream").await;
    assert_eq!((answer.status, &*answer.code()), (401, "unauthenticated"));
    let answer = browse(&server, "/second-factor", "").await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/login"]));
}

/// Rows 26 and 27 of the project's security checklist.
#[tokio::test]
async fn a_foreign_page_presses_no_button() {
    let server = server().await;
    let (laptop, phone) = (log_in(&server, ADA, LAPTOP).await, log_in(&server, ADA, PHONE).await);
    let login = waits(&server, HEDY).await;
    let other = format!("/sessions/{}/revoke", own_handle(&server, &phone).await);
    let form = format!("{PASSWORD}&code={}", code(0));
    for origin in ["Origin: https://evil.test", "Sec-Fetch-Site: cross-site", "Origin: null"] {
        for path in ACTS.into_iter().chain([&*other]) {
            let cookie = if path == "/second-factor" { &login } else { &laptop };
            let answer = post(&server, path, &format!("{origin}\nCookie: {cookie}"), &form).await;
            assert_eq!((answer.status, &*answer.code()), (403, "cross_origin"), "{path}");
            assert!(answer.sets_no_cookie());
        }
    }
    assert!(is_in(&server, &laptop).await && is_in(&server, &phone).await);
    let answer = act(&server, "/second-factor", &login, &form).await;
    assert_eq!(answer.status, 303, "its code was not used up");
}

/// Reads until `text` has come, or the end of the stream.
async fn until(stream: &mut TcpStream, text: &str) -> String {
    let (mut read, mut part) = (Vec::new(), [0; 1_024]);
    loop {
        let more = timeout(Duration::from_secs(1), stream.read(&mut part));
        let more = more.await.expect("within a second").unwrap();
        read.extend(&part[..more]);
        let so_far = String::from_utf8_lossy(&read).into_owned();
        if more == 0 || so_far.contains(text) {
            return so_far;
        }
    }
}

#[tokio::test]
async fn an_open_stream_closes_when_its_session_ends_and_no_other_does() {
    let server = server().await;
    let (laptop, phone) = (log_in(&server, ADA, LAPTOP).await, log_in(&server, ADA, PHONE).await);
    let mut streams = Vec::new();
    for cookie in [&laptop, &phone] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /events HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let opened = until(&mut stream, "event:ready").await;
        assert!(opened.starts_with("HTTP/1.1 200") && opened.contains("text/event-stream"));
        streams.push(stream);
    }
    let path = format!("/sessions/{}/revoke", own_handle(&server, &phone).await);
    assert_eq!(act(&server, &path, &laptop, "").await.status, 303);
    // The last chunk of a body.
    let closed = until(&mut streams[1], "\r\n0\r\n\r\n").await;
    assert!(closed.contains("event:ended") && closed.ends_with("0\r\n\r\n"), "{closed:?}");
    let other = until(&mut streams[0], "\r\n0\r\n\r\n");
    let other = timeout(Duration::from_millis(200), other).await;
    assert!(other.is_err(), "the other's stays open: {other:?}");
}

#[tokio::test]
async fn the_settings_open_after_a_fresh_proof_alone() {
    let server = server().await;
    let old = log_in(&server, ADA, LAPTOP).await;
    server.clock.advance(Duration::from_secs(300));
    assert_eq!(browse(&server, "/settings", &old).await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    let answer = get(&server, "/settings", &old).await;
    assert_eq!((answer.status, &*answer.code()), (401, "not_fresh"));
    let answer = browse(&server, "/settings", &old).await;
    let confirm = "/confirm?next=/settings";
    assert_eq!((answer.status, answer.all("location")), (303, vec![confirm]));
    let page = browse(&server, confirm, &old).await;
    assert!(page.body.contains("name=\"next\" value=\"/settings\""), "{page:?}");

    for wrong in ["password=wrong&next=/settings", "password=&next=/settings"] {
        let page = act(&server, "/confirm", &old, wrong).await;
        assert_eq!(page.status, 401);
        assert!(page.body.contains("role=\"alert\"") && page.sets_no_cookie(), "{page:?}");
        assert!(page.body.contains("name=\"next\" value=\"/settings\""), "{page:?}");
    }
    let answer = act(&server, "/confirm", &old, &format!("{PASSWORD}&next=/settings")).await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/settings"]));
    let new = answer.cookie();
    assert_ne!(new, old);
    let page = browse(&server, "/settings", new).await;
    assert!(page.status == 200 && page.body.contains("Open for five minutes"), "{page:?}");
    // A request that was under way is not logged out, and not fresh either.
    assert!(is_in(&server, &old).await);
    assert_eq!(get(&server, "/settings", &old).await.code(), "not_fresh");
    server.clock.advance(Duration::from_secs(6));
    assert!(!is_in(&server, &old).await && is_in(&server, new).await);
    assert_eq!(list(&server, new).await.len(), 1, "it is the same device");
}

#[tokio::test]
async fn a_confirmation_leads_to_a_path_of_this_site_and_after_five_tries_to_429() {
    let server = server().await;
    let cookie = log_in(&server, ADA, LAPTOP).await;
    let answer = act(&server, "/confirm", &cookie, &format!("{PASSWORD}&next=//evil.test")).await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/"]));
    let cookie = answer.cookie().to_owned();
    for _ in 0..5 {
        assert_eq!(act(&server, "/confirm", &cookie, "password=wrong").await.status, 401);
    }
    let page = act(&server, "/confirm", &cookie, PASSWORD).await;
    assert_eq!((page.status, page.all("retry-after")), (429, vec!["300"]));
    assert!(page.body.contains("role=\"alert\"") && page.sets_no_cookie(), "{page:?}");
    assert!(is_in(&server, &cookie).await, "nobody is logged out by that");
    log_in(&server, ADA, PHONE).await;
}

#[tokio::test]
async fn a_login_that_asks_for_a_code_is_none_before_it() {
    let server = server().await;
    // However the name is spelled.
    for form in [HEDY.to_owned(), HEDY.replace("hedy", "+HEDY+")] {
        let login = waits(&server, &form).await;
        let page = browse(&server, "/second-factor", &login).await;
        assert!(page.status == 200 && page.body.contains("one-time-code"), "{page:?}");
        for path in ["/me", "/account", "/sessions", "/settings", "/events", "/confirm"] {
            assert_eq!(get(&server, path, &login).await.status, 401, "{path}");
        }
        // A password is no second factor.
        let password = "password=spread+over+88+frequencies";
        let answer = act(&server, "/confirm", &login, password).await;
        assert_eq!((answer.status, answer.all("location")), (303, vec!["/second-factor"]));
        assert!(answer.sets_no_cookie());
    }
    // Nor does a login that was left waiting stand in the way of who is in.
    let (ada, left) = (log_in(&server, ADA, LAPTOP).await, waits(&server, HEDY).await);
    let answer = act(&server, "/confirm", &format!("{ada}; {left}"), PASSWORD).await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/"]));
    let me = get(&server, "/me", answer.cookie()).await;
    assert!(me.body.contains("\"name\":\"ada\""), "{me:?}");

    let next = post(&server, "/login", "", &format!("{HEDY}&next=/account%3Fa=b")).await;
    let path = "/second-factor?next=%2Faccount%3Fa%3Db";
    assert_eq!((next.status, next.all("location")), (303, vec![path]));
    let page = browse(&server, path, next.cookie()).await;
    assert!(page.body.contains("name=\"next\" value=\"/account?a=b\""), "{page:?}");
    let login = next.cookie();
    let answer = act(&server, "/logout", login, "").await;
    assert_eq!(answer.status, 303);
    let answer = act(&server, "/second-factor", login, &format!("code={}", code(0))).await;
    assert_eq!(answer.status, 401, "who started over has left nothing behind");
}

#[tokio::test]
async fn each_code_works_once_and_none_that_is_older_than_one_that_did() {
    let server = server().await;
    let (first, second) = (waits(&server, HEDY).await, waits(&server, HEDY).await);
    let now = code(0);
    let spaced = format!("code={}+{}&next=/account", &now[..3], &now[3..]);
    let answer = act(&server, "/second-factor", &first, &spaced).await;
    assert_eq!((answer.status, answer.all("location")), (303, vec!["/account"]));
    let cookie = given(&answer);
    assert_eq!(cookie.len(), 1, "{answer:?}");
    let me = get(&server, "/me", &cookie[0]).await;
    assert!(me.body.contains("\"name\":\"hedy\""), "{me:?}");
    let page = browse(&server, "/settings", &cookie[0]).await;
    assert!(page.body.contains("asked for at each login"), "{page:?}");

    for used in [now, code(-1), "000000".into(), "123".into(), "x".repeat(500)] {
        let page = act(&server, "/second-factor", &second, &format!("code={used}")).await;
        assert_eq!(page.status, 401, "{used}: {page:?}");
        assert!(page.body.contains("role=\"alert\"") && page.sets_no_cookie(), "{page:?}");
    }
    // Those were five tries.
    let page = act(&server, "/second-factor", &second, &format!("code={}", code(1))).await;
    assert_eq!((page.status, page.all("retry-after").len()), (429, 1));
    assert!(page.body.contains("role=\"alert\"") && given(&page).is_empty(), "{page:?}");
    server.clock.advance(Duration::from_secs(300));
    let answer = act(&server, "/second-factor", &second, &format!("code={}", code(1))).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

#[tokio::test]
async fn of_two_logins_that_bring_one_code_at_once_one_begins() {
    let server = server().await;
    let (first, second) = (waits(&server, HEDY).await, waits(&server, HEDY).await);
    let form = format!("code={}", code(0));
    let tries = [&first, &second].map(|login| act(&server, "/second-factor", login, &form));
    let mut statuses: Vec<_> = join_all(tries).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 401]);
}
