//! src/redis/probe.rs: what a new connection is asked before requests use it: whether it leads to a
//! master that evicts nothing, keeps our time, and lets our user do all that we need.

use std::collections::HashMap;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    ErrorKind, RedisError, RedisResult, ScriptInvocation, ServerErrorKind, Value, cmd, pipe,
};

use super::session::SCRIPTS;
use crate::clock::Clock;
use crate::config::doctor::Finding;
use crate::secret;

/// How far the server's clock may be from ours.
const SKEW_MS: u64 = 1_000;

/// Loads the scripts and tries each of them; an error where the connection is of no use.
pub async fn probe(
    connection: &mut MultiplexedConnection,
    prefix: &str,
) -> RedisResult<Vec<Finding>> {
    let mut findings = Vec::new();
    match info(connection, "replication").await {
        Ok(facts) if facts.get("role").is_some_and(|role| role == "slave") => {
            return Err(read_only());
        }
        other => note(&mut findings, other.err())?,
    }
    match info(connection, "memory").await {
        Ok(facts) => findings.extend(facts.get("maxmemory_policy").and_then(eviction)),
        Err(error) => note(&mut findings, Some(error))?,
    }
    match skew(connection).await {
        Ok(found) => findings.extend(found),
        Err(error) => note(&mut findings, Some(error))?,
    }
    for script in SCRIPTS.all() {
        note(&mut findings, script.load_async(connection).await.err())?;
    }
    try_commands(connection, prefix, &mut findings).await?;
    if findings.iter().all(|finding| finding.code != "RI022") {
        note(&mut findings, try_scripts(connection, prefix).await.err())?;
    }
    Ok(findings)
}

/// Each command that the scripts call, so that a right which is missing is named: inside a script
/// Redis only says that some command is not allowed.
async fn try_commands(
    connection: &mut MultiplexedConnection,
    prefix: &str,
    findings: &mut Vec<Finding>,
) -> RedisResult<()> {
    let key = probe_key(prefix);
    let mut commands = pipe();
    commands.ignore_errors();
    commands.cmd("HSET").arg(&key).arg("u").arg(0);
    commands.cmd("HGET").arg(&key).arg("u");
    commands.cmd("HMGET").arg(&key).arg("u");
    commands.cmd("HEXISTS").arg(&key).arg("u");
    commands.cmd("HKEYS").arg(&key);
    commands.cmd("HGETALL").arg(&key);
    commands.cmd("HDEL").arg(&key).arg("u");
    commands.cmd("PEXPIREAT").arg(&key).arg(1);
    commands.cmd("UNLINK").arg(&key);
    let replies: Vec<RedisResult<Value>> = commands.query_async(connection).await?;
    for reply in replies {
        note(findings, reply.err())?;
    }
    Ok(())
}

/// A key that no other probe looks at: two processes may connect at once.
fn probe_key(prefix: &str) -> String {
    let random = secret::random_bytes::<8>().unwrap_or_default();
    format!("{prefix}{{probe}}{}", secret::encode(&random))
}

async fn info(
    connection: &mut MultiplexedConnection,
    section: &str,
) -> RedisResult<HashMap<String, String>> {
    let text: String = cmd("INFO").arg(section).query_async(connection).await?;
    let facts = text.lines().filter_map(|line| line.split_once(':'));
    Ok(facts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn eviction(policy: &String) -> Option<Finding> {
    (policy != "noeviction").then(|| {
        let text = format!(
            "Redis evicts under maxmemory-policy {policy}: an eviction logs a user out; set \
             maxmemory-policy noeviction"
        );
        Finding::warn("RI020", text)
    })
}

async fn skew(connection: &mut MultiplexedConnection) -> RedisResult<Option<Finding>> {
    let before = Clock::system().now().millis();
    let (seconds, micros): (u64, u64) = cmd("TIME").query_async(connection).await?;
    let after = Clock::system().now().millis();
    let theirs = seconds * 1_000 + micros / 1_000;
    let apart = apart(before, theirs, after);
    Ok((apart > SKEW_MS).then(|| {
        let text = format!(
            "this machine's clock and that of Redis are {apart} ms apart: a login may be refused \
             after a logout everywhere, and expiry is off by as much; run NTP on both"
        );
        Finding::warn("RI021", text)
    }))
}

/// How far their clock is at least from ours, theirs having been read at some moment between.
fn apart(before: u64, theirs: u64, after: u64) -> u64 {
    before.saturating_sub(theirs).max(theirs.saturating_sub(after))
}

/// Runs each script once on a key of its own, so that a right which is missing is named now.
async fn try_scripts(connection: &mut MultiplexedConnection, prefix: &str) -> RedisResult<()> {
    let key = probe_key(prefix);
    let (login, touch, end, end_all) = SCRIPTS.each();
    let id = [0u8; 32];
    let now = Clock::system().now().millis();
    let record = format!("1 {now} {} {now} 0 - -", now + 1_000);
    let user = format!("0 {now} 0");
    let mut begin = login.prepare_invoke();
    begin.key(&key).arg(&id).arg(record).arg(user).arg(now).arg("").arg(1).arg(now).arg(1_000);
    begin.invoke_async::<String>(connection).await?;
    run(connection, touch.key(&key).arg(&id).arg(now).arg(now + 1_000)).await?;
    run(connection, end.key(&key).arg(&id)).await?;
    run(connection, &mut end_all.key(&key)).await?;
    // The revocation that the last script left is nobody's.
    cmd("UNLINK").arg(&key).query_async::<u64>(connection).await.map(drop)
}

async fn run(
    connection: &mut MultiplexedConnection,
    call: &mut ScriptInvocation<'_>,
) -> RedisResult<()> {
    call.invoke_async::<u64>(connection).await.map(drop)
}

/// A missing right and a full memory are findings; all else means that the connection is no good.
fn note(findings: &mut Vec<Finding>, error: Option<RedisError>) -> RedisResult<()> {
    let Some(error) = error else { return Ok(()) };
    if matches!(error.code(), Some("OOM" | "MISCONF" | "NOREPLICAS")) {
        // Reads go on, and logouts where there is no room: what a full Redis needs most.
        let text = format!("Redis takes no new data, so logins get 503 until it does: {error}");
        // Each command would say so once more.
        if findings.iter().all(|finding| finding.code != "RI025") {
            findings.push(Finding::warn("RI025", text));
        }
        return Ok(());
    }
    let text = error.to_string();
    let denied = error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || text.contains("no permissions")
        || text.contains("can't run this command");
    if !denied {
        return Err(error);
    }
    let text = format!("the Redis user lacks a right: {text}; docs/redis.md has the whole rule");
    findings.push(Finding::refuse("RI022", text));
    Ok(())
}

fn read_only() -> RedisError {
    let kind = ErrorKind::Server(ServerErrorKind::ReadOnly);
    (kind, "this server is a replica and takes no writes").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew_and_a_clock_that_is_off_is_one_in_both_directions() {
        assert_eq!(apart(10_000, 12_000, 15_000), 0);
        assert_eq!(apart(10_000, 8_500, 10_001), 1_500);
        assert_eq!(apart(10_000, 11_600, 10_001), 1_599);
    }
}
