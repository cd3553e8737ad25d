//! src/redis/connect.rs: the one file that knows how connections are made, shared and replaced.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

#[cfg(feature = "redis-tls")]
use deadpool_redis::redis::TlsCertificates;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, cmd,
};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time;

use super::probe::probe;
use super::session::is_foreign;
use crate::config::doctor::{Finding, Remote};
use crate::config::redis::{Database, Durability};
use crate::error::Source;
use crate::secret;
use crate::session::StoreError;

/// So many time-outs in a row, and the connection is given up.
const PATIENCE: u32 = 3;

/// Requests that wait for Redis at once; those beyond it are told at once that it is away.
const MOST_WAITING: usize = 1024;

/// The way to one Redis.
pub struct Link {
    lane: Lane,
    /// A lane of its own for writes that wait for replicas: `WAIT` holds up all that is behind it.
    durable: Option<(Lane, Durability)>,
}

/// One multiplexed connection, shared by all requests and replaced when it is lost.
///
/// Where there is none, a request fails at once: nothing queues while Redis is away.
struct Lane {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    client: Client,
    database: Database,
    live: RwLock<Option<Live>>,
    generation: AtomicUsize,
    lost: Notify,
    places: Semaphore,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    generation: usize,
    timeouts: Arc<AtomicU32>,
}

impl Link {
    /// Opens the link and tries once; where Redis is away the launch goes on and the link keeps
    /// trying. Only a URL or a CA that cannot be meant is an error.
    pub async fn open(database: Database) -> Result<(Self, Vec<Finding>), Source> {
        let durable = match database.durability {
            Some(durability) => {
                let mut database = database.clone();
                database.command_timeout += durability.timeout;
                Some((Lane::open(database).await?.0, durability))
            }
            None => None,
        };
        let (lane, findings) = Lane::open(database).await?;
        Ok((Link { lane, durable }, findings))
    }

    /// What the checks at launch want to know of the way to Redis.
    pub fn remote(database: &Database) -> RedisResult<Remote> {
        let info = database.url.0.as_str().into_connection_info()?;
        let (local, encrypted) = match info.addr() {
            ConnectionAddr::Tcp(host, _) => (is_local(host), false),
            ConnectionAddr::TcpTls { host, .. } => (is_local(host), true),
            _ => (true, false),
        };
        Ok(Remote { local, encrypted, password: info.redis_settings().password().is_some() })
    }

    pub fn prefix(&self) -> &str {
        &self.lane.shared.database.prefix
    }

    /// Runs one command or script, within the command's time.
    pub async fn run<T>(
        &self,
        act: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        self.lane.run(act).await
    }

    /// The same for a write that is acknowledged only when enough replicas have it.
    pub async fn run_durably<T>(
        &self,
        act: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        let Some((lane, Durability { wait, timeout })) = &self.durable else {
            return self.run(act).await;
        };
        let (reply, replicas): (T, u32) = lane
            .run(async |connection| {
                let reply = act(connection).await?;
                let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                let replicas = cmd("WAIT").arg(wait).arg(millis).query_async(connection).await?;
                Ok((reply, replicas))
            })
            .await?;
        if replicas < *wait { Err(StoreError::NotReplicated) } else { Ok(reply) }
    }
}

impl Lane {
    async fn open(database: Database) -> Result<(Self, Vec<Finding>), Source> {
        let shared = Arc::new(Shared {
            client: client(&database)?,
            database,
            live: RwLock::default(),
            generation: AtomicUsize::new(0),
            lost: Notify::new(),
            places: Semaphore::new(MOST_WAITING),
        });
        let findings = shared.connect().await.unwrap_or_else(|error| {
            let text =
                format!("Redis is away: {error}; requests that need it get 503 until it is there");
            vec![Finding::warn("RI023", text)]
        });
        let keeper = tokio::spawn(keep(shared.clone()));
        Ok((Lane { shared, keeper }, findings))
    }

