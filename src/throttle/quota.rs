//! src/throttle/quota.rs: how much at once, and how fast it comes back.

use std::time::Duration;

/// `burst` at once, and one more each `refill`: the generic cell rate algorithm (GCRA), in whole
/// milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quota {
    burst: u32,
    refill_ms: u64,
}

impl Quota {
    /// A year: every sum of a moment and a window is far below 2^53, which a double holds exactly.
    const LONGEST_WINDOW_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

    /// `None` for a burst of none, a refill below a millisecond, and where all of it would take more
    /// than 366 days to come back.
    pub const fn new(burst: u32, refill: Duration) -> Option<Self> {
        let millis = refill.as_millis();
        if burst == 0 || millis == 0 || millis > Self::LONGEST_WINDOW_MS as u128 {
            return None;
        }
        let refill_ms = millis as u64;
        if refill_ms * burst as u64 > Self::LONGEST_WINDOW_MS {
            return None;
        }
        Some(Quota { burst, refill_ms })
    }

    /// One at a time: the slowest that there is.
    pub(super) const fn one_each(refill_ms: u64) -> Self {
        Quota { burst: 1, refill_ms }
    }

    /// The most at once: `q` of a `RateLimit-Policy` field.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// After how many milliseconds one comes back.
    pub const fn refill_ms(self) -> u64 {
        self.refill_ms
    }

    /// After how many milliseconds all have come back.
    pub const fn window_ms(self) -> u64 {
        self.refill_ms * self.burst as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_of_nothing_or_of_more_than_a_year_is_none() {
        let second = Duration::from_secs(1);
        assert!(Quota::new(1, Duration::from_millis(1)).is_some());
        assert!(Quota::new(366, Duration::from_secs(24 * 60 * 60)).is_some());
        assert!(Quota::new(367, Duration::from_secs(24 * 60 * 60)).is_none());
        assert!(Quota::new(0, second).is_none());
        assert!(Quota::new(1, Duration::from_nanos(999_999)).is_none());
        assert!(Quota::new(u32::MAX, second).is_none() && Quota::new(1, Duration::MAX).is_none());
    }
}
