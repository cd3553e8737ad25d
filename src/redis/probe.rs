//! src/redis/probe.rs: what a new connection is asked before requests use it: whether it leads to a
//! master that evicts nothing, keeps our time, and lets our user do all that we need.

use std::iter;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, cmd, from_redis_value,
    pipe,
};
use tokio::time;

use super::connect::timed_out;
use super::{session, throttle};
use crate::clock::Clock;
use crate::config::doctor::Finding;
use crate::config::redis::Database;
use crate::secret;

/// How far the server's clock may be from ours.
const SKEW_MS: u64 = 1_000;

/// Loads the scripts and tries each of them, in two round trips; an error where the connection is
/// of no use.
pub async fn probe(
    connection: &mut MultiplexedConnection,
    database: &Database,
) -> RedisResult<Vec<Finding>> {
    let mut findings = Vec::new();
    let before = Clock::system().now().millis();
    let mut replies = ask(connection, database, &questions(database)).await?.into_iter();
    let after = Clock::system().now().millis();
    let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
    if let Some(info) = note(&mut findings, next())? {
        refuse_a_replica(info)?;
    }
    if let Some(info) = note(&mut findings, next())? {
        findings.extend(fact(&info_text(info)?, "maxmemory_policy").and_then(eviction));
    }
    if let Some(time) = note(&mut findings, next())? {
        let (seconds, micros): (u64, u64) = from_redis_value(time)?;
        findings.extend(skew(before, seconds * 1_000 + micros / 1_000, after));
    }
    for reply in replies {
        note(&mut findings, reply)?;
    }
    // A right that is missing is named already, and inside a script it would not be.
    if findings.iter().all(|finding| finding.code != "RI022") {
        for reply in ask(connection, database, &scripts(database)).await? {
            note(&mut findings, reply)?;
        }
    }
    Ok(findings)
}

