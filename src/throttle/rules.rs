//! src/throttle/rules.rs: what an attempt needs and what it costs, on the state of one account, one
//! device and one address; the same as in `throttle_attempt.lua`.

use super::{Answer, Ask, Bucket, Quota, State, Verdict};
use crate::config;
use crate::secret::Digest;

/// Failures in a row after which an account takes one attempt an hour (NIST SP 800-63B-4 3.2.2), and
/// after which a device is known no more.
pub const MOST_FAILURES: u32 = 100;

/// For each failure in a row an account is remembered an hour after its last one, in milliseconds. So
/// whoever waits until they are forgotten has, over time, no more than one attempt an hour.
pub const FORGET: u64 = 60 * 60 * 1_000;

/// How long a device is known after the login that made it so, in milliseconds.
pub const DEVICE_LIFE: u64 = 180 * 24 * 60 * 60 * 1_000;

/// Devices of one account; the oldest gives way.
pub const MOST_DEVICES: usize = 10;

/// The quotas of a login: that of an account, which each of its known devices has too, and that of an
/// address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    pub account: Quota,
    pub address: Quota,
}

/// What is kept of an account, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Account {
    pub tat: u64,
    /// Attempts in a row that did not succeed, those under way included.
    pub failures: u32,
    /// When they are forgotten.
    pub forget: u64,
}

/// What is kept of a known device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Device {
    pub id: Digest,
    pub end: u64,
    pub tat: u64,
    pub failures: u32,
}

/// What an attempt is judged by, and what is to be kept of it afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    pub account: Account,
    /// The account's device that was presented.
    pub device: Option<Device>,
    pub address: u64,
}

impl Rules {
    /// `None` for what `config` refuses.
    pub fn of(settings: &config::throttle::Throttle) -> Option<Self> {
        Some(Rules {
            account: Quota::new(settings.account_burst, settings.account_refill)?,
            address: Quota::new(settings.address_burst, settings.address_refill)?,
        })
    }

    /// What an account that failed too often has.
    pub fn slow(&self) -> Quota {
        Quota::one_each(self.account.refill_ms().max(FORGET))
    }

    /// Judges an attempt. Both buckets are charged where both allow it, else neither; that of the
    /// address is not asked for a known device.
    pub fn judge(&self, held: &mut Held, now: u64) -> Answer {
        let device = held.device.filter(|device| device.is_known(now));
        let failures = held.account.failures_at(now);
        let (bucket, quota, tat) = match device {
            Some(device) => (Bucket::Device, self.account, device.tat),
            None if failures >= MOST_FAILURES => (Bucket::Account, self.slow(), held.account.tat),
            None => (Bucket::Account, self.account, held.account.tat),
        };
        let own = quota.ask(tat, now);
        // A known device has the account's word, and asks no address: whoever shares it with an
        // attacker is not kept out.
        let address = device.is_none().then(|| self.address.ask(held.address, now));
        let allowed = own.allowed && address.is_none_or(|address| address.allowed);
        // A bucket that would have allowed it keeps what it had.
        let kept = |ask: Ask, before| match ask.allowed && !allowed {
            true => before,
            false => ask.tat,
        };
        let mut own = State { bucket, quota, tat: kept(own, tat) };
        let address = address.map(|ask| State {
            bucket: Bucket::Address,
            quota: self.address,
            tat: kept(ask, held.address),
        });
        if let Some(device) = device {
            let failures = device.failures + u32::from(allowed);
            held.device = Some(Device { tat: own.tat, failures, ..device });
        } else {
            if allowed {
                own = self.count_failure(&mut held.account, failures, own, now);
            }
            held.account.tat = own.tat;
        }
        held.address = address.map_or(held.address, |address| address.tat);
        let verdict = match address {
            Some(address) => Verdict::of_both(allowed, own, address, now),
            None => Verdict::of(allowed, own, now),
        };
        Answer { verdict, known_device: device.is_some() }
    }

    /// One failure more, until a success says otherwise. With the last one that is free the first hour
    /// begins.
    fn count_failure(&self, account: &mut Account, before: u32, own: State, now: u64) -> State {
        account.failures = (before + 1).min(MOST_FAILURES);
        account.forget = now + u64::from(account.failures) * FORGET;
        if account.failures < MOST_FAILURES {
            return own;
        }
        let quota = self.slow();
        State { quota, tat: now + quota.window_ms(), ..own }
    }
}

impl Rules {
    /// Takes one attempt back, unless a success did so meanwhile, or it failed too often.
    pub fn undo_account(&self, account: &mut Account, now: u64) {
        let failures = account.failures_at(now);
        if (1..MOST_FAILURES).contains(&failures) {
            account.failures = failures - 1;
            account.forget = now + u64::from(account.failures) * FORGET;
            account.tat = self.account.refund(account.tat);
        }
    }

    pub fn undo_device(&self, device: &mut Device) {
        device.tat = self.account.refund(device.tat);
        device.failures = device.failures.saturating_sub(1);
    }
}

impl Account {
    fn failures_at(&self, now: u64) -> u32 {
        if self.forget > now { self.failures } else { 0 }
    }

    /// When nothing is left to remember.
    pub fn end(&self) -> u64 {
        self.tat.max(self.forget)
    }
}

impl Device {
    pub fn new(id: Digest, now: u64) -> Self {
        Device { id, end: now + DEVICE_LIFE, tat: 0, failures: 0 }
    }

    /// One that failed too often is a stranger, until it has logged in again.
    pub fn is_known(&self, now: u64) -> bool {
        self.end > now && self.failures < MOST_FAILURES
    }

    /// It logged in.
    pub fn renew(&mut self) {
        (self.tat, self.failures) = (0, 0);
    }
}
