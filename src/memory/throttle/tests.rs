//! src/memory/throttle/tests.rs: the acceptance suite and the model on this store, and what is its own:
//! threads, the bound, what is left behind.

mod measured;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::throttle::acceptance::{self, Bench, attempt, rules, with};
use crate::throttle::{Store, model};

const NOW: Time = Time::from_millis(1_800_000_000_000);

async fn bench() -> Bench {
    Bench { store: Arc::new(Throttles::new(10_000)), now: NOW, keep: None }
}

acceptance::run_all!(bench);

fn allows(store: &Throttles, attempt: Attempt, now: Time) -> bool {
    Limiter::attempt(store, &attempt, now, &rules()).verdict.is_allowed()
}

/// How many of `most` attempts at accounts of their own, from addresses of their own, go through.
fn strangers(store: &Throttles, from: u32, most: u32, now: Time) -> u32 {
    let one = |n: u32| u32::from(allows(store, attempt(&n.to_string(), n), now));
    (from..from + most).map(one).sum()
}

impl Throttles {
    /// Entries of accounts, of all else, of accounts with devices; and what was counted of them.
    fn sizes(&self) -> ([usize; 3], [usize; 2]) {
        let accounts = self.accounts.iter().map(|shard| {
            let shard = lock(shard);
            let (states, devices) = (shard.states.sizes(), shard.devices.sizes());
            assert!(states.0 == states.1 && devices.0 == devices.1);
            (states.0, devices.0)
        });
        let (states, devices) = accounts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let addresses = self.addresses.iter().map(|shard| lock(shard).sizes().0).sum::<usize>();
        let routes = self.routes.iter().map(|shard| lock(shard).sizes().0).sum::<usize>();
        let places = [&self.entries, &self.route_entries, &self.acquainted];
        let [entries, own, acquainted] = places.map(|all| all.taken.load(Ordering::SeqCst));
        ([states, addresses + routes, devices], [entries + own, acquainted])
    }
}

#[test]
fn random_histories_match_a_sequential_model() {
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let met = std::cell::RefCell::new(model::Met::default());
    let mut runner = TestRunner::new(config);
    runner
        .run(&model::histories(120), |history| {
            let store: Arc<dyn Store> = Arc::new(Throttles::new(10_000));
            runtime.block_on(model::play(&[store], 0, &history, &mut met.borrow_mut()))
        })
        .unwrap();
    met.borrow().check();
}

/// Ten thousand at once, with the clock standing still.
fn at_once(of: impl Fn(u32) -> Attempt + Sync) -> u32 {
    let (store, had) = (Throttles::new(100_000), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (store, had, of) = (&store, &had, &of);
            scope.spawn(move || {
                for n in 0..625 {
                    let allowed = allows(store, of(thread * 625 + n), NOW);
                    had.fetch_add(u32::from(allowed), Ordering::SeqCst);
                }
            });
        }
    });
    had.into_inner()
}

/// Checklist row 84.
#[test]
fn ten_thousand_attempts_at_once_let_through_exactly_the_burst() {
    assert_eq!(at_once(|_| attempt("ada", 1)), 10);
    assert_eq!(at_once(|n| attempt("ada", n)), 10);
    assert_eq!(at_once(|n| attempt(&n.to_string(), 1)), 50);
    assert_eq!(at_once(|n| attempt(&n.to_string(), n)), 10_000);
    assert_eq!(at_once(|n| attempt(&(n % 7).to_string(), n % 70)), 70);
}

#[test]
fn who_fills_the_store_frees_no_bucket_and_those_without_a_place_share_one() {
    let store = Throttles::new(1_000);
    for _ in 0..10 {
        assert!(allows(&store, attempt("ada", 1), NOW));
    }
    for account in 0..45 {
        assert!(allows(&store, attempt(&format!("of one {account}"), 2), NOW));
    }
    // Each takes two places, until all are taken; then ten share one bucket of an account.
    let places = 1_000 - store.sizes().1[0] as u32;
    assert_eq!(strangers(&store, 10_000, 5_000, NOW), places / 2 + 10);
    let (entries, taken) = store.sizes();
    assert!(entries[0] + entries[1] <= 1_000 && taken[0] == entries[0] + entries[1]);
    // The victim and the address that was nearly out of guesses stand where they stood.
    assert!(!allows(&store, attempt("ada", 3), NOW));
    for account in 0..5 {
        assert!(allows(&store, attempt(&format!("of one {account}"), 2), NOW));
    }
    assert!(!allows(&store, attempt("of one 9", 2), NOW));
    // One more each refill, for all of them together, ...
    let later = NOW.after(Duration::from_secs(30));
    assert_eq!(strangers(&store, 20_000, 100, later), 1);
    // ... until the buckets have drained: then their places are free.
    let drained = NOW.after(Duration::from_secs(30 + 61));
    assert_eq!(strangers(&store, 30_000, 100, drained), 100);
    assert!(allows(&store, attempt("ada", 3), drained));
}

