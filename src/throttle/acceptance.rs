//! src/throttle/acceptance.rs: what every store must do for the throttle. A backend runs it by
//! `acceptance::run_all!(bench)`, where `bench` is an async function that makes a `Bench`.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::Time;
use crate::secret::Digest;

/// An empty store, and the present moment of this test.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub now: Time,
    /// What must live as long as the store does.
    #[expect(dead_code, reason = "held until the test is over")]
    pub keep: Option<Arc<dyn std::any::Any + Send + Sync>>,
}

macro_rules! run_all {
    ($bench:path) => {
        $crate::throttle::acceptance::run_all! { $bench:
            an_account_takes_its_burst_from_any_addresses_and_then_one_each_refill,
            an_address_takes_its_burst_at_any_accounts_and_then_one_each_refill,
            a_refused_attempt_costs_neither_bucket_and_prolongs_nothing,
            the_hundred_and_first_guess_is_refused_from_whatever_address_and_then_one_an_hour,
            failures_are_forgotten_no_faster_than_one_an_hour,
            a_known_device_logs_in_while_strangers_hold_the_account,
            a_device_is_known_to_one_account_for_180_days_and_no_more_than_ten_are,
            a_known_device_has_a_bucket_and_failures_of_its_own,
            a_known_device_neither_asks_nor_fills_nor_empties_the_bucket_of_its_address,
            a_success_empties_the_account_and_gives_the_address_back_its_own_cost,
            a_success_that_is_repeated_gives_no_more_than_the_burst,
            what_nobody_looked_at_costs_nothing,
            a_password_reset_forgets_the_devices,
            a_route_has_its_own_quota_and_key
        }
    };
    ($bench:path: $($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            $crate::throttle::acceptance::$name($bench().await).await;
        }
    )*};
}
pub(crate) use run_all;

const HOUR: u64 = 60 * 60;

pub fn rules() -> Rules {
    let quota = |burst, seconds| Quota::new(burst, Duration::from_secs(seconds)).unwrap();
    Rules { account: quota(10, 30), address: quota(50, 5) }
}

pub fn attempt(account: &str, address: u32) -> Attempt {
    let address = AddressKey::V4(address);
    Attempt { account: AccountKey::of("", account), address, device: None }
}

pub fn with(device: u8, attempt: Attempt) -> Attempt {
    Attempt { device: Some(Digest::of(&[device])), ..attempt }
}

impl Bench {
    fn advance(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    async fn guess(&self, attempt: Attempt) -> Answer {
        self.store.attempt(&attempt, self.now, &rules()).await.unwrap()
    }

    async fn allows(&self, attempt: Attempt) -> bool {
        self.guess(attempt).await.verdict.is_allowed()
    }

    /// How many of many go through.
    async fn drink(&self, attempt: Attempt) -> u32 {
        let mut had = 0;
        while had < 1_000 && self.allows(attempt).await {
            had += 1;
        }
        had
    }

    async fn log_in(&self, attempt: Attempt, new_device: Option<u8>) {
        let device = new_device.map(|device| Digest::of(&[device]));
        let success = Success { paid: true, device };
        self.store.succeeded(&attempt, &success, self.now, &rules()).await.unwrap();
    }
}

/// `AdA ` is `ada`: the key says so.
pub async fn an_account_takes_its_burst_from_any_addresses_and_then_one_each_refill(
    mut bench: Bench,
) {
    for address in 0..10 {
        let name = ["ada", "AdA ", "\u{a0}ADA"][address as usize % 3];
        let answer = bench.guess(attempt(name, address)).await;
        let standing = answer.verdict.standing();
        assert_eq!((standing.bucket, standing.limit), (Bucket::Account, 10));
        assert_eq!((standing.remaining, answer.verdict.retry_after()), (9 - address, None));
        assert_eq!(standing.reset, Duration::from_secs(30) * (address + 1));
    }
    let refused = bench.guess(attempt("ada", 11)).await.verdict;
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!(refused.standing().window, Duration::from_secs(300));
    assert!(bench.allows(attempt("grace", 11)).await);
    bench.advance(29);
    assert!(!bench.allows(attempt("ada", 12)).await);
    bench.advance(1);
    assert_eq!(bench.drink(attempt("ada", 12)).await, 1);
}

pub async fn an_address_takes_its_burst_at_any_accounts_and_then_one_each_refill(mut bench: Bench) {
    for account in 0..50 {
        assert!(bench.allows(attempt(&account.to_string(), 7)).await);
    }
    let refused = bench.guess(attempt("ada", 7)).await.verdict;
    assert_eq!(refused.standing().bucket, Bucket::Address);
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(5)));
    assert!(bench.allows(attempt("ada", 8)).await);
    bench.advance(5);
    assert_eq!(bench.drink(attempt("grace", 7)).await, 1);
}

