//! src/redis/throttle/tests.rs: the acceptance suite and the model against a real server, and what is
//! this store's own: two processes, how long keys live, what lies in them.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::cmd;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::clock::Clock;
use crate::redis::tests::Server;
use crate::throttle::acceptance::{self, Bench, attempt, rules, with};
use crate::throttle::model;

async fn link(server: &Server) -> Arc<Link> {
    let (link, findings) = Link::open(server.database()).await.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    Arc::new(link)
}

async fn bench() -> Bench {
    let server = Server::start();
    Bench { store: link(&server).await, now: Clock::system().now(), keep: Some(server) }
}

acceptance::run_all!(bench);

async fn ask<T: deadpool_redis::redis::FromRedisValue>(link: &Link, command: &str) -> T {
    let mut words = command.split(' ');
    let mut asked = cmd(words.next().unwrap());
    for word in words {
        asked.arg(word);
    }
    link.run(async |connection| asked.query_async(connection).await).await.unwrap()
}

async fn guess(link: &Link, attempt: Attempt, now: Time) -> Answer {
    Store::attempt(link, &attempt, now, &rules()).await.unwrap()
}

#[test]
fn random_histories_of_two_processes_match_the_model_that_memory_matches() {
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = Server::start();
    let stores: [Arc<dyn Store>; 2] =
        runtime.block_on(async { [link(&server).await as _, link(&server).await as _] });
    let state = std::cell::RefCell::new((0, model::Met::default()));
    let mut runner = TestRunner::new(config);
    runner
        .run(&model::histories(120), |history| {
            let (salt, met) = &mut *state.borrow_mut();
            *salt += 1;
            runtime.block_on(model::play(&stores, *salt, &history, met))
        })
        .unwrap();
    state.borrow().1.check();
}

/// Checklist row 84, on two processes with their clocks standing still.
#[tokio::test]
async fn attempts_at_once_through_two_processes_let_through_exactly_the_burst() {
    let server = Server::start();
    let (links, now) = ([link(&server).await, link(&server).await], Clock::system().now());
    let at_once = async |of: &dyn Fn(u32) -> Attempt| {
        let all = (0..1_000u32).map(|n| guess(&links[n as usize % 2], of(n), now));
        let answers = futures_util::future::join_all(all).await;
        answers.iter().filter(|answer| answer.verdict.is_allowed()).count()
    };
    assert_eq!(at_once(&|_| attempt("ada", 1)).await, 10);
    assert_eq!(at_once(&|n| attempt("grace", n)).await, 10);
    assert_eq!(at_once(&|n| attempt(&n.to_string(), 5_000)).await, 50);
}

#[tokio::test]
async fn keys_live_as_long_as_there_is_something_to_remember_and_hold_no_name() {
    let server = Server::start();
    let (link, now) = (link(&server).await, Clock::system().now());
    let ada = with(1, attempt("ada@example.com", 0xC000_0207));
    let id = Digest::of(&[1]);
    let keys = async || {
        let mut keys: Vec<String> = ask(&link, "KEYS *").await;
        keys.sort();
        keys
    };
    // By the server's clock, and a minute more for the clock of another process.
    let left = async |key: &str| ask::<i64>(&link, &format!("PTTL {key}")).await;
    let about =
        |ms: i64, seconds: i64| ((seconds + 55) * 1_000..=(seconds + 60) * 1_000).contains(&ms);
    let (account, address) =
        (format!("ri:{{throttle}}:a:{}", ada.account), "ri:{throttle}:i:192.0.2.7");
    let devices = format!("ri:{{throttle}}:k:{}", ada.account);
    assert!(guess(&link, ada, now).await.verdict.is_allowed());
    assert_eq!(keys().await, [account.as_str(), address]);
    assert!(about(left(address).await, 5), "{}", left(address).await);
    assert!(about(left(&account).await, 60 * 60), "{}", left(&account).await);
    for failures in 2..=5 {
        guess(&link, ada, now).await.verdict.is_allowed();
        assert!(about(left(&account).await, failures * 60 * 60));
        assert!(about(left(address).await, failures * 5));
    }
    link.succeeded(&ada, &Success { paid: true, device: Some(id) }, now, &rules()).await.unwrap();
    assert_eq!(keys().await, [address, devices.as_str()]);
    assert!(about(left(address).await, 4 * 5));
    let half_a_year = 180 * 24 * 60 * 60;
    assert!(about(left(&devices).await, half_a_year));
    // An attempt of the device leaves its life as it was, and no account behind.
    assert!(guess(&link, ada, now).await.known_device);
    assert_eq!(keys().await, [address, devices.as_str()]);
    assert!(about(left(&devices).await, half_a_year));
    let quota = Quota::new(3, Duration::from_secs(60)).unwrap();
    let key = TakeKey::of("mail", &"ada@example.com");
    assert!(Store::take(&*link, &key, quota, now).await.unwrap().is_allowed());
    assert!(about(left(&format!("ri:{{throttle}}:r:{key}")).await, 60));
    assert!(
        keys().await.iter().all(|key| !key.contains("ada") && key.starts_with("ri:{throttle}:"))
    );
}

