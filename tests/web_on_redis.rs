//! tests/web_on_redis.rs: the whole of tests/web.rs once more, each server on a Redis of its own.
#![cfg(all(feature = "testing", feature = "redis"))]

#[path = "web.rs"]
mod web;