/// Checklist row 84: whether it was the right password, nobody looked.
pub async fn a_refused_attempt_costs_neither_bucket_and_prolongs_nothing(mut bench: Bench) {
    assert_eq!(bench.drink(attempt("ada", 1)).await, 10);
    for _ in 0..200 {
        assert!(!bench.allows(attempt("ada", 2)).await);
    }
    // The address that knocked in vain has all of its burst.
    let mut had = 0;
    for account in 0..60 {
        had += u32::from(bench.allows(attempt(&account.to_string(), 2)).await);
    }
    assert_eq!(had, 50);
    // And that address now costs an account nothing.
    assert!(!bench.allows(attempt("grace", 2)).await);
    assert_eq!(bench.drink(attempt("grace", 3)).await, 10);
    for _ in 0..29 {
        bench.advance(1);
        assert!(!bench.allows(attempt("ada", 4)).await);
    }
    bench.advance(1);
    assert!(bench.allows(attempt("ada", 4)).await);
}

/// Checklist row 82.
pub async fn the_hundred_and_first_guess_is_refused_from_whatever_address_and_then_one_an_hour(
    mut bench: Bench,
) {
    for guess in 0..100 {
        assert!(bench.allows(attempt("ada", guess)).await, "guess {guess}");
        bench.advance(30);
    }
    let refused = bench.guess(attempt("ada", 100)).await.verdict;
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(HOUR - 30)));
    assert_eq!(refused.standing().limit, 1);
    for hour in 0..5 {
        bench.advance(if hour == 0 { HOUR - 30 } else { HOUR });
        assert_eq!(bench.drink(attempt("ada", 200 + hour)).await, 1, "hour {hour}");
        bench.advance(HOUR - 1);
        assert!(!bench.allows(attempt("ada", 300)).await);
        bench.now = Time::from_millis(bench.now.millis() - (HOUR - 1) * 1_000);
    }
    // Another account's are its own, and a success ends it.
    assert_eq!(bench.drink(attempt("grace", 400)).await, 10);
    bench.log_in(attempt("ada", 400), None).await;
    assert_eq!(bench.drink(attempt("ada", 401)).await, 10);
}

pub async fn failures_are_forgotten_no_faster_than_one_an_hour(mut bench: Bench) {
    for guess in 0..99 {
        assert!(bench.allows(attempt("ada", guess)).await);
        bench.advance(30);
    }
    bench.advance(99 * HOUR - 31);
    assert_eq!(bench.drink(attempt("ada", 200)).await, 1);
    bench.advance(100 * HOUR);
    assert_eq!(bench.drink(attempt("ada", 201)).await, 10);
}

/// Checklist row 83.
pub async fn a_known_device_logs_in_while_strangers_hold_the_account(mut bench: Bench) {
    let home = with(1, attempt("ada", 1));
    assert!(!bench.guess(home).await.known_device);
    bench.log_in(attempt("ada", 1), Some(1)).await;
    for minute in 0..600 {
        bench.drink(attempt("ada", 1_000 + minute)).await;
        bench.advance(60);
    }
    // The stranger with the right password waits, and so does one with another's device.
    let stranger = bench.guess(attempt("ada", 2)).await.verdict;
    assert!(stranger.retry_after().is_some_and(|wait| wait <= Duration::from_secs(HOUR)));
    assert!(!bench.allows(with(9, attempt("ada", 3))).await);
    let answer = bench.guess(home).await;
    assert!(answer.known_device && answer.verdict.is_allowed());
    assert_eq!(answer.verdict.standing().bucket, Bucket::Device);
    bench.log_in(home, None).await;
    assert!(bench.allows(attempt("ada", 2)).await, "a success frees the account for all");
}

