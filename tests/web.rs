//! tests/web.rs: the outcomes of guards and acts, over a real socket. Rows are those of the
//! project's security checklist.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Mutex;
use std::time::Duration;

use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::status::Custom;
use rocket::{Build, Rocket, get, post, routes};
use rocket_identity::event::Event;
use rocket_identity::{
    Auth, Denied, Error, Identity, MaybeUser, SessionUser, User, UserId, catchers,
};
use serde::{Deserialize, Serialize};
use support::{Answer, Server, figment};
use tokio::sync::Notify;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Account {
    id: u64,
    name: String,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

fn account(id: u64) -> Account {
    Account { id, name: format!("user {id}") }
}

#[get("/public")]
fn public() -> &'static str {
    "public"
}

#[get("/me")]
fn me(user: SessionUser<Account>) -> String {
    user.name.clone()
}

#[post("/me")]
fn post_me(user: SessionUser<Account>) -> String {
    user.name.clone()
}

#[get("/maybe")]
fn maybe(user: MaybeUser<Account>) -> String {
    user.user().map_or("nobody".into(), |user| user.name.clone())
}

#[post("/maybe")]
fn post_maybe(user: MaybeUser<Account>) -> String {
    maybe(user)
}

#[get("/cached")]
fn cached(_user: SessionUser<Account>) -> (rocket::http::ContentType, CacheControl) {
    (rocket::http::ContentType::Text, CacheControl("cached"))
}

#[derive(rocket::Responder)]
struct CacheControlled {
    inner: &'static str,
    header: rocket::http::Header<'static>,
}

struct CacheControl(&'static str);

impl<'r> rocket::response::Responder<'r, 'static> for CacheControl {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let header = rocket::http::Header::new("Cache-Control", "public, max-age=3600");
        CacheControlled { inner: self.0, header }.respond_to(request)
    }
}

#[post("/login/<id>?<remember>")]
async fn login(auth: Auth<'_, Account>, id: u64, remember: bool) -> Result<String, Error> {
    auth.begin(account(id)).remember(remember).await?;
    Ok(auth.user().await?.map_or("nobody".into(), |user| user.name))
}

#[post("/login-twice")]
async fn login_twice(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.login(account(1)).await?;
    auth.login(account(2)).await?;
    Ok(())
}

#[post("/login-then/<what>")]
async fn login_then(auth: Auth<'_, Account>, what: &str) -> Result<(), Custom<()>> {
    auth.login(account(1)).await.unwrap();
    match what {
        "fail" => Err(Custom(Status::BadGateway, ())),
        "error" => Err(Custom(Status::InternalServerError, ())),
        _ => panic!("on purpose"),
    }
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Account>) -> Result<String, Error> {
    auth.logout().await?;
    Ok(auth.user().await?.map_or("nobody".into(), |user| user.name))
}

#[get("/logout")]
fn get_logout() -> &'static str {
    "a form with a button"
}

#[post("/logout-everywhere")]
async fn logout_everywhere(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout_everywhere().await
}

/// What a password change does.
#[post("/renew")]
async fn renew(auth: Auth<'_, Account>) -> Result<(), Error> {
    let user = auth.user().await?.expect("logged in");
    auth.logout_everywhere().await?;
    auth.login(user).await.map(drop)
}

#[post("/slow")]
async fn slow(auth: Auth<'_, Account>, user: SessionUser<Account>) -> Result<String, Error> {
    SLOW_IS_IN.notify_one();
    SLOW_MAY_GO.notified().await;
    auth.login(user.into_inner()).await?;
    Ok("logged in".into())
}

static SLOW_IS_IN: Notify = Notify::const_new();
static SLOW_MAY_GO: Notify = Notify::const_new();

/// A guard of the application's around ours, which no sentinel sees.
struct Wrapped;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Wrapped {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        request.guard::<SessionUser<Account>>().await.map(|_| Wrapped)
    }
}

#[get("/wrapped")]
fn wrapped(_guard: Wrapped) {}

fn app(profile: &str) -> Rocket<Build> {
    let routes = routes![
        public,
        me,
        post_me,
        maybe,
        post_maybe,
        cached,
        login,
        login_twice,
        login_then,
        logout,
        get_logout,
        logout_everywhere,
        renew,
        slow,
        wrapped
    ];
    rocket::custom(figment(profile).merge(("identity.login_path", "/login")))
        .attach(Identity::<Account>::sessions())
        .register("/", catchers())
        .mount("/", routes)
}

async fn server() -> Server {
    Server::start(app("release")).await
}

