//! src/redis/pool.rs: the same Redis for an application's own commands.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::{Manager, Runtime};
use figment::Figment;
use tokio::time;

use super::connect::{client, install_tls_provider};
use crate::config::redis::Database;
use crate::error::Source;

/// A connection of [`Pool`]: what `deadpool_redis` hands out, for its `redis::cmd`.
pub type Connection = deadpool_redis::Connection;

/// A pool on `[default.databases.identity]`, for an application's own commands on the Redis that
/// keeps its sessions. Sessions themselves do not use it: they share one connection.
///
/// ```no_run
/// use rocket::get;
/// use rocket_db_pools::{Connection, Database};
/// use rocket_identity::redis::deadpool_redis::redis::cmd;
///
/// #[derive(Database)]
/// #[database("identity")]
/// struct Redis(rocket_identity::redis::Pool);
///
/// #[get("/hits")]
/// async fn hits(mut redis: Connection<Redis>) -> Option<String> {
///     let hits: u64 = cmd("INCR").arg("hits").query_async(&mut **redis).await.ok()?;
///     Some(hits.to_string())
/// }
///
/// let rocket = rocket::build().attach(Redis::init());
/// ```
///
/// A connection is there within `connect_timeout`, or there is an error, whatever it was that took
/// the time: a free place, the connection itself, the `PING` that looks whether it lives. Where the
/// table names no `connect_timeout` and `max_connections`, those of this pool are rocket_db_pools'
/// own: 5 s, and four for each worker. The user in the URL needs `+ping` and `+unwatch`, and rights
/// on the application's own keys.
pub struct Pool {
    pool: deadpool_redis::Pool,
    limit: Duration,
}

/// Why there is no pool, or no connection of it.
pub struct PoolError(Source);

#[async_trait]
impl rocket_db_pools::Pool for Pool {
    type Connection = Connection;
    type Error = PoolError;

    async fn init(figment: &Figment) -> Result<Self, PoolError> {
        install_tls_provider();
        let database: Database = figment.extract().map_err(wrong)?;
        let info = client(&database).map_err(PoolError)?.get_connection_info().clone();
        let pool = deadpool_redis::Pool::builder(Manager::new(info).map_err(wrong)?)
            .max_size(database.max_connections)
            .recycle_timeout(Some(database.command_timeout))
            .runtime(Runtime::Tokio1)
            .build();
        Ok(Pool { pool: pool.map_err(wrong)?, limit: database.connect_timeout })
    }

    async fn get(&self) -> Result<Connection, PoolError> {
        // One limit for all of it: the pool's own would add up.
        let got = time::timeout(self.limit, self.pool.get()).await;
        got.map_err(|_| wrong("no connection in time"))?.map_err(wrong)
    }

    async fn close(&self) {
        self.pool.close();
    }
}

fn wrong(cause: impl Into<Source>) -> PoolError {
    PoolError(cause.into())
}

impl fmt::Debug for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolError({:?})", self.0.to_string())
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}
