//! src/throttle/store.rs: what the throttle needs of a store. Each verb is one atomic step, and over a
//! network one round trip.

use std::fmt;

use async_trait::async_trait;

use super::{AccountKey, AddressKey, Quota, Rules, Verdict};
use crate::clock::Time;
use crate::error::Source;
use crate::secret::{self, Digest};

/// Keeps buckets. `now` is the caller's: two processes on one store go by their own clocks (see
/// `SKEW` for what it does when those differ).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Asks the account's bucket and the address's, or that of the known device alone; charges both
    /// where both allow it, else neither. Counts a failure for the account, unless a known device is at
    /// work, until [`succeeded`](Store::succeeded) says otherwise.
    ///
    /// A repeat charges once more.
    async fn attempt(
        &self,
        attempt: &Attempt,
        now: Time,
        rules: &Rules,
    ) -> Result<Answer, StoreError>;

    /// Empties the account's bucket and that of the device, forgets the failures of both, gives the
    /// address back what it paid, and knows `success.device` from now on.
    ///
    /// That must be fresh from the random generator, or known already (then its time begins anew): one
    /// that a client chose might be known to others too. A repeat gives the address one more back, but
    /// never more than its burst, and changes nothing else.
    async fn succeeded(
        &self,
        attempt: &Attempt,
        success: &Success,
        now: Time,
        rules: &Rules,
    ) -> Result<(), StoreError>;

    /// Takes back what an attempt cost that was looked at by nobody. `known_device` is what its
    /// answer said.
    async fn undo(
        &self,
        attempt: &Attempt,
        known_device: bool,
        now: Time,
        rules: &Rules,
    ) -> Result<(), StoreError>;

    /// Knows no device of that account any longer: after a password reset.
    async fn forget_devices(&self, account: &AccountKey) -> Result<(), StoreError>;

    /// Asks one bucket, and charges it where it allows it.
    async fn take(&self, key: &TakeKey, quota: Quota, now: Time) -> Result<Verdict, StoreError>;

    /// Empties that one bucket.
    async fn reset(&self, key: &TakeKey) -> Result<(), StoreError>;
}

/// The same in this process: it takes no time and cannot fail.
pub trait Limiter: Send + Sync + 'static {
    fn attempt(&self, attempt: &Attempt, now: Time, rules: &Rules) -> Answer;
    fn succeeded(&self, attempt: &Attempt, success: &Success, now: Time, rules: &Rules);
    fn undo(&self, attempt: &Attempt, known_device: bool, now: Time, rules: &Rules);
    fn forget_devices(&self, account: &AccountKey);
    fn take(&self, key: &TakeKey, quota: Quota, now: Time) -> Verdict;
    fn reset(&self, key: &TakeKey);
}

#[async_trait]
impl<L: Limiter> Store for L {
    async fn attempt(
        &self,
        attempt: &Attempt,
        now: Time,
        rules: &Rules,
    ) -> Result<Answer, StoreError> {
        Ok(Limiter::attempt(self, attempt, now, rules))
    }

    async fn succeeded(
        &self,
        attempt: &Attempt,
        success: &Success,
        now: Time,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        Limiter::succeeded(self, attempt, success, now, rules);
        Ok(())
    }

    async fn undo(
        &self,
        attempt: &Attempt,
        known_device: bool,
        now: Time,
        rules: &Rules,
    ) -> Result<(), StoreError> {
        Limiter::undo(self, attempt, known_device, now, rules);
        Ok(())
    }

    async fn forget_devices(&self, account: &AccountKey) -> Result<(), StoreError> {
        Limiter::forget_devices(self, account);
        Ok(())
    }

    async fn take(&self, key: &TakeKey, quota: Quota, now: Time) -> Result<Verdict, StoreError> {
        Ok(Limiter::take(self, key, quota, now))
    }

    async fn reset(&self, key: &TakeKey) -> Result<(), StoreError> {
        Limiter::reset(self, key);
        Ok(())
    }
}

/// Who tries to log in to what.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub account: AccountKey,
    pub address: AddressKey,
    /// The digest of the device's cookie, known or not.
    pub device: Option<Digest>,
}

/// What a success changes beside the account's bucket.
#[derive(Clone, Copy, Default, Debug)]
pub struct Success {
    /// The attempt was charged to the address, which gets that back: not so for a known device's.
    pub paid: bool,
    /// The device that is known from now on.
    pub device: Option<Digest>,
}

/// What a store answers to an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// The device that was presented is known to the account. Nothing for a response to tell.
    pub known_device: bool,
}

/// Names the bucket of a route with its own quota.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TakeKey([u8; 16]);

impl TakeKey {
    /// `throttle` names the quota, `of` whom it is charged to: an [`AccountKey`], an [`AddressKey`] or
    /// the application's own text, which may hold what a store must not see.
    pub fn of(throttle: &str, of: &dyn fmt::Display) -> Self {
        // The length keeps ("a", "bc") apart from ("ab", "c").
        let text = format!("rocket_identity take {}:{throttle}:{of}", throttle.len());
        let mut key = [0; 16];
        key.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..16]);
        TakeKey(key)
    }
}

/// As a store's key has it: 22 base64url characters.
impl fmt::Display for TakeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&secret::encode(&self.0))
    }
}

impl fmt::Debug for TakeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakeKey(..)")
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug)]
#[cfg_attr(not(any(test, feature = "redis")), expect(dead_code, reason = "memory always answers"))]
pub enum StoreError {
    /// It did, and too few replicas have it to promise that it stays.
    NotReplicated,
    /// It did not answer, or not with what it was asked; the act may or may not have happened.
    Failed(Source),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NotReplicated => f.write_str("too few replicas have the write"),
            StoreError::Failed(cause) => write!(f, "the throttle's store failed: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {}
