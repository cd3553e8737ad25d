//! src/clock.rs: the only source of the present moment, in milliseconds since the Unix epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A moment: milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(u64);

impl Time {
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis)
    }

    pub const fn millis(self) -> u64 {
        self.0
    }

    pub fn after(self, span: Duration) -> Self {
        Time(self.0.saturating_add(millis(span)))
    }

    /// How long `self` lies after `earlier`; zero where it lies before.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        SystemTime::UNIX_EPOCH + Duration::from_millis(time.0)
    }
}

/// One clock for a whole fairing: the system's, or one that a test moves.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    pub const fn system() -> Self {
        Clock(None)
    }

    /// A clock that stands still at `start` until it is moved.
    #[cfg(any(test, feature = "testing"))]
    pub fn stopped_at(start: Time) -> Self {
        Clock(Some(Arc::new(AtomicU64::new(start.0))))
    }

    /// Moves a stopped clock on; the system's cannot be moved.
    #[cfg(any(test, feature = "testing"))]
    pub fn advance(&self, span: Duration) {
        if let Some(now) = &self.0 {
            now.fetch_add(millis(span), Ordering::SeqCst);
        }
    }

    pub fn now(&self) -> Time {
        match &self.0 {
            Some(now) => Time(now.load(Ordering::SeqCst)),
            None => system_now(),
        }
    }
}

/// A clock that stands still until it is moved; `manage` it and every fairing goes by it.
#[cfg(feature = "testing")]
#[derive(Clone, Debug)]
pub struct StoppedClock(Clock);

#[cfg(feature = "testing")]
impl StoppedClock {
    /// A clock that stopped just now.
    pub fn stopped() -> Self {
        StoppedClock(Clock::stopped_at(Clock::system().now()))
    }

    /// Moves it, and with it every clone.
    pub fn advance(&self, span: Duration) {
        self.0.advance(span);
    }

    pub(crate) fn inner(&self) -> Clock {
        self.0.clone()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door that the others must use")]
fn system_now() -> Time {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Time(now.map(millis).unwrap_or_default())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_told_to() {
        let clock = Clock::stopped_at(Time::from_millis(5));
        let other = clock.clone();
        assert_eq!(clock.now(), Time::from_millis(5));
        other.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Time::from_millis(1005));
    }

    #[test]
    fn an_endless_span_saturates_instead_of_wrapping_into_the_past() {
        assert_eq!(Time::from_millis(7).after(Duration::MAX), Time::from_millis(u64::MAX));
        assert_eq!(Time::from_millis(7).since(Time::from_millis(9)), Duration::ZERO);
    }

    #[test]
    fn the_system_clock_is_past_the_year_2020() {
        assert!(Clock::system().now() > Time::from_millis(1_577_836_800_000));
    }
}