async fn does_not_launch(rocket: Rocket<Build>) -> bool {
    // Rocket's error panics when nobody looked at it.
    rocket.ignite().await.is_err_and(|error| !format!("{:?}", error.kind()).is_empty())
}

async fn log_in(server: &Server, id: u64) -> String {
    server.send(&format!("POST /login/{id}")).await.cookie().to_owned()
}

async fn get(server: &Server, path: &str, cookie: &str) -> Answer {
    server.send(&format!("GET {path}\nCookie: {cookie}")).await
}

/// Rows 5, 6 and 21.
#[tokio::test]
async fn a_login_sets_one_cookie_with_every_flag_and_no_lifetime() {
    let server = server().await;
    let answer = server.send("POST /login/1").await;
    assert_eq!((answer.status, &*answer.body), (200, "user 1"));
    let (name, value) = answer.cookie().split_once('=').unwrap();
    assert_eq!((name, value.len()), ("__Host-session", 66));
    let flags: Vec<_> = answer.all("set-cookie")[0].split("; ").skip(1).collect();
    assert_eq!(flags, ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"]);
    assert_eq!(get(&server, "/me", answer.cookie()).await.body, "user 1");
}

#[tokio::test]
async fn in_profile_debug_the_cookie_is_one_that_plain_http_browsers_and_curl_keep() {
    let server = Server::start(app("debug")).await;
    let answer = server.send("POST /login/1").await;
    assert!(answer.cookie().starts_with("session="));
    let flags: Vec<_> = answer.all("set-cookie")[0].split("; ").skip(1).collect();
    assert_eq!(flags, ["HttpOnly", "SameSite=Lax", "Path=/"]);
    assert_eq!(get(&server, "/me", answer.cookie()).await.body, "user 1");
}

#[tokio::test]
async fn a_remembered_login_says_its_lifetime_once_and_outlives_the_idle_time() {
    let server = server().await;
    let answer = server.send("POST /login/1?remember=true").await;
    assert!(answer.all("set-cookie")[0].contains("; Max-Age=2592000"), "{answer:?}");
    server.clock.advance(Duration::from_secs(29 * 24 * 60 * 60));
    let later = get(&server, "/me", answer.cookie()).await;
    assert!(later.status == 200 && later.sets_no_cookie());
    server.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(get(&server, "/me", answer.cookie()).await.status, 401);
}

/// Row 9, over the wire; a hand-set cookie stays dead because the server keeps the time.
#[tokio::test]
async fn a_session_ends_after_half_an_hour_of_silence_and_a_day_of_use() {
    let server = server().await;
    let (used, silent) = (log_in(&server, 1).await, log_in(&server, 1).await);
    for _ in 0..71 {
        server.clock.advance(Duration::from_secs(20 * 60));
        let answer = get(&server, "/me", &used).await;
        assert!(answer.status == 200 && answer.sets_no_cookie());
    }
    assert_eq!(get(&server, "/me", &silent).await.status, 401);
    server.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(get(&server, "/me", &used).await.status, 401);
}

/// Row 7: a prefix that only Rocket's jar sees, and a name that is there twice.
#[tokio::test]
async fn a_tossed_cookie_neither_passes_for_ours_nor_hides_it() {
    let server = server().await;
    let (victim, attacker) = (log_in(&server, 1).await, log_in(&server, 2).await);
    let value = attacker.strip_prefix("__Host-session=").unwrap();
    for name in [
        "%5F%5FHost-session",
        "__%48ost-session",
        "\u{2000}__Host-session",
        "\u{a0}__Host-session",
        "\u{85}__Host-session",
        "\u{3000}__Host-session",
        "\u{2028}__Host-session",
        "__host-session",
        "__Host-Session",
        "session",
    ] {
        let tossed = format!("{name}={value}");
        assert_eq!(get(&server, "/me", &tossed).await.status, 401, "{name:?}");
        for both in [format!("{victim}; {tossed}"), format!("{tossed}; {victim}")] {
            assert_eq!(get(&server, "/me", &both).await.body, "user 1", "{name:?}");
        }
    }
    for both in [format!("{victim}; {attacker}"), format!("{attacker}; {victim}")] {
        let answer = get(&server, "/me", &both).await;
        assert_eq!((answer.status, &*answer.code()), (401, "session_invalid"));
        let fields = both.replace("; ", "\nCookie: ");
        assert_eq!(get(&server, "/me", &fields).await.status, 401, "two fields");
    }
    let fields = format!("theme=dark\nCookie: {victim}\nCookie: lang=en");
    assert_eq!(get(&server, "/me", &fields).await.body, "user 1");
}

/// Row 7, over HTTP/2, whose clients send one field for each cookie.
#[tokio::test]
async fn over_http_2_several_cookie_fields_are_one_list() {
    let server = server().await;
    let (ours, other) = (log_in(&server, 1).await, log_in(&server, 2).await);
    let send = async |cookies: &[&str]| {
        let fields: Vec<_> = cookies.iter().map(|cookie| ("cookie", *cookie)).collect();
        server.send_h2("GET", "/me", &fields).await
    };
    let answer = send(&["a=b", &ours, "c=d"]).await;
    assert_eq!((answer.status, &*answer.body), (200, "user 1"));
    assert_eq!(send(&[&ours, &other]).await.status, 401);
    assert_eq!(send(&["a=b", &format!("%5F%5FHost-{}", &other[7..])]).await.status, 401);
    let login = server.send_h2("POST", "/login/3", &[("cookie", &*ours), ("cookie", "a=b")]).await;
    assert_eq!(login.status, 200);
    assert_eq!(send(&[&ours]).await.status, 401, "the presented session was kept");
    assert_eq!(send(&[login.cookie()]).await.body, "user 3");
    let origin = ("origin", "https://evil.test");
    assert_eq!(server.send_h2("POST", "/logout", &[origin]).await.status, 403);
    let authority = format!("http://{}", server.address);
    assert_eq!(server.send_h2("POST", "/logout", &[("origin", &authority)]).await.status, 200);
}

/// Row 8.
#[tokio::test]
async fn a_ticket_is_read_from_the_cookie_and_from_nowhere_else() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    let value = cookie.strip_prefix("__Host-session=").unwrap();
    for head in [
        format!("GET /me?__Host-session={value}&session={value}&id={value}"),
        format!("GET /me\nAuthorization: Bearer {value}"),
        format!("GET /me\nX-Session: {value}\n__Host-session: {value}"),
        format!("GET /me\nSet-Cookie: {cookie}\nCookie2: {cookie}"),
    ] {
        assert_eq!(server.send(&head).await.status, 401, "{head}");
    }
    let form = format!("session={value}&__Host-session={value}");
    let head = "POST /me\nContent-Type: application/x-www-form-urlencoded";
    assert_eq!(server.send_bytes(head, form.as_bytes()).await.status, 401);
}