/// What an application's clock says of the year is no matter: keys live by the server's.
#[tokio::test]
async fn a_clock_that_is_years_off_neither_keeps_keys_for_years_nor_drops_them_at_once() {
    let server = Server::start();
    let link = link(&server).await;
    for (address, now) in [(1, 1_000_000_000_000), (2, 3_000_000_000_000)] {
        let now = Time::from_millis(now);
        for left in (0..10).rev() {
            let answer = guess(&link, attempt(&address.to_string(), address), now).await;
            assert_eq!(answer.verdict.standing().remaining, left);
        }
        let key = format!("ri:{{throttle}}:i:0.0.0.{address}");
        let left = ask::<i64>(&link, &format!("PTTL {key}")).await;
        assert!((100_000..=110_000).contains(&left), "{left}");
    }
    // The clock was put back: who is told to wait waits no longer than that.
    let (before, after) =
        (Time::from_millis(3_000_000_000_000), Time::from_millis(2_000_000_000_000));
    let refused = guess(&link, attempt("2", 2), before).await.verdict;
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
    let again = guess(&link, attempt("x", 2), after).await.verdict;
    assert_eq!(again.retry_after(), Some(Duration::from_secs(5)));
    let later = after.after(Duration::from_secs(5));
    assert!(guess(&link, attempt("x", 2), later).await.verdict.is_allowed());
}

#[tokio::test]
async fn what_cannot_be_read_counts_as_nothing_and_gives_way() {
    let server = Server::start();
    let (link, now) = (link(&server).await, Clock::system().now());
    let ada = with(1, attempt("ada", 1));
    let id = Digest::of(&[1]);
    let quota = Quota::new(3, Duration::from_secs(60)).unwrap();
    let key = TakeKey::of("mail", &"ada");
    let all = [
        format!("ri:{{throttle}}:a:{}", ada.account),
        "ri:{throttle}:i:0.0.0.1".to_owned(),
        format!("ri:{{throttle}}:k:{}", ada.account),
        format!("ri:{{throttle}}:r:{key}"),
    ];
    for spoilt in
        ["SET {} x", "HSET {} t x f 1e9 e -1", "HSET {} t 9999999999999999 f 2 e 99999999999999999"]
    {
        for name in &all {
            ask::<deadpool_redis::redis::Value>(&link, &format!("UNLINK {name}")).await;
            let command = spoilt.replace("{}", name);
            ask::<deadpool_redis::redis::Value>(&link, &command).await;
        }
        let answer = guess(&link, ada, now).await;
        assert!(answer.verdict.is_allowed() && !answer.known_device, "{spoilt}");
        assert_eq!(answer.verdict.standing().remaining, 9, "{spoilt}");
        let taken = Store::take(&*link, &key, quota, now).await.unwrap();
        assert_eq!(taken.standing().remaining, 2, "{spoilt}");
        for name in &all {
            ask::<deadpool_redis::redis::Value>(&link, &format!("UNLINK {name}")).await;
            let command = spoilt.replace("{}", name);
            ask::<deadpool_redis::redis::Value>(&link, &command).await;
        }
        link.succeeded(&ada, &Success { paid: true, device: Some(id) }, now, &rules())
            .await
            .unwrap();
        assert!(guess(&link, ada, now).await.known_device, "{spoilt}");
        Store::forget_devices(&*link, &ada.account).await.unwrap();
        assert!(!guess(&link, ada, now).await.known_device, "{spoilt}");
    }
}

#[tokio::test]
async fn scripts_that_were_flushed_are_loaded_again() {
    let server = Server::start();
    let (link, now) = (link(&server).await, Clock::system().now());
    ask::<()>(&link, "SCRIPT FLUSH").await;
    assert!(guess(&link, attempt("ada", 1), now).await.verdict.is_allowed());
    ask::<()>(&link, "SCRIPT FLUSH").await;
    Store::forget_devices(&*link, &attempt("ada", 1).account).await.unwrap();
}
