//! tests/throttle_on_redis.rs: the same door, its buckets in a real Redis.
#![cfg(all(feature = "testing", feature = "redis"))]

#[path = "throttle.rs"]
mod throttle;
