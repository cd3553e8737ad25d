//! src/redis.rs: the store for more than one process, and its pool for an application's own commands.
//!
//! One user, one key: a HASH that holds the user, the sessions and when each was last used, so that a
//! guarded read is one command. What happens when Redis stops, pauses or fills up is in
//! `docs/redis.md`.

mod connect;
mod data;
mod lane;
mod link;
mod notices;
mod pool;
mod probe;
mod session;
mod throttle;

use deadpool_redis::redis::Script;

pub use deadpool_redis;

pub use self::pool::{Connection, Pool, PoolError};

pub(crate) use self::connect::{install_tls_provider, remote};
pub(crate) use self::link::Link;

/// Every script, to be loaded on each new connection.
fn scripts() -> impl Iterator<Item = &'static Script> {
    session::SCRIPTS.all().chain(throttle::SCRIPTS.all())
}

#[cfg(test)]
mod tests;
