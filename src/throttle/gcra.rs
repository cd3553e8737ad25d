//! src/throttle/gcra.rs: the generic cell rate algorithm on one moment, the same as in the scripts of
//! the Redis store (`throttle_attempt.lua`, `throttle_take.lua`).
//!
//! A bucket's whole state is the moment at which it will have drained, its *theoretical arrival time*
//! (TAT), in milliseconds. One in the past, or none, is an empty bucket.

use super::Quota;

/// How far apart the clocks of two processes may be, in milliseconds, before one of them no longer
/// believes what the other wrote. A process whose clock is ahead by `d` gives `d / refill` more, one
/// that is behind makes wait `d` longer; RI021 warns from one second on.
pub const SKEW: u64 = 60_000;

/// What a bucket says when one is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    pub allowed: bool,
    /// The state to keep: charged where it allows, as it was where it does not.
    pub tat: u64,
}

impl Quota {
    pub(crate) fn ask(self, tat: u64, now: u64) -> Ask {
        let full = now + self.window_ms();
        // No clock of ours wrote this, or another quota did: the bucket is full, and drains from now.
        let tat = if tat > full + SKEW { full } else { tat };
        let charged = tat.max(now) + self.refill_ms();
        match charged <= full {
            true => Ask { allowed: true, tat: charged },
            false => Ask { allowed: false, tat },
        }
    }

    /// Gives one back. The state may go below the present moment and is an empty bucket then: however
    /// often it is repeated, no more than `burst` can be had at once.
    pub(crate) fn refund(self, tat: u64) -> u64 {
        tat.saturating_sub(self.refill_ms())
    }

    /// How many could be had at once.
    pub(crate) fn remaining(self, tat: u64, now: u64) -> u32 {
        let left = self.window_ms().saturating_sub(tat.saturating_sub(now)) / self.refill_ms();
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// How many milliseconds until one can be had.
    pub(crate) fn wait(self, tat: u64, now: u64) -> u64 {
        (tat.max(now) + self.refill_ms()).saturating_sub(now + self.window_ms())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn three() -> Quota {
        Quota::new(3, Duration::from_secs(10)).unwrap()
    }

    /// How many are let through one after the other, and the state that they leave.
    fn drink(quota: Quota, mut tat: u64, now: u64) -> (u32, u64) {
        let mut had = 0;
        while let Ask { allowed: true, tat: charged } = quota.ask(tat, now) {
            (had, tat) = (had + 1, charged);
        }
        (had, tat)
    }

    #[test]
    fn the_burst_is_let_through_and_then_one_each_refill() {
        let (had, tat) = drink(three(), 0, NOW);
        assert_eq!((had, three().remaining(tat, NOW), three().wait(tat, NOW)), (3, 0, 10_000));
        assert!(!three().ask(tat, NOW + 9_999).allowed);
        assert_eq!(drink(three(), tat, NOW + 10_000).0, 1);
        assert_eq!(drink(three(), tat, NOW + 29_999).0, 2);
        assert_eq!(drink(three(), tat, NOW + 30_000).0, 3);
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let (_, tat) = drink(three(), 0, NOW);
        for _ in 0..1_000 {
            assert_eq!(three().ask(tat, NOW + 5_000), Ask { allowed: false, tat });
        }
    }

    #[test]
    fn a_refund_gives_back_one_and_never_more_than_the_burst() {
        let (_, tat) = drink(three(), 0, NOW);
        assert_eq!(drink(three(), three().refund(tat), NOW).0, 1);
        let many = (0..100).fold(tat, |tat, _| three().refund(tat));
        assert_eq!(drink(three(), many, NOW).0, 3);
        assert_eq!(drink(three(), three().refund(0), NOW).0, 3);
    }

    #[test]
    fn a_state_further_ahead_than_any_clock_of_ours_is_a_full_bucket_that_drains_from_now() {
        let ahead = NOW + 30_000 + SKEW;
        assert_eq!(three().ask(ahead, NOW).tat, ahead);
        let ask = three().ask(ahead + 1, NOW);
        assert_eq!(ask, Ask { allowed: false, tat: NOW + 30_000 });
        assert!(three().ask(ask.tat, NOW + 10_000).allowed);
    }

    #[test]
    fn a_clock_behind_waits_as_much_longer_and_one_ahead_is_given_as_much_more() {
        let (_, tat) = drink(three(), 0, NOW);
        assert_eq!(three().wait(tat, NOW - 7_000), 17_000);
        assert_eq!(drink(three(), tat, NOW + 20_000).0, 2);
    }
}
