//! src/redis/notices.rs: the stream that tells every process what ended, and the task that follows it.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{
    Client, Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Script, Value, cmd,
    from_redis_value,
};
use tokio::task::JoinHandle;
use tokio::time::{self, Instant};

use super::connect::{client, plain, timed_out};
use super::lane::with_jitter;
use super::link::Call;
use super::session::{SCRIPTS, read_record, unreadable};
use super::{Link, probe};
use crate::clock::Time;
use crate::config::redis::Database;
use crate::error::Source;
use crate::session::notice::{Notices, Registry, Watch};
use crate::session::{Record, StoreError};
use crate::ticket::{Handle, Tag};

/// What is read at once. Fewer than these are all that there is.
const COUNT: usize = 1_000;

/// How long the server holds an answer back for news.
const BLOCK: Duration = Duration::from_millis(500);

pub struct Scripts {
    notice: Script,
    lives: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Scripts {
            notice: Script::new(include_str!("scripts/notice.lua")),
            lives: Script::new(include_str!("scripts/lives.lua")),
        }
    }

    pub fn all(&self) -> [&Script; 2] {
        [&self.notice, &self.lives]
    }

    /// Each script once, on a user's key where a session with the handle `-` lives.
    pub fn try_all(&self, into: &mut Pipeline, key: &str) {
        let stream = format!("{key}:notices");
        into.invoke_script(self.notice.key(&stream).arg("-"));
        into.cmd("UNLINK").arg(&stream);
        into.invoke_script(self.lives.key(key).arg("-"));
    }
}

/// The stream of one fairing. It is followed from the first moment that anybody waits.
pub struct Stream {
    registry: Arc<Registry>,
    client: Client,
    database: Database,
    reader: OnceLock<JoinHandle<()>>,
}

impl Stream {
    pub fn new(database: Database) -> Result<Self, Source> {
        let client = client(&database)?;
        let registry = Arc::new(Registry::unproved());
        Ok(Stream { registry, client, database, reader: OnceLock::new() })
    }

    /// What tells every process, this one too.
    pub fn notice(&self, tag: &Tag) -> Call {
        let mut call = SCRIPTS.notices.notice.prepare_invoke();
        call.key(key(&self.database)).arg(tag.as_bytes());
        call
    }

    /// Tells this process at once, whatever becomes of the stream.
    pub fn tell(&self, tag: &Tag) {
        self.registry.tell(tag);
    }

    fn watch(&self, tag: &Tag) -> Watch {
        self.reader.get_or_init(|| {
            let (registry, client) = (self.registry.clone(), self.client.clone());
            tokio::spawn(follow(registry, client, self.database.clone()))
        });
        self.registry.watch(tag)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.get() {
            reader.abort();
        }
    }
}

fn key(database: &Database) -> String {
    format!("{}notices", database.prefix)
}

/// How far the stream was read, and in whose history.
struct Place {
    last: String,
    history: String,
}

/// Follows the stream for ever, over a connection of its own: after 10 to 250 ms with jitter it is
/// made anew.
async fn follow(registry: Arc<Registry>, client: Client, database: Database) {
    let mut place = Place { last: "0-0".into(), history: String::new() };
    let (mut pause, mut said) = (Duration::from_millis(10), String::new());
    loop {
        let begun = Instant::now();
        let Err(error) = read_on(&registry, &client, &database, &mut place).await;
        // That it is away is told by those that wait for an answer.
        let text = error.to_string();
        if error.code().is_some() && text != said {
            tracing::warn!(
                target: "rocket_identity",
                "notices of other processes are not heard, so streams ask once a second: {text}"
            );
            said = text;
        }
        pause = match begun.elapsed() > Duration::from_secs(1) {
            true => Duration::from_millis(10),
            false => (pause * 2).min(Duration::from_millis(250)),
        };
        time::sleep(with_jitter(pause)).await;
    }
}

/// Reads until the connection is no good.
async fn read_on(
    registry: &Registry,
    client: &Client,
    database: &Database,
    place: &mut Place,
) -> Result<Infallible, RedisError> {
    let mut connection = plain(client, database).await?;
    let history = time::timeout(database.command_timeout, probe::history(&mut connection));
    let history = history.await.map_err(|_| timed_out())??;
    if place.history != history {
        // After a failover ids may go back.
        *place = Place { last: "0-0".into(), history };
    }
    // What a server forgot is in no stream.
    registry.tell_all();
    let key = key(database);
    loop {
        let asked = Instant::now();
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(COUNT).arg("BLOCK").arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(&key).arg(&place.last);
        let reply = ask(&read, &mut connection, database.command_timeout + BLOCK).await?;
        let entries = entries(reply)?;
        for (id, fields) in &entries {
            // Fields that are not known are somebody else's.
            for pair in fields.chunks_exact(2) {
                if let [Value::BulkString(name), Value::BulkString(tag)] = pair
                    && name == b"s"
                    && let Ok(tag) = tag.as_slice().try_into()
                {
                    registry.tell(&Tag::from_bytes(tag));
                }
            }
            place.last.clone_from(id);
        }
        if entries.len() < COUNT {
            registry.proved(asked);
        }
    }
}

async fn ask(
    command: &Cmd,
    connection: &mut deadpool_redis::redis::aio::MultiplexedConnection,
    limit: Duration,
) -> RedisResult<Value> {
    time::timeout(limit, command.query_async(connection)).await.map_err(|_| timed_out())?
}

type Entries = Vec<(String, Vec<Value>)>;

/// `[[key, [[id, [field, value, ..]], ..]]]`, or nothing.
fn entries(reply: Value) -> RedisResult<Entries> {
    fn pair<T: FromRedisValue>(value: Value) -> RedisResult<(T, Value)> {
        let [first, second] = list(value)?.try_into().map_err(|_| odd())?;
        Ok((from_redis_value(first)?, second))
    }
    fn list(value: Value) -> RedisResult<Vec<Value>> {
        match value {
            Value::Array(values) => Ok(values),
            _ => Err(odd()),
        }
    }
    fn odd() -> RedisError {
        std::io::Error::new(std::io::ErrorKind::InvalidData, "not a reply to XREAD").into()
    }
    if reply == Value::Nil {
        return Ok(Vec::new());
    }
    let Some(stream) = list(reply)?.pop() else { return Ok(Vec::new()) };
    let (_, found) = pair::<Value>(stream)?;
    let entry = |value| {
        let (id, fields) = pair(value)?;
        // An entry that was deleted has no fields.
        Ok((id, list(fields).unwrap_or_default()))
    };
    list(found)?.into_iter().map(entry).collect()
}

#[async_trait]
impl Notices for Link {
    fn watch(&self, tag: &Tag) -> Watch {
        self.stream().watch(tag)
    }

    async fn lives(
        &self,
        tag: &Tag,
        handle: &Handle,
    ) -> Result<Option<(Arc<Record>, Time)>, StoreError> {
        let mut call = SCRIPTS.notices.lives.prepare_invoke();
        call.key(self.key(tag)).arg(handle.to_string());
        let Some((record, seen)) = self.call::<Option<(Vec<u8>, Option<u64>)>>(call).await? else {
            return Ok(None);
        };
        let record = read_record(&record).ok_or_else(|| unreadable("not a record"))?;
        let seen = seen.map_or(record.created, Time::from_millis);
        Ok(Some((Arc::new(record), seen)))
    }
}
