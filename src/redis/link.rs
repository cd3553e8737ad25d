//! src/redis/link.rs: the way to one Redis, and writes that wait for replicas.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    ErrorKind, FromRedisValue, RedisError, RedisResult, ScriptInvocation, ServerErrorKind, Value,
    from_redis_value, pipe,
};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::time;

use super::lane::{Lane, MOST_WAITING, unavailable};
use super::notices::Stream;
use super::scripts;
use super::session::is_foreign;
use crate::config::doctor::Finding;
use crate::config::redis::{Database, Durability};
use crate::error::Source;
use crate::session::StoreError;
use crate::ticket::Tag;

/// A script with its key and arguments.
pub type Call = ScriptInvocation<'static>;

/// The way to one Redis.
pub struct Link {
    lane: Lane,
    durable: Option<Durable>,
    prefix: String,
    stream: Stream,
}

impl Link {
    /// Opens the link and tries once; where Redis is away the launch goes on and the link keeps
    /// trying. Only a URL or a CA that cannot be meant is an error.
    pub async fn open(database: Database) -> Result<(Self, Vec<Finding>), Source> {
        let prefix = database.prefix.clone();
        let durable = match database.durability {
            Some(durability) => Some(Durable::open(&database, durability).await?),
            None => None,
        };
        let stream = Stream::new(database.clone())?;
        let (lane, found) = Lane::open(database, Duration::ZERO).await?;
        let findings = found.unwrap_or_else(|error| vec![away(&error)]);
        Ok((Link { lane, durable, prefix, stream }, findings))
    }

    /// There is no connection: whatever is asked would fail at once.
    pub fn is_away(&self) -> bool {
        self.lane.is_away()
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Runs one command within its time.
    pub async fn run<T>(
        &self,
        act: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        self.lane.run(act).await
    }

    /// Runs one script.
    pub async fn call<T: FromRedisValue>(&self, call: Call) -> Result<T, StoreError> {
        self.lane.run(async |connection| call.invoke_async(connection).await).await
    }

    /// The same for one that ends or rewrites something of a user: the notice goes with it, in one
    /// round trip.
    pub async fn call_and_tell<T: FromRedisValue>(
        &self,
        call: Call,
        tag: &Tag,
    ) -> Result<T, StoreError> {
        let notice = self.stream.notice(tag);
        let send = async |connection: &mut MultiplexedConnection| {
            let mut replies = send(connection, [&call, &notice], None).await?.0.into_iter();
            let reply = replies.next().unwrap_or(Ok(Value::Nil))?;
            replies.for_each(untold);
            Ok(reply)
        };
        let reply = self.lane.run(send).await;
        self.stream.tell(tag);
        from_redis_value(reply?).map_err(unavailable)
    }

    /// Runs a script that writes, and is acknowledged only when enough replicas have it.
    pub async fn call_durably<T: FromRedisValue>(&self, call: Call) -> Result<T, StoreError> {
        match &self.durable {
            Some(durable) => durable.call(call, None).await,
            None => self.call(call).await,
        }
    }

    /// Both.
    pub async fn call_durably_and_tell<T: FromRedisValue>(
        &self,
        call: Call,
        tag: &Tag,
    ) -> Result<T, StoreError> {
        let Some(durable) = &self.durable else { return self.call_and_tell(call, tag).await };
        let reply = durable.call(call, Some(self.stream.notice(tag))).await;
        self.stream.tell(tag);
        reply
    }

    /// Tells what is known only after the act; that it was done stands, whatever becomes of this.
    pub async fn tell(&self, tag: &Tag) {
        self.stream.tell(tag);
        let told = self.call::<Value>(self.stream.notice(tag)).await;
        if let Err(error) = told {
            tracing::warn!(target: "rocket_identity", "a notice was not written: {error}");
        }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }
}

/// Why there is no connection at launch. One that is away comes back by itself; one that knows no
/// such user does not.
fn away(error: &RedisError) -> Finding {
    let refused = [ErrorKind::AuthenticationFailed, ErrorKind::InvalidClientConfig];
    match refused.contains(&error.kind()) || error.code() == Some("NOAUTH") {
        true => Finding::refuse(
            "RI026",
            format!(
                "Redis refuses us: {error}; correct user and password in databases.identity.url"
            ),
        ),
        false => Finding::warn(
            "RI023",
            format!("Redis is away: {error}; requests that need it get 503 until it is there"),
        ),
    }
}

/// Writes that wait for replicas, on a lane of their own: `WAIT` holds up all that is behind it.
///
/// Those that come while it waits go together next, with one `WAIT` for all: twenty logouts at
/// once take as long as two.
struct Durable {
    lane: Lane,
    durability: Durability,
    /// The longest time of one write: the batch under way, its own, and one answer.
    limit: Duration,
    waiting: Mutex<Vec<Job>>,
    turn: AsyncMutex<()>,
}

struct Job {
    call: Call,
    notice: Option<Call>,
    done: oneshot::Sender<Result<Value, StoreError>>,
}

impl Durable {
    async fn open(database: &Database, durability: Durability) -> Result<Self, Source> {
        let (lane, _) = Lane::open(database.clone(), durability.timeout).await?;
        Ok(Durable {
            lane,
            durability,
            limit: database.command_timeout + durability.timeout * 2,
            waiting: Mutex::default(),
            turn: AsyncMutex::default(),
        })
    }

