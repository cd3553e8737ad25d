//! tests/sessions_on_redis.rs: the whole of tests/sessions.rs once more, on a real Redis.
#![cfg(all(feature = "testing", feature = "redis"))]

#[path = "sessions.rs"]
mod sessions;