/// Rows 1, 2 and 90: bad input is 401 or anonymous, never a 5xx.
#[tokio::test]
async fn a_malformed_or_unknown_cookie_is_401_or_nobody() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    let foreign = log_in(&server, 2).await;
    let value = &cookie[15..];
    let cases = [
        String::new(),
        "x".into(),
        value[..65].into(),
        format!("{value}A"),
        format!("\"{value}\""),
        format!("{value} {value}"),
        format!("{value}, {value}"),
        value.replace('.', "%2E"),
        value.replace('.', "é"),
        format!("{}{}", &value[..43], &foreign[58..]),
        format!("{}{}", "A".repeat(43), &value[43..]),
        "A".repeat(60_000),
        "\u{1}\u{2}".into(),
    ];
    for case in &cases {
        let cookie = format!("__Host-session={case}");
        for (path, status) in [("/me", 401), ("/maybe", 200)] {
            let answer = get(&server, path, &cookie).await;
            let answered =
                (answer.status == status) || (answer.status == 400 && case.contains('\u{1}'));
            assert!(answered, "{path} {case:?}: {answer:?}");
            assert!(answer.sets_no_cookie());
        }
    }
    // Not UTF-8: Rocket drops the field, so there is no credential.
    let mut raw = b"GET /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: ".to_vec();
    raw.extend(cookie.bytes().chain(*b"; x=\xff\r\n\r\n"));
    assert_eq!(server.exchange(&raw).await.status, 401);
}

/// Row 3 and fixation F3 to F5: what was presented is ended, and never adopted.
#[tokio::test]
async fn a_login_never_keeps_the_ticket_that_it_presents() {
    let server = server().await;
    let old = log_in(&server, 1).await;
    let again = server.send(&format!("POST /login/1\nCookie: {old}")).await.cookie().to_owned();
    assert_ne!(old, again);
    assert_eq!(get(&server, "/me", &old).await.status, 401);
    let grace = server.send(&format!("POST /login/2\nCookie: {again}")).await;
    assert_eq!(get(&server, "/me", &again).await.status, 401);
    assert_eq!(get(&server, "/me", grace.cookie()).await.body, "user 2");
    // Row 4: a well-formed ticket that nobody issued.
    let offered = format!("__Host-session={}.{}", "A".repeat(43), "A".repeat(22));
    let login = server.send(&format!("POST /login/1\nCookie: {offered}")).await;
    assert_ne!(login.cookie(), offered);
    assert_eq!(get(&server, "/me", &offered).await.status, 401);
}

