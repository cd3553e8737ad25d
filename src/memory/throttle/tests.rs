//! src/memory/throttle/tests.rs: the acceptance suite and the model on this store, and what is its own:
//! threads, the bound, what is left behind.

use std::process::Command;
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

/// Resident bytes of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Runs the test of this name in a process of its own, where no other takes memory too.
fn alone(name: &str, measure: impl FnOnce()) {
    const ALONE: &str = "THROTTLE_MEMORY_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return measure();
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let name = format!("memory::throttle::tests::{name}");
    let alone = alone.args(["--exact", &name, "--nocapture"]).env(ALONE, "1");
    assert!(alone.status().unwrap().success());
}

/// `scripts/throttle-memory` prints the figures.
#[test]
fn a_flood_of_made_up_names_and_addresses_takes_no_more_memory_than_its_places() {
    alone("a_flood_of_made_up_names_and_addresses_takes_no_more_memory_than_its_places", flood);
}

#[test]
fn an_account_that_knows_ten_devices_takes_at_most_so_much_memory() {
    alone("an_account_that_knows_ten_devices_takes_at_most_so_much_memory", devices);
}

#[allow(clippy::print_stdout, reason = "the figures")]
fn flood() {
    const PLACES: usize = 100_000;
    let rounds = std::env::var("THROTTLE_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    // What the allocator takes once, and not for this.
    strangers(&Throttles::new(1_000), 0, 1_000, NOW);

    let (store, empty) = (Throttles::new(PLACES), resident());
    strangers(&store, 0, PLACES as u32 / 2, NOW);
    let full = resident();
    assert_eq!(strangers(&store, 5_000_000, 20_000, NOW), 10, "all places are taken");
    let flooded = resident();
    // Whoever waits until others have drained gets their places.
    for round in 1..=rounds {
        let now = NOW.after(Duration::from_secs(120 * round));
        strangers(&store, 10_000_000 + 20_000 * round as u32, 20_000, now);
    }
    let each = |bytes: usize| bytes.saturating_sub(empty) / PLACES;
    let (entries, turned) = (store.sizes().1[0], resident());
    println!("{PLACES} entries of the throttle in memory, bytes each:");
    println!("  an account or an address  {} (at most 200)", each(full));
    println!("  and 20,000 beyond         {}", each(flooded));
    println!("  {:9} later ones       {} (at most 320)", 20_000 * rounds, each(turned));
    assert!(entries <= PLACES, "{entries}");
    assert!(each(full) <= 200 && each(turned) <= 320);
    assert!(flooded <= full + (1 << 20), "{full} and {flooded}");
}

#[allow(clippy::print_stdout, reason = "the figures")]
fn devices() {
    let acquaint = |store: &Throttles, accounts: std::ops::Range<u32>, devices: u32| {
        for (account, device) in accounts.flat_map(|n| (0..devices).map(move |device| (n, device)))
        {
            let id = Digest::of(&[account.to_be_bytes(), device.to_be_bytes()].concat());
            let one = attempt(&account.to_string(), 1);
            Limiter::succeeded(
                store,
                &one,
                &Success { paid: true, device: Some(id) },
                NOW,
                &rules(),
            );
        }
    };
    acquaint(&Throttles::new(1_000), 0..1_000, 10);
    let (store, empty) = (Throttles::new(100_000), resident());
    acquaint(&store, 0..20_000, 1);
    let one = (resident() - empty) / 20_000;
    let before = resident();
    acquaint(&store, 20_000..40_000, 10);
    let ten = (resident() - before) / 20_000;
    println!("accounts with known devices in memory, bytes each:");
    println!("  an account's one device   {one} (at most 500)");
    println!("  its ten devices           {ten} (at most 1,600)");
    assert!(one <= 500 && ten <= 1_600, "{one} and {ten} bytes");
}