pub async fn a_device_is_known_to_one_account_for_180_days_and_no_more_than_ten_are(
    mut bench: Bench,
) {
    let known = async |bench: &Bench, device, name| {
        let place = attempt(name, 100 + u32::from(device));
        bench.guess(with(device, place)).await.known_device
    };
    for device in 1..=10 {
        bench.log_in(attempt("ada", 1), Some(device)).await;
        bench.advance(60);
    }
    assert!(!known(&bench, 1, "grace").await);
    for device in 1..=10 {
        assert!(known(&bench, device, "ada").await, "{device}");
    }
    bench.log_in(attempt("ada", 1), Some(11)).await;
    assert!(!known(&bench, 1, "ada").await && known(&bench, 2, "ada").await);
    bench.advance(180 * 24 * HOUR - 10 * 60);
    assert!(known(&bench, 3, "ada").await && known(&bench, 11, "ada").await);
    // The one that logs in with the cookie that it has begins anew.
    bench.log_in(with(11, attempt("ada", 1)), Some(11)).await;
    bench.advance(10 * 60);
    assert!(!known(&bench, 3, "ada").await && known(&bench, 11, "ada").await);
}

pub async fn a_known_device_has_a_bucket_and_failures_of_its_own(mut bench: Bench) {
    bench.log_in(attempt("ada", 1), Some(1)).await;
    bench.log_in(attempt("ada", 1), Some(2)).await;
    assert_eq!(bench.drink(with(1, attempt("ada", 1))).await, 10);
    assert_eq!(bench.drink(with(2, attempt("ada", 2))).await, 10);
    assert_eq!(bench.drink(attempt("ada", 3)).await, 10);
    bench.log_in(with(1, attempt("ada", 1)), None).await;
    assert_eq!(bench.drink(with(1, attempt("ada", 4))).await, 10);
    assert_eq!(bench.drink(with(2, attempt("ada", 5))).await, 0);
    // After a hundred failures in a row it is a stranger like any other, until it logs in.
    for guess in 10..100 {
        bench.advance(30);
        assert!(bench.guess(with(1, attempt("ada", guess))).await.known_device, "{guess}");
    }
    bench.advance(30);
    assert!(!bench.guess(with(1, attempt("ada", 200))).await.known_device);
    bench.log_in(with(1, attempt("ada", 200)), None).await;
    assert!(bench.guess(with(1, attempt("ada", 200))).await.known_device);
}

/// Row 83, behind one address for many.
pub async fn a_known_device_neither_asks_nor_fills_nor_empties_the_bucket_of_its_address(
    mut bench: Bench,
) {
    let home = with(1, attempt("ada", 1));
    bench.log_in(attempt("ada", 1), Some(1)).await;
    let mut guesses = 0;
    while bench.allows(attempt(&format!("name{guesses}"), 1)).await {
        guesses += 1;
    }
    assert!(!bench.allows(attempt("ada", 1)).await, "a stranger at that address waits");
    // However often it succeeds, strangers there get nothing back from it.
    for _ in 0..20 {
        let answer = bench.guess(home).await;
        assert!(answer.known_device && answer.verdict.is_allowed());
        let success = Success { paid: !answer.known_device, device: None };
        bench.store.succeeded(&home, &success, bench.now, &rules()).await.unwrap();
        assert!(!bench.allows(attempt("grace", 1)).await);
    }
    bench.advance(5);
    assert!(bench.allows(attempt("grace", 1)).await, "nor did it fill it");
}