#[tokio::test]
async fn two_logins_in_one_request_leave_one_session_and_one_cookie() {
    let server = server().await;
    let answer = server.send("POST /login-twice").await;
    assert_eq!(get(&server, "/me", answer.cookie()).await.body, "user 2");
}

/// Design, point 7: the session exists, so its cookie rides on whatever response follows.
#[tokio::test]
async fn a_login_whose_handler_then_fails_or_panics_still_hands_out_its_cookie() {
    let server = server().await;
    for (what, status) in [("fail", 502), ("error", 500), ("panic", 500)] {
        let answer = server.send(&format!("POST /login-then/{what}")).await;
        assert_eq!(answer.status, status, "{what}");
        assert!(answer.list("cache-control").contains(&"no-store"));
        assert_eq!(get(&server, "/me", answer.cookie()).await.body, "user 1", "{what}");
    }
}

/// Rows 11 and 12.
#[tokio::test]
async fn after_a_logout_the_cookie_is_cleared_with_its_attributes_and_never_works_again() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    let answer = server.send(&format!("POST /logout\nCookie: {cookie}")).await;
    assert_eq!((answer.status, &*answer.body), (200, "nobody"));
    let cleared = "__Host-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; \
                   Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(answer.all("set-cookie"), [cleared]);
    assert_eq!(get(&server, "/me", &cookie).await.status, 401);
    // Without a session and without a cookie as well.
    for head in [format!("POST /logout\nCookie: {cookie}"), "POST /logout".into()] {
        assert_eq!(server.send(&head).await.all("set-cookie"), [cleared]);
    }
}

#[tokio::test]
async fn a_logout_ends_both_sessions_of_a_cookie_that_is_there_twice() {
    let server = server().await;
    let (one, two) = (log_in(&server, 1).await, log_in(&server, 2).await);
    server.send(&format!("POST /logout\nCookie: {one}; {two}")).await;
    for cookie in [&one, &two] {
        assert_eq!(get(&server, "/me", cookie).await.status, 401);
    }
}

/// Row 14: a login under way when everything is revoked does not come back.
#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_and_refuses_the_login_under_way() {
    let server = server().await;
    let (phone, laptop, other) =
        (log_in(&server, 1).await, log_in(&server, 1).await, log_in(&server, 2).await);
    let slow = async { server.send(&format!("POST /slow\nCookie: {phone}")).await };
    let revoke = async {
        SLOW_IS_IN.notified().await;
        server.clock.advance(Duration::from_secs(2));
        let answer = server.send(&format!("POST /logout-everywhere\nCookie: {laptop}")).await;
        SLOW_MAY_GO.notify_one();
        answer
    };
    let (slow, revoked) = tokio::join!(slow, revoke);
    assert_eq!(revoked.status, 200);
    assert!(revoked.cookie().ends_with('='));
    assert_eq!((slow.status, &*slow.code()), (409, "revoked_meanwhile"));
    assert!(slow.sets_no_cookie());
    for (cookie, status) in [(&phone, 401), (&laptop, 401), (&other, 200)] {
        assert_eq!(get(&server, "/me", cookie).await.status, status);
    }
    server.clock.advance(Duration::from_secs(2));
    let again = log_in(&server, 1).await;
    assert_eq!(get(&server, "/me", &again).await.status, 200);
}

