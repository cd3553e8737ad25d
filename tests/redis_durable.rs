//! tests/redis_durable.rs: `durability`: what is acknowledged only when the replicas have it.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "faults take real time")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::app::app;
use support::redis::{Proxy, Redis};
use support::{Server, figment};

async fn process(url: &str) -> Server {
    let figment = figment("release")
        .merge(("databases.identity.url", url))
        .merge(("databases.identity.durability.wait", 1))
        .merge(("databases.identity.durability.timeout", "300ms"));
    Server::start(app(figment)).await
}

/// A replica of `redis` that has caught up.
async fn replica_of(redis: &Redis, server: &Server) -> Redis {
    let replica = Redis::start(&[]);
    replica.tell(&format!("REPLICAOF 127.0.0.1 {}", redis.port));
    let start = Instant::now();
    loop {
        let cookie = server.log_in(2).await;
        let answer = server.post("/logout", &cookie).await;
        if answer.status == 200 {
            return replica;
        }
        assert_eq!(answer.status, 503);
        assert!(start.elapsed() < Duration::from_secs(10), "the replica never came");
    }
}

#[tokio::test]
async fn a_logout_that_too_few_replicas_have_is_503_and_clears_no_cookie() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    for path in ["/logout", "/logout-everywhere"] {
        let cookie = server.log_in(1).await;
        let answer = server.post(path, &cookie).await;
        assert_eq!((answer.status, &*answer.code()), (503, "not_replicated"), "{path}");
        assert!(answer.sets_no_cookie());
        server.clock.advance(Duration::from_secs(2));
    }
    // A login that ends another session is such a write, one that ends none is not.
    let cookie = server.log_in(3).await;
    let again = server.post("/login/3", &cookie).await;
    assert_eq!((again.status, &*again.code()), (503, "not_replicated"));
    let _replica = replica_of(&redis, &server).await;
    let cookie = server.log_in(3).await;
    assert_eq!(server.post("/login/3", &cookie).await.status, 200);
}

/// Without a replica each waits in vain, all at once: none takes longer for the others, and none is
/// told that the store is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_logouts_at_once_without_a_replica_are_told_so_within_two_seconds() {
    let redis = Redis::start(&[]);
    let server = Arc::new(process(&redis.url()).await);
    let mut cookies = Vec::new();
    for id in 0..20 {
        cookies.push(server.log_in(id).await);
    }
    // The most that one request may end: four tickets at once.
    let four: Vec<_> = cookies.chunks(4).map(|four| four.join("; ")).collect();
    let start = Instant::now();
    let logouts = cookies.into_iter().chain(four).map(|cookie| {
        let server = server.clone();
        tokio::spawn(async move { server.post("/logout", &cookie).await })
    });
    for logout in logouts.collect::<Vec<_>>() {
        let answer = logout.await.unwrap();
        assert_eq!((answer.status, &*answer.code()), (503, "not_replicated"));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    // Reads went another way and waited for nobody.
    let cookie = server.log_in(1).await;
    assert_eq!(server.get("/me", &cookie).await.status, 200);
}

/// The link looks at each connection once a second; on this lane the look stands behind a `WAIT`.
#[tokio::test]
async fn a_wait_longer_than_a_command_may_take_costs_no_connection() {
    let redis = Redis::start(&[]);
    let figment = figment("release")
        .merge(("databases.identity.url", redis.url()))
        .merge(("databases.identity.durability.wait", 1))
        .merge(("databases.identity.durability.timeout", "600ms"));
    let server = Server::start(app(figment)).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        let cookie = server.log_in(1).await;
        let answer = server.post("/logout", &cookie).await;
        assert_eq!((answer.status, &*answer.code()), (503, "not_replicated"));
    }
}

#[tokio::test]
async fn a_durable_logout_is_one_round_trip_and_heals_flushed_scripts() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.port).await;
    let server = process(&proxy.url()).await;
    let _replica = replica_of(&redis, &server).await;
    let cookie = server.log_in(1).await;
    proxy.take();
    assert_eq!(server.post("/logout", &cookie).await.status, 200);
    assert_eq!(proxy.take(), ["EVALSHA", "EVALSHA", "WAIT"]);
    let cookie = server.log_in(1).await;
    redis.tell("SCRIPT FLUSH");
    assert_eq!(server.post("/logout", &cookie).await.status, 200);
    assert_eq!(server.get("/me", &cookie).await.status, 401);
}

#[tokio::test]
async fn a_durable_logout_on_a_redis_that_pauses_or_stops_is_503_in_time() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    let cookie = server.log_in(1).await;
    redis.pause();
    for _ in 0..4 {
        let start = Instant::now();
        let answer = server.post("/logout", &cookie).await;
        assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
    redis.resume();
    redis.kill();
    assert_eq!(&*server.post("/logout", &cookie).await.code(), "store_unavailable");
    redis.start_again();
    let start = Instant::now();
    while server.send("POST /login/1").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10), "never recovered");
    }
}
