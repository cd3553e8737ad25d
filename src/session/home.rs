//! src/session/home.rs: where a session is kept, for what it does itself after its guard found it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time;

use super::{Record, Store, StoreError};
use crate::clock::{Clock, Time};
use crate::error::{Error, Failure};
use crate::ticket::{Handle, Tag};

/// How often a waiting stream looks at the clock.
const TICK: Duration = Duration::from_millis(250);

/// After how many ticks it asks the store, while no notices arrive.
const POLL: u32 = 4;

/// And while they do: what a failure of the store may have swallowed is noticed all the same.
const LOOK: u32 = 240;

/// Streams that ask the store at once: when it is back all want to know, and requests go on.
const MOST_ASKING: usize = 64;

/// The store, the clock and the idle time of a fairing.
pub struct Home {
    pub store: Arc<dyn Store>,
    clock: Clock,
    idle: Duration,
    fairing: Arc<str>,
    asking: Semaphore,
}

impl Home {
    pub fn new(store: Arc<dyn Store>, clock: Clock, idle: Duration, fairing: Arc<str>) -> Self {
        Home { store, clock, idle, fairing, asking: Semaphore::new(MOST_ASKING) }
    }

    pub fn error(&self, failure: impl Into<Failure>) -> Error {
        Error::new(failure.into(), Some(self.fairing.clone()))
    }

    /// `min(created + absolute, seen + idle)`; a remembered session has no idle limit, and of a
    /// superseded one the end is known.
    pub fn expiry(&self, record: &Record, seen: Time) -> Time {
        match record.remembered || record.superseded {
            true => record.end,
            false => record.end.min(seen.after(self.idle)),
        }
    }

    /// Returns when the session of this handle has ended, in whatever way and process.
    pub async fn until_ended(&self, tag: &Tag, handle: &Handle) {
        // Before the first look: what ends it after that look wakes.
        let mut watch = self.store.watch(tag);
        let (mut due, mut end) = (None, None);
        loop {
            let looked = self.look(tag, handle).await;
            let failed = looked.is_err();
            match looked {
                Ok(None) => return,
                Ok(Some((expires, latest))) => (due, end) = (Some(expires), Some(latest)),
                // An outage ends nothing.
                Err(_) => {}
            }
            let mut ticks = 0;
            while time::timeout(TICK, watch.changed()).await.is_err() {
                ticks += 1;
                let now = self.clock.now();
                if end.is_some_and(|end| now >= end) {
                    return;
                }
                // It may have been used meanwhile.
                let over = due.is_some_and(|due| now >= due) && !failed;
                let patience = if failed || !watch.is_pushed() { POLL } else { LOOK };
                if over || ticks >= patience {
                    break;
                }
            }
        }
    }

    /// When the session ends unless it is used, and when in any case.
    async fn look(&self, tag: &Tag, handle: &Handle) -> Result<Option<(Time, Time)>, StoreError> {
        let _turn = self.asking.acquire().await;
        let found = match self.store.lives(tag, handle).await {
            // What cannot be read is no session.
            Err(StoreError::Unreadable(_)) => None,
            found => found?,
        };
        let times = found.map(|(record, seen)| (self.expiry(&record, seen), record.end));
        Ok(times.filter(|(expires, _)| self.clock.now() < *expires))
    }
}
