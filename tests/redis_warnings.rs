//! tests/redis_warnings.rs: what a connection to Redis is warned of. The log is this process's, so that
//! one test has the file to itself.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "faults take real time")]

mod support;

use std::time::{Duration, Instant};

use rocket::{get, routes};
use rocket_identity::{Identity, SessionUser};
use support::redis::Redis;
use support::{Account, Captured, Server, figment};

#[get("/me")]
fn me(_user: SessionUser<Account>) {}

/// On each connection, not only at launch.
#[tokio::test]
async fn an_eviction_policy_is_warned_of_whenever_a_connection_is_made() {
    let captured = Captured::install();
    let warnings = || captured.of("rocket_identity").iter().filter(|t| t.contains("RI020")).count();
    let redis = Redis::start(&["--maxmemory-policy", "allkeys-lru"]);
    let figment = figment("release").merge(("databases.identity.url", redis.url()));
    let fairing = Identity::<Account>::sessions();
    let rocket = rocket::custom(figment).attach(fairing).mount("/", routes![me]);
    let server = Server::start(rocket).await;
    assert_eq!(warnings(), 1);
    let head = format!("GET /me\nCookie: __Host-session={}.{}", "A".repeat(43), "A".repeat(22));
    let until = async |status| {
        let start = Instant::now();
        while server.send(&head).await.status != status {
            assert!(start.elapsed() < Duration::from_secs(10), "never {status}");
        }
    };
    redis.kill();
    until(503).await;
    redis.start_again();
    until(401).await;
    assert_eq!(warnings(), 2);
    assert!(captured.of("rocket_identity").iter().any(|text| text.contains("Redis is back")));
}