pub async fn a_success_empties_the_account_and_gives_the_address_back_its_own_cost(bench: Bench) {
    for account in 0..40 {
        assert!(bench.allows(attempt(&account.to_string(), 1)).await);
    }
    assert_eq!(bench.drink(attempt("ada", 1)).await, 10);
    bench.log_in(attempt("ada", 1), None).await;
    assert_eq!(bench.drink(attempt("ada", 2)).await, 10);
    assert_eq!(bench.drink(attempt("grace", 1)).await, 1, "the address has one back");
}

/// A full queue of hashes must not use up the guesses of those who retry.
pub async fn what_nobody_looked_at_costs_nothing(mut bench: Bench) {
    let (ada, home) = (attempt("ada", 1), with(1, attempt("ada", 1)));
    for _ in 0..200 {
        assert!(bench.allows(ada).await);
        bench.store.undo(&ada, false, bench.now, &rules()).await.unwrap();
    }
    bench.log_in(ada, Some(1)).await;
    for _ in 0..200 {
        let answer = bench.guess(home).await;
        assert!(answer.known_device && answer.verdict.is_allowed());
        bench.store.undo(&home, true, bench.now, &rules()).await.unwrap();
    }
    assert_eq!(bench.drink(home).await, 10, "and gives no more than the burst");
    // What failed too often is not undone.
    for guess in 0..100 {
        bench.advance(60);
        assert!(bench.allows(attempt("ada", guess)).await);
    }
    bench.store.undo(&ada, false, bench.now, &rules()).await.unwrap();
    bench.advance(60);
    assert!(!bench.allows(ada).await);
}

pub async fn a_success_that_is_repeated_gives_no_more_than_the_burst(bench: Bench) {
    assert!(bench.allows(attempt("ada", 1)).await);
    for _ in 0..100 {
        bench.log_in(attempt("ada", 1), Some(1)).await;
    }
    assert_eq!(bench.drink(with(1, attempt("ada", 2))).await, 10);
    assert_eq!(bench.drink(attempt("ada", 2)).await, 10);
    let mut had = 0;
    for account in 0..60 {
        had += u32::from(bench.allows(attempt(&account.to_string(), 1)).await);
    }
    assert_eq!(had, 50);
}

pub async fn a_password_reset_forgets_the_devices(bench: Bench) {
    for account in ["ada", "grace"] {
        bench.log_in(attempt(account, 1), Some(1)).await;
    }
    for _ in 0..2 {
        bench.store.forget_devices(&AccountKey::of("", "ada")).await.unwrap();
    }
    assert!(!bench.guess(with(1, attempt("ada", 1))).await.known_device);
    assert!(bench.guess(with(1, attempt("grace", 1))).await.known_device);
}

pub async fn a_route_has_its_own_quota_and_key(mut bench: Bench) {
    let quota = Quota::new(1, Duration::from_secs(60)).unwrap();
    let key = TakeKey::of("reset it", &"ada");
    for _ in 0..2 {
        let taken = async || bench.store.take(&key, quota, bench.now).await.unwrap().is_allowed();
        assert!(taken().await && !taken().await);
        bench.store.reset(&key).await.unwrap();
    }
    let quota = Quota::new(3, Duration::from_secs(60)).unwrap();
    let key = |throttle: &str| TakeKey::of(throttle, &AddressKey::V4(1));
    for left in (0..3).rev() {
        let verdict = bench.store.take(&key("reset"), quota, bench.now).await.unwrap();
        assert_eq!((verdict.is_allowed(), verdict.standing().remaining), (true, left));
        assert_eq!(verdict.standing().bucket, Bucket::Route);
    }
    let refused = bench.store.take(&key("reset"), quota, bench.now).await.unwrap();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
    assert!(bench.store.take(&key("mail"), quota, bench.now).await.unwrap().is_allowed());
    assert!(bench.allows(attempt("ada", 1)).await);
    bench.advance(60);
    assert!(bench.store.take(&key("reset"), quota, bench.now).await.unwrap().is_allowed());
}
