//! src/redis/lane.rs: one multiplexed connection, shared by all requests, watched and replaced.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time;

use super::connect::{client, connect, timed_out};
use super::probe;
use super::session::is_foreign;
use crate::config::doctor::Finding;
use crate::config::redis::Database;
use crate::error::Source;
use crate::secret;
use crate::session::StoreError;

/// Requests that wait for Redis at once; those beyond it are told at once that it is away.
pub const MOST_WAITING: usize = 1024;

/// How often the keeper looks whether the connection still leads to a master that answers.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One multiplexed connection.
///
/// Where there is none, a request fails at once: nothing queues while Redis is away.
pub struct Lane {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    client: Client,
    database: Database,
    limit: Duration,
    /// Of two lanes one tells what happens to both.
    tells: bool,
    live: RwLock<Option<Live>>,
    /// Wakes the keeper: the connection was given up, or a request waited in vain.
    doubt: Notify,
    places: Semaphore,
}

/// The generation tells one connection from the next.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    generation: u64,
}

impl Lane {
    /// Tries once; where Redis is away the lane keeps trying. Only a URL or a CA that cannot be
    /// meant is an error. `extra` is what a command may take beyond `command_timeout`.
    pub async fn open(
        database: Database,
        extra: Duration,
    ) -> Result<(Self, Result<Vec<Finding>, RedisError>), Source> {
        let shared = Arc::new(Shared {
            client: client(&database)?,
            limit: database.command_timeout + extra,
            tells: extra.is_zero(),
            database,
            live: RwLock::default(),
            doubt: Notify::new(),
            places: Semaphore::new(MOST_WAITING),
        });
        let found = shared.connect(1).await;
        let keeper = tokio::spawn(keep(shared.clone()));
        Ok((Lane { shared, keeper }, found))
    }

    pub fn is_away(&self) -> bool {
        self.shared.live.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Runs one command, script or pipeline, within its time.
    pub async fn run<T>(
        &self,
        act: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        let shared = &*self.shared;
        let Ok(_place) = shared.places.try_acquire() else {
            return Err(unavailable("too many requests wait for Redis"));
        };
        let Some(mut live) = shared.live() else {
            return Err(unavailable("there is no connection to Redis"));
        };
        match time::timeout(shared.limit, act(&mut live.connection)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) if is_foreign(&error) => Err(StoreError::Unreadable(error.into())),
            Ok(Err(error)) => {
                if is_final(&error) {
                    shared.give_up(live.generation, &error);
                }
                Err(unavailable(error))
            }
            Err(_) => {
                // One slow answer is not the end of a connection: the keeper looks at once.
                shared.doubt.notify_one();
                Err(unavailable("Redis did not answer in time"))
            }
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    fn live(&self) -> Option<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drops the connection of that generation, so that the keeper makes the next one.
    fn give_up(&self, generation: u64, cause: &RedisError) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|live| live.generation == generation) {
            *live = None;
            self.doubt.notify_one();
            if self.tells {
                tracing::warn!(
                    target: "rocket_identity",
                    "the connection to Redis is lost: {cause}"
                );
            }
        }
    }

    /// Connects, looks at what is there, and only then lets requests use it.
    async fn connect(&self, generation: u64) -> RedisResult<Vec<Finding>> {
        let (connection, findings) = connect(&self.client, &self.database).await?;
        let live = Live { connection, generation };
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(live);
        Ok(findings)
    }

    /// Gives the connection up unless it leads to a master that answers: a dead peer is noticed
    /// before a request waits for it, and nobody reads from a master that was demoted.
    async fn look(&self) {
        let Some(mut live) = self.live() else { return };
        let look = probe::is_master(&mut live.connection);
        // As long as any command of this lane may take: the look may stand behind a `WAIT`.
        let seen = time::timeout(self.limit, look).await;
        if let Err(error) = seen.unwrap_or_else(|_| Err(timed_out())) {
            self.give_up(live.generation, &error);
        }
    }
}

/// Watches the connection, and makes a new one whenever there is none: after 10 to 250 ms with
/// jitter, so that many processes do not come at once.
async fn keep(shared: Arc<Shared>) {
    for generation in 2.. {
        while shared.live().is_some() {
            let _ = time::timeout(LOOK_EVERY, shared.doubt.notified()).await;
            shared.look().await;
        }
        let mut pause = Duration::from_millis(10);
        let mut said = String::new();
        loop {
            time::sleep(with_jitter(pause)).await;
            match shared.connect(generation).await {
                Ok(findings) if shared.tells => {
                    tracing::warn!(target: "rocket_identity", "Redis is back");
                    for finding in findings {
                        tracing::warn!(target: "rocket_identity", "{finding}");
                    }
                    break;
                }
                Ok(_) => break,
                Err(error) => {
                    // Each cause once: it may change from "refused" to "wrong password".
                    let text = error.to_string();
                    if shared.tells && text != said {
                        tracing::warn!(target: "rocket_identity", "Redis is away: {text}");
                        said = text;
                    }
                    pause = (pause * 2).min(Duration::from_millis(250));
                }
            }
        }
    }
}

/// From half of the pause to all of it.
pub fn with_jitter(pause: Duration) -> Duration {
    let [random] = secret::random_bytes::<1>().unwrap_or([255]);
    pause / 2 + pause / 2 * u32::from(random) / 255
}

/// After such an error the connection is no good, or leads to a server that is not the master.
fn is_final(error: &RedisError) -> bool {
    let refused = [ServerErrorKind::ReadOnly, ServerErrorKind::MasterDown].map(ErrorKind::Server);
    error.is_unrecoverable_error() || refused.contains(&error.kind())
}

pub fn unavailable(cause: impl Into<Source>) -> StoreError {
    StoreError::Unavailable(cause.into())
}
