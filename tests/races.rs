//! tests/races.rs: ten thousand logouts on two processes that share one Redis, each raced by reads, touches
//! and data writes in both. Rows are those of the project's security checklist.
#![cfg(all(feature = "testing", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "processes share no clock but the machine's")]
#![allow(clippy::print_stdout, reason = "what a process tells, and the figures")]

#[path = "streams/app.rs"]
mod app;
#[path = "races/client.rs"]
mod client;
#[path = "streams/process.rs"]
mod process;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use app::{get, log_in, post};
use client::Client;
use deadpool_redis::redis::cmd;
use process::Process;
use rocket::futures::future::{BoxFuture, join_all};
use support::redis::Redis;

const LANES: u64 = 4;
const BATCHES: u64 = 50;
const BATCH: u64 = 50;

/// So short that each request after a fifth of a second is a touch.
const IDLE: &str = r#"idle="2s""#;
const TOUCH: Duration = Duration::from_millis(200);

/// All sessions and values that are left.
const LEFT: &str = "
local sessions, values = 0, 0
for _, key in ipairs(redis.call('KEYS', 'ri:{*')) do
    if string.find(key, '}:', 1, true) then
        values = values + 1
    else
        for _, field in ipairs(redis.call('HKEYS', key)) do
            if string.match(field, '^[st]:') then sessions = sessions + 1 end
        end
    end
end
return {sessions, values}";

/// What a request was and what it met, how often.
type Met = BTreeMap<(&'static str, u16), u32>;

/// Rows 11, 13 and 14, across processes: what was revoked here is refused there at once.
#[tokio::test]
async fn a_session_revoked_here_is_refused_there_on_the_next_request() {
    let redis = Redis::start(&[]);
    let (one, two) = (Process::start(&redis.url(), ""), Process::start(&redis.url(), ""));
    for user in 0..50 {
        let (here, there) = match user % 2 {
            0 => (one.address, two.address),
            _ => (two.address, one.address),
        };
        let (phone, laptop) = (log_in(here, user).await, log_in(there, user).await);
        assert_eq!(get(there, "/me", &phone).await.status, 200);
        let devices = get(there, "/devices", &phone).await.body;
        let handle = devices.lines().next().unwrap();
        assert_eq!(post(here, &format!("/revoke/{handle}"), &laptop).await.body, "true");
        assert_eq!(get(there, "/me", &phone).await.status, 401);
        assert_eq!(post(there, &format!("/revoke/{handle}"), &laptop).await.body, "false");
        let phone = log_in(here, user).await;
        assert_eq!(post(here, "/revoke-others", &phone).await.body, "1");
        assert_eq!(get(there, "/me", &laptop).await.status, 401);
        assert_eq!(post(there, &format!("/lock/{user}"), "").await.status, 200);
        assert_eq!(get(here, "/me", &phone).await.status, 401);
    }
}

/// Row 11: nothing that is under way brings back what was logged out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_logouts_raced_in_both_processes_none_is_undone_and_none_fails() {
    let redis = Redis::start(&[]);
    let (one, two) = (Process::start(&redis.url(), IDLE), Process::start(&redis.url(), IDLE));
    let start = Instant::now();
    let lanes = (0..LANES).map(|lane| {
        let (one, two) = (one.address, two.address);
        tokio::spawn(async move {
            let clients = [Client::to(one).await, Client::to(two).await];
            let mut met = Met::new();
            for batch in 0..BATCHES {
                let first = (lane * BATCHES + batch) * BATCH;
                for each in race(&clients, first).await {
                    *met.entry(each).or_default() += 1;
                }
            }
            met
        })
    });
    let mut all = Met::new();
    for lane in lanes.collect::<Vec<_>>() {
        for (what, count) in lane.await.unwrap() {
            *all.entry(what).or_default() += count;
        }
    }
    println!("{:?} for {all:?}", start.elapsed());
    let count = |what, status| all.get(&(what, status)).copied().unwrap_or_default();
    let logouts = (LANES * BATCHES * BATCH) as u32;
    assert_eq!(count("logout", 200), logouts, "each is answered: {all:?}");
    assert_eq!(count("after", 401), logouts, "and final: {all:?}");
    for what in ["read", "write"] {
        let (before, after) = (count(what, 200), count(what, 401));
        assert_eq!(before + after, 2 * logouts, "{what}: {all:?}");
        // They did race: some came first, and some did not.
        assert!(before.min(after) > logouts / 100, "{what}: {all:?}");
    }
    let left: (u32, u32) = redis.ask(cmd("EVAL").arg(LEFT).arg(0));
    assert_eq!(left, (0, 0), "sessions and values that are left");
}

/// One batch: logs in, waits until a touch is due, and then logs each session out while both processes
/// read it and write to it.
async fn race(clients: &[Client; 2], first: u64) -> Vec<(&'static str, u16)> {
    let users = first..first + BATCH;
    let cookies = join_all(users.map(|user| clients[user as usize % 2].log_in(user))).await;
    tokio::time::sleep(TOUCH).await;
    let raced = cookies.iter().zip(first..).map(|(cookie, n)| {
        let client = &clients[n as usize / 2 % 2];
        let path = if n % 5 == 0 { "/logout-everywhere" } else { "/logout" };
        let mut requests: Vec<BoxFuture<'_, _>> = vec![
            Box::pin(async move { ("logout", client.post(path, cookie).await) }),
            Box::pin(async move { ("read", clients[0].get("/me", cookie).await) }),
            Box::pin(async move { ("read", clients[1].get("/me", cookie).await) }),
            Box::pin(async move { ("write", clients[0].post("/data/cart/1", cookie).await) }),
            Box::pin(async move { ("write", clients[1].post("/data/theme/2", cookie).await) }),
        ];
        // Each is the first as often as any other.
        requests.rotate_left((n / 4 % 5) as usize);
        join_all(requests)
    });
    let mut met: Vec<_> = join_all(raced).await.into_iter().flatten().collect();
    let after = cookies.iter().zip(first..).map(|(cookie, n)| async move {
        ("after", clients[n as usize % 2].get("/me", cookie).await)
    });
    met.extend(join_all(after).await);
    met
}