    /// Runs one command or script, within the command's time.
    async fn run<T>(
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
        let limit = shared.database.command_timeout;
        match time::timeout(limit, act(&mut live.connection)).await {
            Ok(Ok(reply)) => {
                live.timeouts.store(0, Ordering::Relaxed);
                Ok(reply)
            }
            Ok(Err(error)) if is_foreign(&error) => Err(StoreError::Unreadable(error.into())),
            Ok(Err(error)) => {
                if is_final(&error) {
                    shared.give_up(live.generation);
                }
                Err(unavailable(error))
            }
            Err(_) => {
                if live.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
                    shared.give_up(live.generation);
                }
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
    fn give_up(&self, generation: usize) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|live| live.generation == generation) {
            *live = None;
            self.lost.notify_one();
            tracing::warn!(target: "rocket_identity", "the connection to Redis is lost");
        }
    }

    /// Connects, looks at what is there, and only then lets requests use it.
    async fn connect(&self) -> RedisResult<Vec<Finding>> {
        let connect_timeout = self.database.connect_timeout;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_timeout))
            // Ours is the limit: a second timer for each command would only cost.
            .set_response_timeout(None);
        let connecting = async {
            let mut connection =
                self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let findings = probe(&mut connection, &self.database.prefix).await?;
            RedisResult::Ok((connection, findings))
        };
        let made = time::timeout(connect_timeout, connecting).await.map_err(|_| timed_out())?;
        let (connection, findings) = made?;
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let live = Live { connection, generation, timeouts: Arc::default() };
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(live);
        Ok(findings)
    }
}

/// Makes a new connection whenever there is none, after 10 to 250 ms with jitter.
async fn keep(shared: Arc<Shared>) {
    loop {
        let mut pause = Duration::from_millis(10);
        while shared.live().is_none() {
            match shared.connect().await {
                Ok(findings) => {
                    tracing::warn!(target: "rocket_identity", "Redis is back");
                    for finding in findings {
                        tracing::warn!(target: "rocket_identity", "{finding}");
                    }
                }
                Err(error) => {
                    tracing::debug!(target: "rocket_identity", "Redis is still away: {error}");
                    time::sleep(with_jitter(pause)).await;
                    pause = (pause * 2).min(Duration::from_millis(250));
                }
            }
        }
        shared.lost.notified().await;
    }
}

/// From half of the pause to all of it, so that many processes do not come at once.
fn with_jitter(pause: Duration) -> Duration {
    let [random] = secret::random_bytes::<1>().unwrap_or([255]);
    pause / 2 + pause / 2 * u32::from(random) / 255
}

/// After such an error the connection is no good, or leads to a server that is not the master.
fn is_final(error: &RedisError) -> bool {
    let refused = [ServerErrorKind::ReadOnly, ServerErrorKind::MasterDown].map(ErrorKind::Server);
    error.is_unrecoverable_error() || refused.contains(&error.kind())
}

/// The client for a URL, over TCP, TLS or a unix socket.
pub fn client(database: &Database) -> Result<Client, Source> {
    let info = database.url.0.as_str().into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    match &database.ca {
        None => Ok(Client::open(info)?),
        Some(path) => with_ca(info, path),
    }
}

#[cfg(feature = "redis-tls")]
fn with_ca(info: ConnectionInfo, path: &Path) -> Result<Client, Source> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
    Ok(Client::build_with_tls(info, certificates)?)
}

#[cfg(not(feature = "redis-tls"))]
fn with_ca(_: ConnectionInfo, _: &Path) -> Result<Client, Source> {
    Err("databases.identity.ca needs the feature `redis-tls` of rocket_identity".into())
}

/// With two rustls providers in one build, redis panics at its first connection unless one of
/// them is the default; whoever was first may stay.
pub fn install_tls_provider() {
    #[cfg(feature = "redis-tls")]
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn is_local(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(cause.into())
}

fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
