//! src/redis.rs: the store for more than one process. One user, one key: a HASH that holds the user, the
//! sessions and when each was last used, so that a guarded read is one command.

mod connect;
mod probe;
mod session;

pub use self::connect::Link;

#[cfg(test)]
mod tests;
