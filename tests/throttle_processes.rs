//! tests/throttle_processes.rs: ten thousand attempts at once, on two processes that share one Redis, and
//! on one that has none; counted where passwords are checked. Rows are those of the project's security
//! checklist.
#![cfg(all(feature = "testing", feature = "redis", feature = "password"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "processes share no clock but the machine's")]
#![allow(clippy::print_stdout, reason = "what a process tells, and the figures")]

#[path = "throttle_processes/flood.rs"]
mod flood;
#[path = "throttle_processes/process.rs"]
mod process;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flood::{Flood, Try};
use process::{Patience, Process};
use support::redis::Redis;
use tokio::sync::{Mutex, MutexGuard};

const ALL: u32 = 10_000;

/// Under way at one process while nothing is too much for it: a Redis of which more than 1,024 want
/// something at once counts as away.
const UNDER_WAY: usize = 1_000;

/// No flood may take longer.
const LIMIT: Duration = Duration::from_secs(40);

/// Nothing comes back while a flood lasts.
const SLOW: &str = r#"account_refill="1h",address_refill="1h""#;

/// Who is let through is checked, and Redis is waited for, however busy the machine is.
const PATIENT: Patience =
    Patience { password: r#"at_once=64,longest_wait="60s""#, database: r#"command_timeout="10s""# };

/// As an application has it that sets nothing.
const DEFAULTS: Patience = Patience { password: "", database: "" };

/// Processes of one application.
struct Site {
    processes: Vec<Process>,
    redis: Option<Redis>,
}

/// What a flood met.
struct Met {
    attempts: u32,
    answers: BTreeMap<u16, u32>,
    /// Passwords that were checked, whatever was answered.
    checked: u32,
    /// From before the first was sent until after the last was answered.
    lasted: Duration,
    /// From the first answer until the last was sent.
    within: Duration,
}

impl Site {
    fn two_on_redis(throttle: &str, patience: &Patience) -> Self {
        let redis = Redis::start(&[]);
        let start = || Process::start(throttle, patience, Some(&redis.url()));
        Site { processes: vec![start(), start()], redis: Some(redis) }
    }

    fn one_in_memory(throttle: &str) -> Self {
        Site { processes: vec![Process::start(throttle, &PATIENT, None)], redis: None }
    }

    async fn checked(&self) -> u32 {
        let mut checked = 0;
        for process in &self.processes {
            checked += process.checked().await;
        }
        checked
    }

    /// So many attempts, in turn at each process, as many at once as it can bear: in memory, all.
    async fn flood(&self, what: &str, attempts: u32, of: impl Fn(u32) -> Try) -> Met {
        let under_way = match self.redis {
            Some(_) => UNDER_WAY * self.processes.len(),
            None => attempts as usize,
        };
        self.flood_with(what, attempts, under_way, of).await
    }

    async fn flood_with(
        &self,
        what: &str,
        attempts: u32,
        under_way: usize,
        of: impl Fn(u32) -> Try,
    ) -> Met {
        let before = self.checked().await;
        let ports: Vec<u16> = self.processes.iter().map(|process| process.port).collect();
        let start = Instant::now();
        let Flood { answers, first_answer, last_sent } =
            flood::send(&ports, under_way, (0..attempts).map(of)).await;
        let lasted = start.elapsed();
        let checked = self.checked().await - before;
        let store = if self.redis.is_some() { "Redis" } else { "memory" };
        println!(
            "{store:6} {what:34} {checked:3} checked of {attempts:5} in {:5} ms: {answers:?}",
            lasted.as_millis()
        );
        assert!(lasted < LIMIT, "{what} took {lasted:?}");
        assert_eq!(answers.values().sum::<u32>(), attempts, "each has one answer");
        let within = last_sent.saturating_duration_since(first_answer);
        Met { attempts, answers, checked, lasted, within }
    }

    /// One attempt at the first process.
    async fn try_in(&self, one: Try) -> (u16, BTreeMap<String, String>) {
        flood::one(self.processes[0].port, one).await
    }
}

impl Met {
    fn answered(&self, status: u16) -> u32 {
        self.answers.get(&status).copied().unwrap_or_default()
    }

    /// Exactly these were let through; each of them was checked, and all others waited.
    fn is(&self, checked: u32) {
        assert_eq!(self.checked, checked);
        let (wrong, refused) = (self.answered(401), self.answered(429));
        assert_eq!((wrong, refused), (checked, self.attempts - checked), "{:?}", self.answers);
    }
}

/// An address of its own for each.
fn address(n: u32) -> String {
    format!("198.{}.{}.{}", 18 + n / 62_500, n / 250 % 250, 1 + n % 250)
}

/// Two floods at once would measure each other.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

async fn lets_through_exactly_the_quota(site: &Site) {
    let of_one = |_| Try::wrong("ada", &address(1));
    site.flood("one account, one address", ALL, of_one).await.is(10);
    let of_many = |n| Try::wrong("grace", &address(100 + n));
    site.flood("one account, as many addresses", ALL, of_many).await.is(10);
    // Ten of ada's were charged to this address already.
    let of_all = |n: u32| Try::wrong(&format!("name{n}"), &address(1));
    site.flood("as many accounts, one address", 2_000, of_all).await.is(40);
}

/// Row 84, and row 82 across instances: the count is one, whoever counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_redis_check_exactly_the_quota_of_ten_thousand() {
    let _alone = alone().await;
    lets_through_exactly_the_quota(&Site::two_on_redis(SLOW, &PATIENT)).await;
}