#[tokio::test]
async fn a_request_may_end_all_sessions_and_log_in_again() {
    let server = server().await;
    let (here, there) = (log_in(&server, 1).await, log_in(&server, 1).await);
    let answer = server.send(&format!("POST /renew\nCookie: {here}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(get(&server, "/me", answer.cookie()).await.status, 200);
    for cookie in [here, there] {
        assert_eq!(get(&server, "/me", &cookie).await.status, 401);
    }
}

/// "What it answers has happened": an idle browser and a doubled cookie end nothing, and say so.
#[tokio::test]
async fn logging_out_everywhere_without_a_session_is_401_and_not_a_success() {
    let server = server().await;
    let (idle, live) = (log_in(&server, 1).await, log_in(&server, 1).await);
    for _ in 0..2 {
        server.clock.advance(Duration::from_secs(16 * 60));
        get(&server, "/me", &live).await;
    }
    for cookie in [idle, format!("{live}; {live}"), "theme=dark".into()] {
        let answer = server.send(&format!("POST /logout-everywhere\nCookie: {cookie}")).await;
        assert_eq!(answer.status, 401, "{cookie}");
        assert!(answer.sets_no_cookie());
    }
    assert_eq!(get(&server, "/me", &live).await.status, 200);
}

#[tokio::test]
async fn a_ticket_that_only_names_a_user_ends_nothing_of_theirs() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    let forged = format!("__Host-session={}{}", "A".repeat(43), &cookie[58..]);
    for path in ["/logout-everywhere", "/logout"] {
        server.send(&format!("POST {path}\nCookie: {forged}")).await;
        assert_eq!(get(&server, "/me", &cookie).await.status, 200, "{path}");
    }
}

/// Rows 22 to 24, 26 and 27: cross-site, in every content type, nothing happens and nothing is set.
#[tokio::test]
async fn a_cross_site_login_or_logout_is_403_and_sets_nothing() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    let hostile = [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: x",
        "Origin: https://evil.test",
        "Origin: null",
        "Sec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site",
        "Origin: https://evil.test\nOrigin: https://evil.test",
    ];
    let types = [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/json",
        "",
    ];
    for hostile in hostile {
        for kind in types {
            for path in ["/login/2", "/logout", "/me", "/maybe", "/logout-everywhere"] {
                let head =
                    format!("POST {path}\nCookie: {cookie}\nContent-Type: {kind}\n{hostile}");
                let answer = server.send_bytes(&head, b"a=b").await;
                assert_eq!((answer.status, &*answer.code()), (403, "cross_origin"), "{head}");
                assert!(answer.sets_no_cookie() && answer.all("clear-site-data").is_empty());
            }
        }
        let head = format!("POST /login/2\n{hostile}");
        assert_eq!(server.send(&head).await.status, 403, "without any cookie: {hostile}");
    }
    assert_eq!(get(&server, "/me", &cookie).await.status, 200);
    // `_method` rewrites before any fairing runs; the rewritten method is unsafe as well.
    let head = format!(
        "POST /me\nCookie: {cookie}\nOrigin: https://evil.test\nContent-Type: application/x-www-form-urlencoded"
    );
    for method in ["put", "patch", "delete"] {
        let answer = server.send_bytes(&head, format!("_method={method}").as_bytes()).await;
        assert!([403, 404, 405].contains(&answer.status), "{method}: {answer:?}");
    }
    // An upgrade is a GET that opens a door.
    let upgrade =
        format!("GET /me\nCookie: {cookie}\nOrigin: https://evil.test\nUpgrade: websocket");
    assert_eq!(server.send(&upgrade).await.status, 403);
}

#[tokio::test]
async fn a_request_of_this_site_of_a_listed_one_or_of_no_page_passes() {
    let figment = figment("release").merge(("identity.origins", ["https://spa.test"]));
    let routes = routes![login, me, post_me];
    let rocket = rocket::custom(figment).attach(Identity::<Account>::sessions()).mount("/", routes);
    let server = Server::start(rocket).await;
    for fields in [
        String::new(),
        "Sec-Fetch-Site: same-origin".into(),
        "Sec-Fetch-Site: none".into(),
        format!("Origin: http://{}", server.address),
        "Host: app.test\nOrigin: https://app.test".into(),
        "Host: app.test:8443\nOrigin: https://APP.test:8443".into(),
        "Origin: https://spa.test".into(),
        "Origin: https://spa.test\nSec-Fetch-Site: cross-site".into(),
    ] {
        let answer = server.send(&format!("POST /login/1\n{fields}")).await;
        assert_eq!(answer.status, 200, "{fields}");
        let head = format!("POST /me\nCookie: {}\n{fields}", answer.cookie());
        assert_eq!(server.send(&head).await.body, "user 1", "{fields}");
    }
}

/// A foreign page cannot make a request with no credential fail otherwise than without the page.
#[tokio::test]
async fn a_cross_site_post_without_a_cookie_is_simply_anonymous() {
    let server = server().await;
    let answer = server.send("POST /maybe\nOrigin: https://evil.test").await;
    assert_eq!((answer.status, &*answer.body), (200, "nobody"));
    assert_eq!(server.send("POST /me\nOrigin: https://evil.test").await.status, 401);
}