    async fn call<T: FromRedisValue>(
        &self,
        call: Call,
        notice: Option<Call>,
    ) -> Result<T, StoreError> {
        let (done, mut reply) = oneshot::channel();
        self.enqueue(Job { call, notice, done })?;
        let answered = async {
            tokio::select! {
                biased;
                reply = &mut reply => return reply,
                // Whose turn it is carries out what waits, its own job among it.
                _turn = self.turn.lock() => self.carry_out().await,
            }
            reply.await
        };
        let reply = match time::timeout(self.limit, answered).await {
            Ok(Ok(reply)) => reply?,
            Ok(Err(_)) => return Err(unavailable("who carried this out was interrupted")),
            Err(_) => return Err(unavailable("Redis did not answer in time")),
        };
        from_redis_value(reply).map_err(unavailable)
    }

    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody waits for any longer are not carried out.
        waiting.retain(|job| !job.done.is_closed());
        if waiting.len() >= MOST_WAITING {
            return Err(unavailable("too many requests wait for Redis"));
        }
        waiting.push(job);
        Ok(())
    }

    async fn carry_out(&self) {
        let mut jobs =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        jobs.retain(|job| !job.done.is_closed());
        if jobs.is_empty() {
            return;
        }
        let send = async |connection: &mut MultiplexedConnection| {
            let calls = jobs.iter().map(|job| &job.call);
            let notices = jobs.iter().filter_map(|job| job.notice.as_ref());
            send(connection, calls.chain(notices), Some(self.durability)).await
        };
        let replies = self.lane.run(send).await;
        match replies {
            Ok((mut replies, replicas)) => {
                replies.drain(jobs.len()..).for_each(untold);
                let enough = replicas >= self.durability.wait;
                for (job, reply) in jobs.into_iter().zip(replies) {
                    let _ = job.done.send(match reply {
                        Ok(_) if !enough => Err(StoreError::NotReplicated),
                        Ok(reply) => Ok(reply),
                        Err(error) if is_foreign(&error) => {
                            Err(StoreError::Unreadable(error.into()))
                        }
                        Err(error) => Err(unavailable(error)),
                    });
                }
            }
            Err(error) => {
                let text = error.to_string();
                for job in jobs {
                    let _ = job.done.send(Err(unavailable(&*text)));
                }
            }
        }
    }
}

type Replies = (Vec<RedisResult<Value>>, u32);

/// All of them, and one `WAIT` where that is asked for, in one round trip; once more where the scripts
/// were flushed. What each replied, and how many replicas have it.
async fn send<'a>(
    connection: &mut MultiplexedConnection,
    calls: impl IntoIterator<Item = &'a Call> + Clone,
    wait: Option<Durability>,
) -> RedisResult<Replies> {
    let mut replies = send_once(connection, calls.clone(), wait, false).await?;
    let lost =
        |reply: &RedisResult<Value>| reply.as_ref().is_err_and(|error| error.kind() == NO_SCRIPT);
    if replies.0.iter().any(lost) {
        // Every script bears being run twice.
        replies = send_once(connection, calls, wait, true).await?;
    }
    // What ends the connection must reach the lane, not one call.
    match replies.0.iter().position(|reply| reply.as_ref().is_err_and(is_of_all)) {
        Some(at) => Err(replies.0.swap_remove(at).err().unwrap_or_else(super::connect::timed_out)),
        None => Ok(replies),
    }
}

async fn send_once<'a>(
    connection: &mut MultiplexedConnection,
    calls: impl IntoIterator<Item = &'a Call>,
    wait: Option<Durability>,
    load: bool,
) -> RedisResult<Replies> {
    let mut batch = pipe();
    batch.ignore_errors();
    if load {
        for script in scripts() {
            batch.load_script(script).ignore();
        }
    }
    for call in calls {
        batch.invoke_script(call);
    }
    let Some(Durability { wait, timeout }) = wait else {
        return Ok((batch.query_async(connection).await?, 0));
    };
    let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    batch.cmd("WAIT").arg(wait).arg(millis);
    let mut replies: Vec<RedisResult<Value>> = batch.query_async(connection).await?;
    let replicas = replies.pop().unwrap_or(Ok(Value::Nil))?;
    Ok((replies, from_redis_value(replicas)?))
}

/// What was done is done; other processes learn of it when they look.
fn untold(reply: RedisResult<Value>) {
    if let Err(error) = reply {
        tracing::warn!(target: "rocket_identity", "a notice was not written: {error}");
    }
}

const NO_SCRIPT: ErrorKind = ErrorKind::Server(ServerErrorKind::NoScript);

/// A server that takes no writes refuses them all.
fn is_of_all(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
