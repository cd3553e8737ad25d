//! src/memory/tests.rs: the acceptance suite on this store, and what is its own: bound, leak, locks.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::Lifetimes;
use crate::session::acceptance::{self, Bench};
use crate::session::acceptance_data;
use crate::session::acceptance_notice;
use crate::session::interleavings::{self, Played};
use crate::session::{Login, Resumed, Service, StoredUser};
use crate::ticket::Ticket;
use crate::user::UserId;

async fn bench() -> Bench {
    let clock = clock();
    Bench { store: Arc::new(Memory::new(1_000, clock.clone())), clock, keep: None }
}

acceptance::run_all!(bench);
acceptance_data::run_all!(bench);
acceptance_notice::run_all!(bench);

fn clock() -> Clock {
    Clock::stopped_at(Time::from_millis(1_800_000_000_000))
}

fn small(max_sessions: usize) -> (Arc<Memory>, Service, Clock) {
    let clock = clock();
    let memory = Arc::new(Memory::new(max_sessions, clock.clone()));
    let sessions = Service::new(memory.clone(), clock.clone(), Lifetimes::default());
    (memory, sessions, clock)
}

fn login<'a>(id: u32, clock: &Clock, presented: &'a [Ticket]) -> Login<'a> {
    Login {
        tag: Tag::of("", &UserId::from(id)),
        user: StoredUser { version: 1, json: "{}".into(), as_of: clock.now() },
        remembered: false,
        user_agent: None,
        address: None,
        presented,
        own_revocation: None,
    }
}

fn kept(memory: &Memory) -> (usize, usize, usize) {
    let sizes = memory.shards.iter().map(|shard| lock(shard).sizes());
    let (users, due) = sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
    (memory.sessions.load(Ordering::SeqCst), users, due)
}

#[tokio::test]
async fn two_thousand_seeded_interleavings_match_a_sequential_model() {
    let mut played = Played::default();
    for seed in 1..=2_000 {
        let bench = bench().await;
        let other = bench.store.clone();
        let one = interleavings::play(bench, other, seed).await;
        played += one.unwrap_or_else(|differs| panic!("seed {seed}: {differs}"));
    }
    played.must_have_seen(500);
}

#[tokio::test]
async fn a_full_store_refuses_a_login_and_evicts_nobody_until_somebody_expires() {
    let (_, sessions, clock) = small(3);
    let mut tickets = Vec::new();
    for id in 0..3 {
        tickets.push(sessions.begin(login(id, &clock, &[])).await.unwrap().0);
        clock.advance(Duration::from_secs(60));
    }
    let failure = sessions.begin(login(9, &clock, &[])).await.unwrap_err();
    assert_eq!(failure.reason.code(), "store_full");
    for ticket in &tickets {
        assert!(matches!(sessions.resume(ticket).await.unwrap(), Resumed::Live { .. }));
    }
    clock.advance(Duration::from_secs(30 * 60));
    sessions.begin(login(9, &clock, &[])).await.unwrap();
}

/// Also where more are due in the shard than one login sweeps.
#[tokio::test]
async fn an_expired_session_of_a_user_takes_no_place_of_the_living_ones() {
    let (memory, _, clock) = small(1_000);
    let lifetimes = Lifetimes { max_per_user: 2, ..Lifetimes::default() };
    let sessions = Service::new(memory.clone(), clock.clone(), lifetimes);
    let shard = |login: &Login<'_>| usize::from(login.tag.as_bytes()[0]) % SHARDS;
    let own = shard(&login(0, &clock, &[]));
    let neighbours = (1..).map(|id| login(id, &clock, &[])).filter(|other| shard(other) == own);
    for neighbour in neighbours.take(40) {
        sessions.begin(neighbour).await.unwrap();
    }
    let remembered = Login { remembered: true, ..login(0, &clock, &[]) };
    let (kept, _) = sessions.begin(remembered).await.unwrap();
    clock.advance(Duration::from_secs(1));
    sessions.begin(login(0, &clock, &[])).await.unwrap();
    clock.advance(Duration::from_secs(60 * 60));
    sessions.begin(login(0, &clock, &[])).await.unwrap();
    assert!(matches!(sessions.resume(&kept).await.unwrap(), Resumed::Live { .. }));
}

