//! tests/round_trips.rs: what each act sends to Redis, command by command, and how often it waits for an
//! answer.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a round trip is real time")]

#[path = "streams/app.rs"]
mod app;
mod support;

use std::time::{Duration, Instant};

use app::{app, log_in};
use support::redis::{Proxy, Redis};
use support::{Answer, Server, figment};

/// How late each reply is while round trips are counted: long beside all else that a request does.
const LATE: Duration = Duration::from_millis(400);

/// A server behind a proxy that sees what it sends.
struct Watched {
    server: Server,
    proxy: Proxy,
    _redis: Redis,
}

impl Watched {
    async fn start() -> Self {
        let redis = Redis::start(&[]);
        let proxy = Proxy::before(redis.port).await;
        let figment = figment("release")
            .merge(("databases.identity.url", proxy.url()))
            .merge(("databases.identity.command_timeout", "5s"));
        let server = Server::start(app(figment)).await;
        Watched { server, proxy, _redis: redis }
    }

    async fn log_in(&self, id: u64) -> String {
        log_in(self.server.address, id).await
    }

    /// What one request sends, where each reply comes at once; it is answered 200.
    async fn sends(&self, request: &str, cookie: &str) -> (Vec<String>, Answer) {
        self.proxy.take();
        let answer = self.server.send(&format!("{request}\nCookie: {cookie}")).await;
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        (self.proxy.take(), answer)
    }

    /// How often the same waits for an answer.
    async fn waits(&self, request: &str, cookie: &str) -> u128 {
        self.proxy.delay(LATE);
        let start = Instant::now();
        let answer = self.server.send(&format!("{request}\nCookie: {cookie}")).await;
        let took = start.elapsed();
        self.proxy.delay(Duration::ZERO);
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        took.as_millis() / LATE.as_millis()
    }
}

#[tokio::test]
async fn a_value_is_one_command_more_and_only_where_it_is_used() {
    let watched = Watched::start().await;
    let cookie = watched.log_in(1).await;
    let (sent, _) = watched.sends("POST /data/cart/7", &cookie).await;
    assert_eq!(sent, ["HMGET", "EVALSHA"]);
    let (sent, answer) = watched.sends("GET /data/cart", &cookie).await;
    assert_eq!((sent, &*answer.body), (vec!["HMGET".into(), "HGET".into()], "7"));
    // A session that has values costs a request that does not ask for them nothing.
    let (sent, _) = watched.sends("GET /me", &cookie).await;
    assert_eq!(sent, ["HMGET"]);
    let (sent, _) = watched.sends("GET /settings", &cookie).await;
    assert_eq!(sent, ["HMGET"], "neither does the guard that asks for a fresh proof");
}

#[tokio::test]
async fn a_list_of_fifty_sessions_is_one_command_beside_the_guards() {
    let watched = Watched::start().await;
    let mut cookie = String::new();
    for _ in 0..50 {
        cookie = watched.log_in(1).await;
    }
    let (sent, answer) = watched.sends("GET /devices", &cookie).await;
    assert_eq!(sent, ["HMGET", "EVALSHA"]);
    assert_eq!(answer.body.lines().count(), 50);
    assert_eq!(watched.waits("GET /devices", &cookie).await, 2);
    assert_eq!(watched.waits("GET /me", &cookie).await, 1);
}

/// The act and its notice are two commands that go together.
#[tokio::test]
async fn each_act_that_ends_something_is_one_round_trip_beside_the_guards() {
    let watched = Watched::start().await;
    let mut user = 0;
    for act in ["revoke", "revoke-others", "logout-everywhere"] {
        for is_counted in [true, false] {
            // Another user each time: a login of one whose sessions were just ended is under way.
            user += 1;
            let (phone, laptop) = (watched.log_in(user).await, watched.log_in(user).await);
            let devices = watched.sends("GET /devices", &phone).await.1.body;
            let path = match act {
                "revoke" => format!("POST /revoke/{}", devices.lines().next().unwrap()),
                _ => format!("POST /{act}"),
            };
            if is_counted {
                let (sent, _) = watched.sends(&path, &laptop).await;
                assert_eq!(sent, ["HMGET", "EVALSHA", "EVALSHA"], "{act}");
            } else {
                assert_eq!(watched.waits(&path, &laptop).await, 2, "{act}");
            }
        }
    }
    let cookie = watched.log_in(10).await;
    assert_eq!(watched.waits("POST /logout", &cookie).await, 1);
    assert_eq!(watched.sends("POST /lock/10", "").await.0, ["EVALSHA", "EVALSHA"]);
    assert_eq!(watched.waits("POST /lock/10", "").await, 1);
}

/// The new ticket itself is one command; the throttle has one before it and one after it.
#[tokio::test]
async fn a_confirmation_is_the_guards_round_trip_its_own_and_two_of_the_throttle() {
    let watched = Watched::start().await;
    let cookie = watched.log_in(1).await;
    let (sent, answer) = watched.sends("POST /confirm", &cookie).await;
    assert_eq!(sent, ["HMGET", "EVALSHA", "EVALSHA", "UNLINK"]);
    assert_eq!(watched.waits("POST /confirm", answer.cookie()).await, 4);
}

#[tokio::test]
async fn a_login_that_waits_is_one_command_to_keep_and_one_to_find() {
    let watched = Watched::start().await;
    let (sent, answer) = watched.sends("POST /pending/1", "").await;
    assert_eq!(sent, ["EVALSHA"]);
    let pending = answer.all("set-cookie")[0].split(';').next().unwrap().to_owned();
    let (sent, answer) = watched.sends("GET /pending", &pending).await;
    assert_eq!((sent, &*answer.body), (vec!["HGET".into()], "1"));
    assert_eq!(watched.waits("GET /pending", &pending).await, 1);
    // A guard of sessions does not look at it.
    watched.proxy.take();
    assert_eq!(watched.server.send(&format!("GET /me\nCookie: {pending}")).await.status, 401);
    assert_eq!(watched.proxy.take(), [""; 0]);
}