/// Rows 17, 19 and 32.
#[tokio::test]
async fn each_response_says_who_may_keep_it() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    let with = |head: &str| format!("{head}\nCookie: {cookie}");
    // (request, varies by Cookie, must not be stored)
    let cases = [
        ("GET /public".to_owned(), false, false),
        (with("GET /public"), false, false),
        ("GET /maybe".into(), true, false),
        (with("GET /maybe"), true, true),
        (with("GET /me"), true, true),
        ("GET /me".into(), true, true),
        ("GET /me\nAccept: text/html".into(), true, true),
        ("HEAD /me\nAccept: text/html".into(), true, true),
        ("GET /me\nCookie: __Host-session=x".into(), true, true),
        ("GET /maybe\nCookie: __Host-session=x".into(), true, true),
        (with("POST /me\nOrigin: https://evil.test"), true, true),
        ("POST /login/1".into(), true, true),
        ("POST /logout".into(), true, true),
    ];
    for (head, varies, private) in &cases {
        let answer = server.send(head).await;
        assert_eq!(answer.list("vary").contains(&"Cookie"), *varies, "{head}: {answer:?}");
        assert_eq!(
            answer.list("cache-control").contains(&"no-store"),
            *private,
            "{head}: {answer:?}"
        );
        let by_origin = head.starts_with("POST");
        assert_eq!(answer.list("vary").contains(&"Sec-Fetch-Site"), by_origin, "{head}");
        assert_eq!(answer.sets_no_cookie(), !head.starts_with("POST /log"), "{head}");
    }
    // An application's own laxer word on a guarded page gives way.
    assert_eq!(get(&server, "/cached", &cookie).await.all("cache-control"), ["no-store"]);
    // The touch of a request that the handler knows nothing of.
    server.clock.advance(Duration::from_secs(200));
    assert!(get(&server, "/me", &cookie).await.list("cache-control").contains(&"no-store"));
}

/// Row 17, where the application answers by catchers of its own.
#[tokio::test]
async fn a_refusal_is_not_stored_whoever_catches_it() {
    let fairing = Identity::<Account>::sessions();
    let rocket = rocket::custom(figment("release")).attach(fairing).mount("/", routes![me]);
    let server = Server::start(rocket).await;
    let answer = server.send("GET /me").await;
    assert_eq!((answer.status, answer.all("cache-control")), (401, vec!["no-store"]));
}

#[tokio::test]
async fn a_browser_without_a_user_is_led_to_the_login_and_a_program_gets_a_problem() {
    let server = server().await;
    for (accept, led) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", true),
        ("text/html;q=0.5, application/json;q=0.4", true),
        ("text/html;q=0.5, application/json", false),
        ("application/json", false),
        ("*/*", false),
        ("text/*", false),
        ("text/html;q=0", false),
    ] {
        let answer = server.send(&format!("GET /me?a=b\nAccept: {accept}")).await;
        match led {
            true => {
                assert_eq!(
                    (answer.status, answer.all("location")),
                    (303, vec!["/login?next=/me%3Fa%3Db"])
                );
            }
            false => {
                assert_eq!((answer.status, &*answer.code()), (401, "unauthenticated"), "{accept}");
            }
        }
        assert!(answer.list("vary").contains(&"Accept"));
    }
    assert_eq!(server.send("HEAD /me\nAccept: text/html").await.status, 303);
    let answer = server.send("POST /me\nAccept: text/html").await;
    assert_eq!(answer.status, 401, "a POST is not led away from");
    assert!(answer.all("www-authenticate").is_empty(), "a bearer would not be accepted");
    // What was asked for can only be a path of this site.
    let answer = server.send("GET //evil.test/me\nAccept: text/html").await;
    assert!(!answer.all("location").iter().any(|to| to.contains("evil")), "{answer:?}");
}

#[tokio::test]
async fn a_head_request_is_guarded_like_its_get() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    let answer = server.send(&format!("HEAD /me\nCookie: {cookie}")).await;
    assert!(answer.status == 200 && answer.body.is_empty());
    assert_eq!(server.send("HEAD /me").await.status, 401);
}

/// Row 25.
#[tokio::test]
async fn a_get_of_the_logout_page_ends_nothing() {
    let server = server().await;
    let cookie = log_in(&server, 1).await;
    assert!(get(&server, "/logout", &cookie).await.sets_no_cookie());
    assert_eq!(get(&server, "/me", &cookie).await.status, 200);
}

#[tokio::test]
async fn a_guard_whose_fairing_is_missing_stops_the_launch_or_answers_500_with_a_code() {
    for routes in [routes![me], routes![maybe], routes![logout]] {
        let rocket = rocket::custom(figment("debug")).mount("/", routes);
        assert!(does_not_launch(rocket).await);
    }
    let rocket =
        rocket::custom(figment("debug")).register("/", catchers()).mount("/", routes![wrapped]);
    let server = Server::start(rocket).await;
    let answer = server.send("GET /wrapped").await;
    assert_eq!((answer.status, &*answer.code()), (500, "fairing_missing"));
}