#[tokio::test]
async fn a_full_store_takes_a_login_that_ends_another_session() {
    let (memory, sessions, clock) = small(1);
    let (ticket, _) = sessions.begin(login(1, &clock, &[])).await.unwrap();
    let (ticket, _) = sessions.begin(login(1, &clock, &[ticket])).await.unwrap();
    assert!(sessions.begin(login(2, &clock, &[])).await.is_err());
    assert_eq!(kept(&memory), (1, 1, 1));
    sessions.end(&ticket).await.unwrap();
    sessions.begin(login(2, &clock, &[])).await.unwrap();
}

#[tokio::test]
async fn a_refused_login_takes_no_place() {
    let (memory, sessions, clock) = small(10);
    let under_way = login(1, &clock, &[]);
    clock.advance(Duration::from_secs(5));
    sessions.end_all(&under_way.tag).await.unwrap();
    assert!(sessions.begin(under_way).await.is_err());
    assert_eq!(kept(&memory).0, 0);
}

#[tokio::test]
async fn nothing_is_kept_of_sessions_that_ended_in_any_way() {
    let (memory, sessions, clock) = small(1_000);
    for id in 0..50 {
        let (ticket, _) = sessions.begin(login(id, &clock, &[])).await.unwrap();
        let (ticket, _) = sessions.begin(login(id, &clock, &[ticket])).await.unwrap();
        match id % 3 {
            0 => drop(sessions.end(&ticket).await.unwrap()),
            1 => drop(sessions.end_all(ticket.tag()).await.unwrap()),
            _ => {}
        }
    }
    clock.advance(Duration::from_secs(25 * 60 * 60));
    memory.sweep(clock.now());
    assert_eq!(kept(&memory), (0, 0, 0));
}

#[tokio::test]
async fn a_request_for_one_user_does_not_wait_for_the_lock_of_another() {
    let (memory, sessions, clock) = small(1_000);
    let (ticket, _) = sessions.begin(login(1, &clock, &[])).await.unwrap();
    let held: Vec<_> = (0..SHARDS)
        .filter(|shard| *shard != usize::from(ticket.tag().as_bytes()[0]) % SHARDS)
        .map(|shard| lock(&memory.shards[shard]))
        .collect();
    assert_eq!(held.len(), SHARDS - 1);
    assert!(matches!(sessions.resume(&ticket).await.unwrap(), Resumed::Live { .. }));
}

/// A million logins of a thousand users: the resident memory stands where it stood after the
/// first tenth, within a tenth. In a process of its own, since memory is the whole process's.
#[test]
fn a_million_logins_leave_no_more_behind_than_a_hundred_thousand() {
    const NAME: &str =
        "memory::tests::a_million_logins_leave_no_more_behind_than_a_hundred_thousand";
    const MARK: &str = "RI_MILLION_LOGINS";
    if std::env::var_os(MARK).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        return runtime.block_on(a_million_logins());
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", NAME, "--nocapture"]).env(MARK, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn a_million_logins() {
    let (memory, sessions, clock) = small(100_000);
    let mut after_a_tenth = 0;
    for n in 0..1_000_000u32 {
        clock.advance(Duration::from_millis(20));
        sessions.begin(login(n % 1_000, &clock, &[])).await.unwrap();
        if n == 100_000 {
            after_a_tenth = resident_kib();
        }
    }
    let (count, users, due) = kept(&memory);
    assert!(count <= 50_000 && users <= 1_000 && due <= 50_000, "{count} {users} {due}");
    let now = resident_kib();
    assert!(now < after_a_tenth * 11 / 10, "from {after_a_tenth} KiB to {now} KiB");
}

/// Resident memory of this process, as the kernel counts it.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
