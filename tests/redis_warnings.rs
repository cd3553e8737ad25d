//! tests/redis_warnings.rs: what a connection to Redis is warned of. The log is this process's, so that
//! one test at a time has it.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "faults take real time")]

mod support;

use std::time::{Duration, Instant};

use support::app::app;
use support::redis::Redis;
use support::{Captured, Server, figment};
use tokio::sync::{Mutex, MutexGuard};

/// The log, from now on.
struct Log {
    captured: &'static Captured,
    before: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Log {
    async fn watch() -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let (alone, captured) = (ALONE.lock().await, Captured::install());
        Log { captured, before: captured.of("rocket_identity").len(), _alone: alone }
    }

    fn lines(&self, with: &str) -> Vec<String> {
        let lines = self.captured.of("rocket_identity").into_iter().skip(self.before);
        lines.filter(|line| line.contains(with)).collect()
    }
}

async fn process(redis: &Redis) -> Server {
    Server::start(app(figment("release").merge(("databases.identity.url", redis.url())))).await
}

async fn until(server: &Server, status: u16) {
    let cookie = format!("__Host-session={}.{}", "A".repeat(43), "A".repeat(22));
    let start = Instant::now();
    while server.get("/me", &cookie).await.status != status {
        assert!(start.elapsed() < Duration::from_secs(10), "never {status}");
    }
}

#[tokio::test]
async fn an_eviction_policy_is_warned_of_whenever_a_connection_is_made_and_an_outage_says_why() {
    let log = Log::watch().await;
    let redis = Redis::start(&["--maxmemory-policy", "allkeys-lru"]);
    let server = process(&redis).await;
    assert_eq!(log.lines("RI020").len(), 1);
    redis.kill();
    until(&server, 503).await;
    // Said once, however often it is tried.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(log.lines("the connection to Redis is lost: ").len(), 1);
    let causes = log.lines("Redis is away: ");
    assert!(causes.len() == 1 && causes[0].to_lowercase().contains("refused"), "{causes:?}");
    redis.start_again();
    until(&server, 401).await;
    assert_eq!(log.lines("RI020").len(), 2);
    assert_eq!(log.lines("Redis is back").len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_five_seconds_ahead_is_warned_of_and_one_that_is_right_is_not() {
    let log = Log::watch().await;
    let right = Redis::start(&[]);
    let _server = process(&right).await;
    assert_eq!(log.lines("RI021"), [""; 0]);
    let ahead = Redis::start_ahead();
    let _server = process(&ahead).await;
    let warnings = log.lines("RI021");
    let apart = |line: &String| {
        let words: Vec<_> = line.split(' ').collect();
        let ms = words.iter().position(|word| *word == "ms").unwrap();
        words[ms - 1].parse::<u64>().unwrap()
    };
    assert_eq!(warnings.len(), 1);
    assert!((4_000..=5_100).contains(&apart(&warnings[0])), "{warnings:?}");
}

#[tokio::test]
async fn a_redis_that_refuses_writes_is_warned_of_with_what_it_refuses() {
    let log = Log::watch().await;
    let redis = Redis::start(&[]);
    redis.tell("CONFIG SET maxmemory 1");
    let _server = process(&redis).await;
    assert_eq!(log.lines("RI025").len(), 1);
    assert_eq!(log.lines("logouts are not").len(), 1);
    let redis = Redis::start(&["--min-replicas-to-write", "1"]);
    let server = process(&redis).await;
    assert_eq!(log.lines("RI025").len(), 2);
    assert_eq!(log.lines("too few replicas, so logins and logouts are refused").len(), 1);
    let forged = format!("__Host-session={}.{}", "A".repeat(43), "A".repeat(22));
    assert_eq!(server.post("/logout", &forged).await.status, 503);
    assert_eq!(server.get("/me", &forged).await.status, 401);
}

/// One long command of somebody else's makes many requests late at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_time_outs_at_one_instant_do_not_lose_a_connection_that_lives() {
    let log = Log::watch().await;
    let redis = Redis::start(&[]);
    let server = std::sync::Arc::new(process(&redis).await);
    let cookie = server.log_in(1).await;
    redis.tell("CLIENT PAUSE 350 ALL");
    let requests = (0..20).map(|_| {
        let (server, cookie) = (server.clone(), cookie.clone());
        tokio::spawn(async move { server.get("/me", &cookie).await.status })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap(), 503);
    }
    until(&server, 401).await;
    assert_eq!(server.get("/me", &cookie).await.status, 200);
    assert_eq!(log.lines("the connection to Redis is lost"), [""; 0]);
}
