//! src/memory.rs: the embedded store. One process, bounded, expiring; gone when the process is.

mod shard;
mod throttle;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::shard::Shard;
use crate::clock::{Clock, Time};
use crate::secret::Digest;
use crate::session::{Begun, Found, NewSession, Store, StoreError, StoredUser};
use crate::ticket::Tag;

pub use self::throttle::Throttles;

/// So many that two cores seldom want the same lock.
const SHARDS: usize = 32;

/// Sessions in this process's memory, sharded by their user.
///
/// A verb holds one lock for some hundred nanoseconds and never across an `await`.
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
    /// Sessions in all shards, those that expired and were not yet swept included.
    sessions: AtomicUsize,
    max_sessions: usize,
    clock: Clock,
}

impl Memory {
    pub fn new(max_sessions: usize, clock: Clock) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Memory { shards, sessions: AtomicUsize::new(0), max_sessions, clock }
    }

    fn shard(&self, tag: &Tag) -> MutexGuard<'_, Shard> {
        // A tag is a digest: its first byte is as good as any.
        lock(&self.shards[usize::from(tag.as_bytes()[0]) % SHARDS])
    }

    /// Takes a place for one session, where one is left.
    fn take_place(&self) -> bool {
        let taken = self.sessions.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            (taken < self.max_sessions).then_some(taken + 1)
        });
        taken.is_ok()
    }

    /// Drops everything that is due, one shard after the other.
    fn sweep(&self, now: Time) {
        for shard in &self.shards {
            let swept = lock(shard).sweep(now, usize::MAX);
            self.release(swept);
        }
    }

    fn release(&self, sessions: usize) {
        let _ = self.sessions.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            Some(taken.saturating_sub(sessions))
        });
    }
}

/// A thread that panicked with the lock held left whole sessions behind, or none.
fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for Memory {
    fn is_full(&self) -> bool {
        let full = || self.sessions.load(Ordering::Acquire) >= self.max_sessions;
        if full() {
            self.sweep(self.clock.now());
        }
        full()
    }

    async fn find(&self, tag: &Tag, id: &Digest) -> Result<Option<Found>, StoreError> {
        Ok(self.shard(tag).find(tag, id))
    }

    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError> {
        let now = self.clock.now();
        let begin = |new| {
            let (begun, ended) = self.shard(tag).begin(tag, new, now, || self.take_place());
            self.release(ended);
            begun
        };
        match begin(new.clone()) {
            // Only now is it worth a look at all the others.
            Begun::Full => {
                self.sweep(now);
                Ok(begin(new))
            }
            begun => Ok(begun),
        }
    }

    async fn touch(
        &self,
        tag: &Tag,
        id: &Digest,
        seen: Time,
        expires: Time,
    ) -> Result<(), StoreError> {
        self.shard(tag).touch(tag, id, seen, expires);
        Ok(())
    }

    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError> {
        Ok(self.shard(tag).update_user(tag, user))
    }

    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError> {
        let ended = self.shard(tag).end(tag, id);
        self.release(usize::from(ended));
        Ok(ended)
    }

    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError> {
        let now = self.clock.now();
        let ended = self.shard(tag).end_all(tag, now);
        self.release(ended);
        Ok(now)
    }
}

#[cfg(test)]
mod tests;
