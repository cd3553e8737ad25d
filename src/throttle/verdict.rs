//! src/throttle/verdict.rs: what the throttle answers, with what a response tells of it.

use std::time::Duration;

use super::{Ask, Quota};
use crate::error::RateLimit;

/// Whether an attempt may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Verdict {
    /// It was counted.
    Allowed(Standing),
    /// It was counted nowhere; the same attempt may be made after `retry_after`.
    Refused { retry_after: Duration, standing: Standing },
}

/// How the bucket stands that is nearest to its end: for the fields `RateLimit` (`remaining` is `r`,
/// `reset` is `t`) and `RateLimit-Policy` (`limit` is `q`, `window` is `w`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub bucket: Bucket,
    /// The most at once.
    pub limit: u32,
    /// How many could be had now.
    pub remaining: u32,
    /// When all will have come back.
    pub reset: Duration,
    /// How long all take to come back.
    pub window: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bucket {
    /// The account's, which all who are no known device of it share.
    Account,
    /// The known device's own.
    Device,
    Address,
    /// That of a route with its own quota.
    Route,
}

impl Verdict {
    #[cfg(test)]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Verdict::Allowed(_))
    }

    /// How long to wait; `None` where nobody has to.
    #[cfg(test)]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Verdict::Allowed(_) => None,
            Verdict::Refused { retry_after, .. } => Some(*retry_after),
        }
    }

    /// What a 429 tells; `None` where it is allowed. `route` names the bucket of a route.
    pub fn rate_limit(&self, route: &str) -> Option<RateLimit> {
        let Verdict::Refused { retry_after, standing } = self else { return None };
        let policy = match standing.bucket {
            Bucket::Account => "account",
            Bucket::Device => "device",
            Bucket::Address => "address",
            Bucket::Route => route,
        };
        Some(RateLimit {
            policy: policy.into(),
            limit: standing.limit,
            window: standing.window,
            remaining: standing.remaining,
            reset: standing.reset,
            retry_after: *retry_after,
        })
    }

    #[cfg(test)]
    pub fn standing(&self) -> &Standing {
        match self {
            Verdict::Allowed(standing) | Verdict::Refused { standing, .. } => standing,
        }
    }

    /// Of one bucket, by the state that was left in it.
    pub fn of(allowed: bool, state: State, now: u64) -> Self {
        match allowed {
            true => Verdict::Allowed(state.standing(now)),
            false => Verdict::Refused {
                retry_after: Duration::from_millis(state.wait(now)),
                standing: state.standing(now),
            },
        }
    }

    /// Of the one bucket of a route.
    pub fn of_route(ask: Ask, quota: Quota, now: u64) -> Self {
        Verdict::of(ask.allowed, State { bucket: Bucket::Route, quota, tat: ask.tat }, now)
    }

    /// Of two buckets that had to allow both: it tells of that which has less left, or for which one
    /// waits longer.
    pub fn of_both(allowed: bool, own: State, address: State, now: u64) -> Self {
        let of_address = match allowed {
            true => address.standing(now).remaining < own.standing(now).remaining,
            false => address.wait(now) > own.wait(now),
        };
        Verdict::of(allowed, if of_address { address } else { own }, now)
    }
}

/// One bucket: which, its quota, and the moment at which it will have drained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    pub bucket: Bucket,
    pub quota: Quota,
    pub tat: u64,
}

impl State {
    fn wait(self, now: u64) -> u64 {
        self.quota.wait(self.tat, now)
    }

    fn standing(self, now: u64) -> Standing {
        Standing {
            bucket: self.bucket,
            limit: self.quota.burst(),
            remaining: self.quota.remaining(self.tat, now),
            reset: Duration::from_millis(self.tat.saturating_sub(now)),
            window: Duration::from_millis(self.quota.window_ms()),
        }
    }
}
