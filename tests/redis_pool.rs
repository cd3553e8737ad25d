//! tests/redis_pool.rs: an application's own commands on the Redis that keeps its sessions.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "faults take real time")]

mod support;

use std::time::{Duration, Instant};

use deadpool_redis::redis::cmd;
use rocket::{get, routes};
use rocket_db_pools::{Connection, Database};
use support::app::app;
use support::redis::Redis;
use support::{Server, figment};

#[derive(Database)]
#[database("identity")]
struct Own(rocket_identity::redis::Pool);

#[get("/hits")]
async fn hits(mut own: Connection<Own>) -> Option<String> {
    let hits: u64 = cmd("INCR").arg("hits").query_async(&mut **own).await.ok()?;
    Some(hits.to_string())
}

async fn process(url: &str) -> Server {
    let figment = figment("release")
        .merge(("databases.identity.url", url))
        .merge(("databases.identity.connect_timeout", "500ms"));
    Server::start(app(figment).attach(Own::init()).mount("/", routes![hits])).await
}

#[tokio::test]
async fn an_application_uses_the_same_table_for_commands_of_its_own() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    assert_eq!(server.send("GET /hits").await.body, "1");
    assert_eq!(server.send("GET /hits").await.body, "2");
    let cookie = server.log_in(1).await;
    assert_eq!(server.get("/me", &cookie).await.body, "1");
}

#[tokio::test]
async fn a_paused_redis_costs_the_pool_connect_timeout_and_no_more() {
    let redis = Redis::start(&[]);
    let server = process(&redis.url()).await;
    assert_eq!(server.send("GET /hits").await.body, "1");
    redis.pause();
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(server.send("GET /hits").await.status, 503);
        assert!(start.elapsed() < Duration::from_millis(1_200), "{:?}", start.elapsed());
    }
    redis.resume();
    assert_eq!(server.send("GET /hits").await.body, "2");
}

/// The rule of docs/redis.md with what a pool needs beside it.
#[tokio::test]
async fn the_documented_rights_are_enough_for_a_pool() {
    let page = include_str!("../docs/redis.md");
    let rule = page.lines().find_map(|line| line.strip_prefix("ACL SETUSER app on >password "));
    let more = "~app:* +ping +unwatch";
    assert!(page.contains(&format!("`{more}`")), "docs/redis.md says something else than {more}");
    let redis = Redis::start(&[]);
    redis.tell(&format!("ACL SETUSER app on >word {} {more} ~hits +incr", rule.unwrap()));
    let server = process(&format!("redis://app:word@127.0.0.1:{}", redis.port)).await;
    for hits in ["1", "2", "3"] {
        assert_eq!(server.send("GET /hits").await.body, hits);
    }
}