/// Whether the connection still leads to a master.
pub async fn is_master(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    match cmd("INFO").arg("replication").query_async(connection).await {
        Ok(info) => refuse_a_replica(info),
        // The right was asked for at launch; what is asked here is whether it answers.
        Err(error) if error.code().is_some() && !error.is_unrecoverable_error() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Which history of writes this server has; an error where it is a replica.
pub async fn history(connection: &mut MultiplexedConnection) -> RedisResult<String> {
    let info: Value = cmd("INFO").arg("replication").query_async(connection).await?;
    refuse_a_replica(info.clone())?;
    Ok(fact(&info_text(info)?, "master_replid").unwrap_or_default().to_owned())
}

async fn ask(
    connection: &mut MultiplexedConnection,
    database: &Database,
    questions: &Pipeline,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let asking = questions.query_async(connection);
    time::timeout(database.command_timeout, asking).await.map_err(|_| timed_out())?
}

/// Facts, the scripts, and each command that they call, so that a right which is missing is named:
/// inside a script Redis only says that some command is not allowed.
fn questions(database: &Database) -> Pipeline {
    let key = probe_key(database);
    let mut all = pipe();
    all.ignore_errors();
    all.cmd("INFO").arg("replication");
    all.cmd("INFO").arg("memory");
    all.cmd("TIME");
    for script in super::scripts() {
        all.load_script(script);
    }
    all.cmd("HSET").arg(&key).arg("u").arg(0);
    all.cmd("HGET").arg(&key).arg("u");
    all.cmd("HMGET").arg(&key).arg("u");
    all.cmd("HGETALL").arg(&key);
    all.cmd("HDEL").arg(&key).arg("u");
    all.cmd("PEXPIREAT").arg(&key).arg(1);
    all.cmd("UNLINK").arg(&key);
    all.cmd("XADD").arg(&key).arg("*").arg("s").arg("");
    all.cmd("XREAD").arg("COUNT").arg(1).arg("STREAMS").arg(&key).arg("0-0");
    all.cmd("UNLINK").arg(&key);
    if database.durability.is_some() {
        all.cmd("WAIT").arg(0).arg(1);
    }
    all
}

/// Each script once, on a key of its own.
fn scripts(database: &Database) -> Pipeline {
    let key = probe_key(database);
    let now = Clock::system().now().millis();
    let mut all = pipe();
    all.ignore_errors();
    session::SCRIPTS.try_all(&mut all, &key, now);
    throttle::SCRIPTS.try_all(&mut all, &key, now);
    all
}

/// A key that no other probe looks at: two processes may connect at once.
fn probe_key(database: &Database) -> String {
    let random = secret::random_bytes::<8>().unwrap_or_default();
    format!("{}{{probe}}{}", database.prefix, secret::encode(&random))
}

fn info_text(info: Value) -> RedisResult<String> {
    Ok(from_redis_value(info)?)
}

fn fact<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().filter_map(|line| line.split_once(':')).find(|fact| fact.0 == name).map(|f| f.1)
}

fn refuse_a_replica(info: Value) -> RedisResult<()> {
    if fact(&info_text(info)?, "role") == Some("slave") {
        let kind = ErrorKind::Server(ServerErrorKind::ReadOnly);
        return Err((kind, "this server is a replica and takes no writes").into());
    }
    Ok(())
}

fn eviction(policy: &str) -> Option<Finding> {
    (policy != "noeviction").then(|| {
        let text = format!(
            "Redis evicts under maxmemory-policy {policy}: an eviction logs a user out, or gives \
             whoever guesses passwords a fresh burst; set maxmemory-policy noeviction"
        );
        Finding::warn("RI020", text)
    })
}

fn skew(before: u64, theirs: u64, after: u64) -> Option<Finding> {
    let apart = apart(before, theirs, after);
    (apart > SKEW_MS).then(|| {
        let text = format!(
            "this machine's clock and that of Redis are {apart} ms apart: a login may be refused \
             after a logout everywhere, and expiry is off by as much; run NTP on both"
        );
        Finding::warn("RI021", text)
    })
}

/// How far their clock is at least from ours, theirs having been read at some moment between.
fn apart(before: u64, theirs: u64, after: u64) -> u64 {
    before.saturating_sub(theirs).max(theirs.saturating_sub(after))
}

/// A missing right and a refusal of writes are findings; all else means that the connection is no
/// good.
fn note(findings: &mut Vec<Finding>, reply: RedisResult<Value>) -> RedisResult<Option<Value>> {
    let error = match reply {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    let text = error.to_string();
    let finding = if let Some(what_is_refused) = refused(&error) {
        Finding::warn("RI025", format!("{what_is_refused}, with 503, until Redis takes it: {text}"))
    } else if is_denied(&error, &text) {
        let text =
            format!("the Redis user lacks a right: {text}; docs/redis.md has the whole rule");
        Finding::refuse("RI022", text)
    } else {
        return Err(error);
    };
    // Each command of a full Redis would say so once more.
    let repeats = finding.code == "RI025" && findings.iter().any(|other| other.code == "RI025");
    findings.extend(iter::once(finding).filter(|_| !repeats));
    Ok(None)
}

/// What a Redis that refuses writes does not do, by the code that it gives. Reads go on.
fn refused(error: &RedisError) -> Option<&'static str> {
    match error.code()? {
        // Scripts that end something are let through: it is what a full Redis needs most.
        "OOM" => Some("Redis has no room, so logins are refused (logouts are not)"),
        "MISCONF" => Some("Redis cannot write to its disk, so logins and logouts are refused"),
        "NOREPLICAS" => Some("Redis has too few replicas, so logins and logouts are refused"),
        _ => None,
    }
}

fn is_denied(error: &RedisError, text: &str) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || text.contains("no permissions")
        || text.contains("can't run this command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew_and_a_clock_that_is_off_is_one_in_both_directions() {
        assert_eq!(apart(10_000, 12_000, 15_000), 0);
        assert_eq!(apart(10_000, 8_500, 10_001), 1_500);
        assert_eq!(apart(10_000, 11_600, 10_001), 1_599);
        assert!(skew(10_000, 10_900, 10_001).is_none() && skew(10_000, 12_000, 10_001).is_some());
    }
}