/// Row 84.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_without_redis_checks_exactly_the_quota_of_ten_thousand_at_once() {
    let _alone = alone().await;
    lets_through_exactly_the_quota(&Site::one_in_memory(SLOW)).await;
}

/// Row 84: what came back meanwhile is had once, by one of the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_quota_it_is_what_came_back_meanwhile_and_no_more() {
    let _alone = alone().await;
    const REFILL: Duration = Duration::from_millis(500);
    let site = Site::two_on_redis(r#"account_refill="500ms""#, &PATIENT);
    let met =
        site.flood("one account, while it refills", ALL, |n| Try::wrong("ada", &address(n))).await;
    let refilled = |span: Duration| (span.as_millis() / REFILL.as_millis()) as u32;
    let most = 10 + refilled(met.lasted);
    // Somebody asks at every moment in between, but for the last one that may come back unseen.
    let least = 10 + refilled(met.within).saturating_sub(1);
    assert!((least..=most).contains(&met.checked), "{} and not {least} to {most}", met.checked);
    met.is(met.checked);
}

/// All under way at once, more than a process can ask Redis for in time: what Redis does not answer, the
/// process counts by itself, or it answers that it cannot keep a login now. So each has one quota more
/// at most, and nobody waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_redis_can_answer_in_time_get_one_quota_of_each_process_more_at_most() {
    let _alone = alone().await;
    let site = Site::two_on_redis(SLOW, &DEFAULTS);
    let guess = |n| Try::wrong("ada", &address(n));
    let met = site.flood_with("one account, all under way at once", ALL, ALL as usize, guess).await;
    assert!(met.checked <= 10 * 3, "{}", met.checked);
    assert_eq!(met.answered(401), met.checked);
    let known = [401, 429, 503].map(|status| met.answered(status));
    assert_eq!(known.iter().sum::<u32>(), ALL, "{:?}", met.answers);
    // What Redis counted is counted, also where its answer came too late.
    for _ in 0..10 {
        assert_eq!(site.try_in(guess(1)).await.0, 429);
    }
}

/// Row 84: who knows the password waits with the others, and learns nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_passwords_among_them_are_refused_alike() {
    let _alone = alone().await;
    for site in [Site::two_on_redis(SLOW, &PATIENT), Site::one_in_memory(SLOW)] {
        for n in 0..10 {
            let (status, _) = site.try_in(Try::wrong("ada", &address(n))).await;
            assert_eq!(status, 401);
        }
        let mixed = |n: u32| match n % 2 {
            0 => Try::right("ada", &address(n)),
            _ => Try::wrong("ada", &address(n)),
        };
        site.flood("half of them right, none left", ALL, mixed).await.is(0);
        let mut refused = Vec::new();
        for one in [Try::right("ada", &address(1)), Try::wrong("ada", &address(1))] {
            let (status, mut fields) = site.try_in(one).await;
            // What is left of an hour goes on running.
            for running in ["date", "retry-after", "ratelimit"] {
                assert!(fields.remove(running).is_some(), "{running}");
            }
            refused.push((status, fields));
        }
        assert_eq!(refused[0].0, 429);
        assert_eq!(refused[0], refused[1]);

        // While there is something left a right one may be among those that are looked at. It gives
        // back the account's quota, once for each that has logged in.
        let few = |n: u32| match n {
            0..5 => Try::right("grace", &address(n)),
            _ => Try::wrong("grace", &address(n)),
        };
        let met = site.flood("five of them right, all left", 2_000, few).await;
        let logins = met.answered(200);
        assert_eq!(met.checked, logins + met.answered(401));
        assert!((10..=10 * (1 + logins)).contains(&met.checked), "{}", met.checked);
        assert_eq!(met.answered(429), 2_000 - met.checked, "{:?}", met.answers);
    }
}