#[derive(Clone, Serialize, Deserialize)]
struct Admin {
    id: u64,
}

impl User for Admin {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[post("/admin/login/<id>")]
async fn admin_login(auth: Auth<'_, Admin>, id: u64) -> Result<(), Error> {
    auth.login(Admin { id }).await.map(drop)
}

#[get("/admin")]
fn admin(user: SessionUser<Admin>) -> String {
    user.id.to_string()
}

#[tokio::test]
async fn two_kinds_of_users_do_not_pass_for_each_other() {
    let admins = Identity::<Admin>::sessions().named("admin");
    let figment = figment("release").merge(("identity.named.admin.session.idle", "5m"));
    let rocket = rocket::custom(figment)
        .attach(Identity::<Account>::sessions())
        .attach(admins)
        .register("/", catchers())
        .mount("/", routes![login, logout, me, admin_login, admin]);
    let server = Server::start(rocket).await;
    let customer = log_in(&server, 1).await;
    let admin = server.send("POST /admin/login/1").await.cookie().to_owned();
    assert!(admin.starts_with("__Host-admin-session="));
    let both = format!("{customer}; {admin}");
    assert_eq!(get(&server, "/me", &both).await.body, "user 1");
    assert_eq!(get(&server, "/admin", &both).await.body, "1");
    let crossed = format!("__Host-admin-session={}", &customer[15..]);
    assert_eq!(get(&server, "/admin", &crossed).await.status, 401);
    server.send(&format!("POST /logout\nCookie: {both}")).await;
    assert_eq!(get(&server, "/admin", &both).await.status, 200, "another kind's session was ended");
    // The named table lies over the common one.
    let customer = log_in(&server, 1).await;
    server.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(get(&server, "/me", &customer).await.status, 200);
    assert_eq!(get(&server, "/admin", &both).await.status, 401);
}

/// RI011.
#[tokio::test]
async fn two_fairings_of_one_name_or_one_user_type_do_not_launch() {
    let same_name = app("debug").attach(Identity::<Admin>::sessions());
    let same_type = app("debug").attach(Identity::<Account>::sessions().named("b"));
    let bad_name = Identity::<Account>::sessions().named("a b");
    let bad_name = rocket::custom(figment("debug")).attach(bad_name);
    for rocket in [same_name, same_type, bad_name] {
        assert!(does_not_launch(rocket).await);
    }
}

/// Row 92.
#[tokio::test]
async fn the_application_hears_of_each_event_and_of_no_secret() {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let fairing = Identity::<Account>::sessions().on_event(|event: &Event| {
        let user = event.user_id().map(|id| id.to_string());
        HEARD.lock().unwrap().push(format!("{} {:?} {user:?}", event.name(), event.reason_code()));
    });
    let routes = routes![login, logout, me, logout_everywhere];
    let server =
        Server::start(rocket::custom(figment("release")).attach(fairing).mount("/", routes)).await;
    let cookie = log_in(&server, 1).await;
    server.send(&format!("POST /logout\nCookie: {cookie}")).await;
    get(&server, "/me", &cookie).await;
    get(&server, "/me", "theme=dark").await;
    server.send("POST /login/1\nOrigin: https://evil.test").await;
    let cookie = log_in(&server, 7).await;
    server.send(&format!("POST /logout-everywhere\nCookie: {cookie}")).await;
    let heard = HEARD.lock().unwrap();
    assert_eq!(
        *heard,
        [
            "identity.login None Some(\"1\")",
            "identity.logout None None",
            "identity.refused Some(\"session_invalid\") None",
            "identity.refused Some(\"cross_origin\") None",
            "identity.login None Some(\"7\")",
            "identity.logout_everywhere None Some(\"7\")",
        ]
    );
}

#[tokio::test]
async fn every_lifetime_and_bound_is_the_configured_one() {
    let session = rocket::figment::util::map! {
        "idle" => "2s", "absolute" => "5s", "remember" => "90s",
    };
    let settings = figment("release")
        .merge(("identity.session", session))
        .merge(("identity.session.max_per_user", 2));
    let rocket = rocket::custom(settings)
        .attach(Identity::<Account>::sessions())
        .register("/", catchers())
        .mount("/", routes![login, me]);
    let server = Server::start(rocket).await;
    let first = log_in(&server, 1).await;
    // Which of two logins of one millisecond is the older is anybody's guess.
    server.clock.advance(Duration::from_millis(1));
    let second = log_in(&server, 1).await;
    let third = server.send("POST /login/1?remember=true").await;
    assert!(third.all("set-cookie")[0].contains("; Max-Age=90"), "{third:?}");
    assert_eq!(get(&server, "/me", &first).await.status, 401, "max_per_user = 2");
    for alive in [true, true, true, true, false] {
        server.clock.advance(Duration::from_secs(1));
        assert_eq!(get(&server, "/me", &second).await.status == 200, alive, "absolute = 5s");
    }
    server.clock.advance(Duration::from_secs(84));
    assert_eq!(get(&server, "/me", third.cookie()).await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(get(&server, "/me", third.cookie()).await.status, 401, "remember = 90s");
    let idle = log_in(&server, 1).await;
    server.clock.advance(Duration::from_secs(2));
    assert_eq!(get(&server, "/me", &idle).await.status, 401, "idle = 2s");
}

#[get("/facts")]
fn facts(user: SessionUser<Account>) -> String {
    let session = user.session();
    format!("{:?} {:?}", session.user_agent(), session.address())
}

/// Row 85: what a client says of its own address is not believed.
#[tokio::test]
async fn a_session_remembers_the_agent_and_the_peer_and_no_forged_address() {
    let rocket = app("release").mount("/", routes![facts]);
    let server = Server::start(rocket).await;
    let head = "POST /login/1\nUser-Agent: browser/1\nX-Real-IP: 6.6.6.6\nX-Forwarded-For: 6.6.6.6";
    let cookie = server.send(head).await.cookie().to_owned();
    let facts = get(&server, "/facts", &cookie).await.body;
    assert_eq!(facts, "Some(\"browser/1\") Some(127.0.0.1)");
}

#[rocket::catch(401)]
fn own_catcher(request: &Request<'_>) -> String {
    match Denied::of(request) {
        Some(denied) => format!("{} {:?} {}", denied.code(), denied.fairing(), denied.status()),
        None => "not ours".into(),
    }
}

#[get("/key", rank = 1)]
fn key_of_a_user(_user: SessionUser<Account>) {}

#[get("/key", rank = 2)]
fn key_of_a_program() -> Status {
    Status::Unauthorized
}

#[tokio::test]
async fn a_catcher_of_the_application_reads_the_reason_and_only_of_the_route_that_answers() {
    let rocket = rocket::custom(figment("release"))
        .attach(Identity::<Account>::sessions())
        .attach(Identity::<Admin>::sessions().named("admin"))
        .register("/", rocket::catchers![own_catcher])
        .mount("/", routes![me, admin, key_of_a_user, key_of_a_program]);
    let server = Server::start(rocket).await;
    let unauthorized = Status::Unauthorized;
    let said = server.send("GET /me").await.body;
    assert_eq!(said, format!("unauthenticated Some(\"\") {unauthorized}"));
    let said = get(&server, "/admin", "__Host-admin-session=x").await.body;
    assert_eq!(said, format!("session_invalid Some(\"admin\") {unauthorized}"));
    // The first route forwarded; the second one's 401 is the application's own.
    assert_eq!(server.send("GET /key").await.body, "not ours");
}

/// A guard of the application's that reads the user table before `Auth` comes.
struct ReadsTheTable;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for ReadsTheTable {
    type Error = ();

    async fn from_request(_: &'r Request<'_>) -> Outcome<Self, ()> {
        EARLY_IS_IN.notify_one();
        EARLY_MAY_GO.notified().await;
        Outcome::Success(ReadsTheTable)
    }
}

static EARLY_IS_IN: Notify = Notify::const_new();
static EARLY_MAY_GO: Notify = Notify::const_new();

#[post("/early")]
async fn early(_table: ReadsTheTable, auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.login(account(1)).await.map(drop)
}

/// The request's beginning counts, not the moment that the first guard of ours ran.
#[tokio::test]
async fn a_login_whose_user_was_read_before_a_revocation_is_refused() {
    let server = Server::start(app("release").mount("/", routes![early])).await;
    let cookie = log_in(&server, 1).await;
    let login = async { server.send("POST /early").await };
    let revoke = async {
        EARLY_IS_IN.notified().await;
        server.clock.advance(Duration::from_secs(2));
        server.send(&format!("POST /logout-everywhere\nCookie: {cookie}")).await;
        EARLY_MAY_GO.notify_one();
    };
    let (login, ()) = tokio::join!(login, revoke);
    assert_eq!((login.status, &*login.code()), (409, "revoked_meanwhile"));
}