#[test]
fn a_success_keeps_no_shared_bucket_open() {
    let store = Throttles::new(100);
    strangers(&store, 0, 5_000, NOW);
    for _ in 0..100 {
        Limiter::succeeded(&store, &attempt("mallory", 9_999), &Success::default(), NOW, &rules());
    }
    assert!(!allows(&store, attempt("ada", 9_999), NOW));
}

/// Checklist row 83, where there is no place left for the victim's address.
#[test]
fn a_known_device_is_let_in_while_the_store_is_full_of_strangers() {
    let store = Throttles::new(100);
    let id = Digest::of(&[1]);
    Limiter::succeeded(
        &store,
        &attempt("ada", 1),
        &Success { paid: true, device: Some(id) },
        NOW,
        &rules(),
    );
    strangers(&store, 10, 5_000, NOW);
    let home = with(1, attempt("ada", 1));
    for _ in 0..10 {
        let answer = Limiter::attempt(&store, &home, NOW, &rules());
        assert!(answer.known_device && answer.verdict.is_allowed());
    }
    assert!(!allows(&store, home, NOW), "its own bucket bounds it");
    assert!(!allows(&store, attempt("ada", 2), NOW));
}

#[test]
fn the_account_with_the_fewest_failures_gives_its_place_first_and_none_before_it_has_drained() {
    let store = Throttles::new(60);
    for guess in 0..10 {
        assert!(allows(&store, attempt("ada", guess), NOW));
    }
    let quiet = NOW.after(Duration::from_secs(10 * 60));
    // Again and again twenty accounts of one failure: the ten of the victim are remembered.
    for round in 0..20 {
        let now = quiet.after(Duration::from_secs(2 * 60 * round));
        assert_eq!(strangers(&store, 1_000 * (1 + round as u32), 20, now), 20, "{round}");
    }
    let held =
        store.accounts(&AccountKey::of("", "ada")).states.find(&attempt("ada", 0).account).copied();
    assert_eq!(held.map(|account| account.failures), Some(10));
}

#[test]
fn nothing_is_left_of_what_has_drained_and_the_count_is_right() {
    let store = Throttles::new(1_000);
    let quota = Quota::new(2, Duration::from_secs(60)).unwrap();
    strangers(&store, 0, 200, NOW);
    for n in 0..200 {
        let _ = Limiter::take(&store, &TakeKey::of("mail", &n), quota, NOW);
        let id = Digest::of(&[1]);
        let one = attempt(&n.to_string(), n);
        Limiter::succeeded(
            &store,
            &one,
            &Success { paid: true, device: (n % 2 == 0).then_some(id) },
            NOW,
            &rules(),
        );
    }
    assert_eq!(store.sizes(), ([0, 400, 100], [400, 100]));
    let later = NOW.after(Duration::from_secs(2 * 60));
    for _ in 0..100 {
        store.sweep(later.millis());
    }
    assert_eq!(store.sizes(), ([0, 0, 100], [0, 100]));
    for n in 0..200 {
        Limiter::forget_devices(&store, &attempt(&n.to_string(), n).account);
    }
    assert_eq!(store.sizes(), ([0, 0, 0], [0, 0]));
}

#[test]
fn a_route_without_a_place_shares_the_bucket_of_its_own_quota() {
    let store = Throttles::new(10);
    let quota = |burst| Quota::new(burst, Duration::from_secs(60 * 60)).unwrap();
    let take = |n: u32, burst| {
        let key = TakeKey::of("mail", &n);
        u32::from(Limiter::take(&store, &key, quota(burst), NOW).is_allowed())
    };
    assert_eq!((0..100).map(|n| take(n, 3)).sum::<u32>(), 10 + 3);
    assert_eq!((100..200).map(|n| take(n, 5)).sum::<u32>(), 5);
}

/// Who asks for mails in made-up names shuts no login.
#[test]
fn routes_that_are_full_take_no_place_of_a_login() {
    let store = Throttles::new(100);
    let quota = Quota::new(3, Duration::from_secs(20 * 60)).unwrap();
    for n in 0..5_000 {
        let _ = Limiter::take(&store, &TakeKey::of("mail", &n), quota, NOW);
    }
    assert_eq!(strangers(&store, 0, 40, NOW), 40);
}
