//! src/web/tests.rs: what guards and acts answer when a store fails: faults that the memory store cannot
//! have, given to them by a store that has nothing else.

mod fault;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use rocket::http::{Cookie, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{get, post, routes};
use serde::{Deserialize, Serialize};

use self::fault::Fault;
use super::*;
use crate::clock::Clock;
use crate::error::Error;
use crate::event::Event;
use crate::memory::Memory;
use crate::session::spy::Spy;
use crate::ticket::{Tag, Ticket};
use crate::user::{User, UserId};

#[derive(Clone, Serialize, Deserialize)]
struct Account {
    id: u64,
}

impl User for Account {
    const VERSION: u32 = 3;

    fn id(&self) -> UserId {
        self.id.into()
    }
}

/// A user that serializes to what it cannot be read from.
#[derive(Clone, Serialize, Deserialize)]
struct OneWay {
    #[serde(skip_serializing)]
    id: u64,
}

impl User for OneWay {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[get("/me")]
fn me(_user: SessionUser<Account>) {}

#[get("/maybe")]
fn maybe(user: MaybeUser<Account>) -> &'static str {
    user.user().map_or("nobody", |_| "somebody")
}

#[get("/option")]
fn option(_user: Option<SessionUser<Account>>) {}

#[post("/login")]
async fn login(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.login(Account { id: 1 }).await.map(drop)
}

#[post("/login-twice")]
async fn login_twice(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.login(Account { id: 1 }).await?;
    auth.login(Account { id: 2 }).await.map(drop)
}

#[post("/login-one-way")]
async fn login_one_way(auth: Auth<'_, OneWay>) -> Result<(), Error> {
    auth.login(OneWay { id: 1 }).await.map(drop)
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout().await
}

#[post("/logout-everywhere")]
async fn logout_everywhere(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout_everywhere().await
}

async fn client(fault: Fault) -> Client {
    let routes = routes![me, maybe, option, login, login_one_way, logout, logout_everywhere];
    let rocket = rocket::custom(rocket::Config::debug_default())
        .attach(Identity::<Account>::sessions().on_store(Arc::new(fault)))
        .attach(Identity::<OneWay>::sessions().named("one-way"))
        .register("/", catchers())
        .mount("/", routes);
    Client::untracked(rocket).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the browser's side of a test")]
fn cookie() -> Cookie<'static> {
    let ticket = Ticket::random(Tag::of("", &UserId::from(1))).unwrap();
    Cookie::new("session", ticket.reveal().to_string())
}

async fn code(response: LocalResponse<'_>) -> (Status, String) {
    let status = response.status();
    let problem: serde_json::Value = response.into_json().await.unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

fn away() -> (Status, String) {
    (Status::ServiceUnavailable, "store_unavailable".to_owned())
}

type Guard = SessionUser<Account>;

#[get("/ten?<_a>")]
#[expect(clippy::too_many_arguments, reason = "that is the point")]
fn ten(
    _g1: Guard,
    _g2: Guard,
    _g3: Guard,
    _g4: Guard,
    _g5: Guard,
    _g6: Guard,
    _g7: Guard,
    _g8: MaybeUser<Account>,
    _g9: MaybeUser<Account>,
    _a: Option<u8>,
    _g10: Auth<'_, Account>,
) {
}

#[rocket::async_test]
async fn ten_guards_cost_one_look_up_and_a_stranger_none() {
    let store = Arc::new(Spy::over(Arc::new(Memory::new(10, Clock::system()))));
    let rocket = rocket::custom(rocket::Config::debug_default())
        .attach(Identity::<Account>::sessions().on_store(store.clone()))
        .mount("/", routes![ten, maybe, login]);
    let client = Client::tracked(rocket).await.unwrap();
    let reads = || store.reads.load(Ordering::SeqCst);
    client.get("/ten").dispatch().await;
    client.get("/maybe").dispatch().await;
    client.get("/ten").header(rocket::http::Header::new("Cookie", "session=x")).dispatch().await;
    let foreign =
        client.post("/login").header(rocket::http::Header::new("Origin", "https://evil.test"));
    assert_eq!(foreign.dispatch().await.status(), Status::Forbidden);
    assert_eq!(client.post("/login").dispatch().await.status(), Status::Ok);
    assert_eq!(reads(), 0, "nothing needed a read so far");
    assert_eq!(client.get("/ten").dispatch().await.status(), Status::Ok);
    assert_eq!(reads(), 1);
}

#[rocket::async_test]
async fn the_second_login_of_a_request_ends_the_session_of_the_first() {
    let store = Arc::new(Spy::over(Arc::new(Memory::new(10, Clock::system()))));
    let rocket = rocket::custom(rocket::Config::debug_default())
        .attach(Identity::<Account>::sessions().on_store(store.clone()))
        .mount("/", routes![login_twice]);
    let client = Client::tracked(rocket).await.unwrap();
    assert_eq!(client.post("/login-twice").dispatch().await.status(), Status::Ok);
    assert_eq!(store.ends.load(Ordering::SeqCst), 1);
}

/// Row 90 of the security checklist: an outage is 503, never "anonymous", and clears no cookie.
#[rocket::async_test]
async fn with_the_store_away_a_cookie_is_503_and_no_cookie_is_nobody() {
    let client = client(Fault::Away).await;
    for path in ["/me", "/maybe"] {
        let response = client.get(path).cookie(cookie()).dispatch().await;
        assert_eq!(response.headers().get_one("Retry-After"), Some("1"));
        assert_eq!(response.headers().get_one("Cache-Control"), Some("no-store"));
        assert!(!response.headers().contains("Set-Cookie"));
        assert_eq!(code(response).await, away(), "{path}");
    }
    assert_eq!(client.get("/me").dispatch().await.status(), Status::Unauthorized);
    let response = client.get("/maybe").dispatch().await;
    assert_eq!(response.into_string().await.as_deref(), Some("nobody"));
}

#[rocket::async_test]
async fn with_the_store_away_no_act_succeeds_or_touches_the_cookie() {
    let client = client(Fault::Away).await;
    for path in ["/login", "/logout", "/logout-everywhere"] {
        let response = client.post(path).cookie(cookie()).dispatch().await;
        assert!(!response.headers().contains("Set-Cookie"), "{path}");
        assert_eq!(response.headers().get_one("Retry-After"), Some("1"), "{path}");
        assert_eq!(code(response).await, away(), "{path}");
    }
}

/// Why `MaybeUser` exists: Rocket makes `None` of every error.
#[rocket::async_test]
async fn an_option_would_take_an_outage_for_anonymous() {
    let response = client(Fault::Away).await;
    let response = response.get("/option").cookie(cookie()).dispatch().await;
    assert_eq!(response.status(), Status::Ok);
}

#[rocket::async_test]
async fn what_cannot_be_read_is_no_session() {
    let holds = |version, json| Fault::Holds { version, json };
    for fault in [
        Fault::Unreadable,
        holds(3, "{}"),
        holds(3, "{\"id\":\"secret\"}"),
        holds(3, "not JSON"),
        holds(2, "{\"id\":1}"),
    ] {
        let client = client(fault).await;
        let response = client.get("/me").cookie(cookie()).dispatch().await;
        assert_eq!(code(response).await, (Status::Unauthorized, "session_invalid".to_owned()));
        let response = client.get("/maybe").cookie(cookie()).dispatch().await;
        assert_eq!(response.into_string().await.as_deref(), Some("nobody"));
    }
}

#[rocket::async_test]
async fn a_touch_that_the_store_refuses_does_not_cost_the_request() {
    let client = client(Fault::Holds { version: 3, json: "{\"id\":1}" }).await;
    let response = client.get("/maybe").cookie(cookie()).dispatch().await;
    assert_eq!(response.into_string().await.as_deref(), Some("somebody"));
}

#[rocket::async_test]
async fn a_user_that_no_guard_could_read_back_is_not_logged_in() {
    let response = client(Fault::Away).await;
    let response = response.post("/login-one-way").dispatch().await;
    assert!(!response.headers().contains("Set-Cookie"));
    let expected = (Status::InternalServerError, "user_not_storable".to_owned());
    assert_eq!(code(response).await, expected);
}

#[test]
fn an_error_prints_its_code_and_cause() {
    let failure = crate::error::Failure::unavailable("connection refused");
    let error = Error::new(failure, None);
    assert_eq!(
        format!("{error:?}"),
        r#"Error { code: "store_unavailable", source: "connection refused" }"#
    );
    assert!(error.is_unavailable() && error.status() == Status::ServiceUnavailable);
}

#[rocket::async_test]
async fn a_session_that_cannot_be_read_can_be_logged_out_of() {
    let client = client(Fault::Unreadable).await;
    let response = client.post("/logout").cookie(cookie()).dispatch().await;
    assert_eq!(response.status(), Status::Ok);
    assert!(response.headers().get_one("Set-Cookie").is_some_and(|set| set.contains("Max-Age=0")));
}

/// Row 92: each failure is an event of its own name, with its reason and the peer, and holds nothing
/// of what was stored.
#[rocket::async_test]
async fn each_failure_of_a_store_is_an_event_that_tells_no_stored_value() {
    let secret = "{\"id\":\"hunter2\"}";
    for (fault, name) in [
        (Fault::Away, Event::STORE_FAILED),
        (Fault::Unreadable, Event::UNREADABLE),
        (Fault::Holds { version: 3, json: secret }, Event::UNREADABLE),
        (Fault::Holds { version: 3, json: "{\"id\":1}" }, Event::TOUCH_FAILED),
    ] {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listen = heard.clone();
        let fairing = Identity::<Account>::sessions().on_store(Arc::new(fault));
        let fairing = fairing.on_event(move |event| listen.lock().unwrap().push(event.clone()));
        let rocket = rocket::custom(rocket::Config::debug_default()).attach(fairing);
        let client = Client::untracked(rocket.mount("/", routes![maybe])).await.unwrap();
        let request = client.get("/maybe").cookie(cookie()).remote(([192, 0, 2, 7], 1).into());
        request.dispatch().await;
        let heard = heard.lock().unwrap();
        // What was touched in vain may be unreadable as well.
        assert!(heard.iter().any(|event| event.name() == name), "{heard:?}");
        for event in heard.iter() {
            assert_eq!(event.peer(), Some([192, 0, 2, 7].into()));
            assert!(event.user_hash().is_some() && event.cause_text().is_some());
            assert!(!format!("{event:?}").contains("hunter2"), "{event:?}");
        }
    }
}

/// Two launches, two salts: the log of one does not name the user of another.
#[rocket::async_test]
async fn the_hash_of_a_user_is_another_after_each_launch() {
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listen = heard.clone();
        let fairing = Identity::<Account>::sessions().on_event(move |event| {
            listen.lock().unwrap().push(event.user_hash().map(str::to_owned));
        });
        let rocket = rocket::custom(rocket::Config::debug_default()).attach(fairing);
        let client = Client::tracked(rocket.mount("/", routes![login, logout])).await.unwrap();
        client.post("/login").dispatch().await;
        client.post("/logout").dispatch().await;
        let heard = heard.lock().unwrap();
        assert!(heard.len() == 2 && heard[0].is_some() && heard[0] == heard[1], "{heard:?}");
        hashes.push(heard[0].clone());
    }
    assert_ne!(hashes[0], hashes[1]);
}

#[rocket::async_test]
async fn an_audit_that_panics_undoes_nothing() {
    let fairing = Identity::<Account>::sessions().on_event(|_| panic!("on purpose"));
    let rocket = rocket::custom(rocket::Config::debug_default()).attach(fairing);
    let client = Client::tracked(rocket.mount("/", routes![login, logout, me])).await.unwrap();
    assert_eq!(client.post("/login").dispatch().await.status(), Status::Ok);
    assert_eq!(client.get("/me").dispatch().await.status(), Status::Ok);
    let response = client.post("/logout").dispatch().await;
    assert!(response.status() == Status::Ok && response.headers().contains("Set-Cookie"));
}
