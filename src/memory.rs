//! src/memory.rs: the embedded store. One process, bounded, expiring; gone when the process is.

mod account;
mod data;
mod shard;
mod throttle;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::shard::Shard;
use crate::clock::{Clock, Time};
use crate::secret::Digest;
use crate::session::notice::{Notices, Registry, Watch};
use crate::session::{
    Begun, Found, NewPending, NewSession, Pending, Record, Rotated, Rotation, Store, StoreError,
    StoredUser,
};
use crate::ticket::{Handle, Tag};

pub use self::throttle::Throttles;

/// So many that two cores seldom want the same lock.
const SHARDS: usize = 32;

/// Sessions in this process's memory, sharded by their user.
///
/// A verb holds one lock for some hundred nanoseconds and never across an `await`.
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
    /// Places taken in all shards: by sessions, superseded ones and logins that wait, those that
    /// expired and were not yet swept included.
    sessions: AtomicUsize,
    max_sessions: usize,
    clock: Clock,
    /// There is no other process to tell.
    registry: Arc<Registry>,
}

impl Memory {
    pub fn new(max_sessions: usize, clock: Clock) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (sessions, registry) = (AtomicUsize::new(0), Arc::default());
        Memory { shards, sessions, max_sessions, clock, registry }
    }

    fn shard(&self, tag: &Tag) -> MutexGuard<'_, Shard> {
        // A tag is a digest: its first byte is as good as any.
        lock(&self.shards[usize::from(tag.as_bytes()[0]) % SHARDS])
    }

    /// Takes a place, where one is left.
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

    fn release(&self, places: usize) {
        let _ = self.sessions.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            Some(taken.saturating_sub(places))
        });
    }

    /// Acts with the lock of that user, and gives back the places that this freed.
    fn act<T>(&self, tag: &Tag, act: impl FnOnce(&mut Shard) -> (T, usize)) -> T {
        let (done, freed) = act(&mut self.shard(tag));
        self.release(freed);
        done
    }

    /// The same for what may end or rewrite something, and tells it.
    fn act_and_tell<T>(&self, tag: &Tag, act: impl FnOnce(&mut Shard) -> (T, usize)) -> T {
        let done = self.act(tag, act);
        self.registry.tell(tag);
        done
    }

    /// Tries again where the store is full: only then it is worth a look at all the others.
    fn begun(&self, now: Time, begin: impl Fn() -> Begun) -> Begun {
        match begin() {
            Begun::Full => {
                self.sweep(now);
                begin()
            }
            begun => begun,
        }
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
        let begin = || {
            self.act_and_tell(tag, |shard| shard.begin(tag, new.clone(), now, || self.take_place()))
        };
        Ok(self.begun(now, begin))
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
        Ok(self.act_and_tell(tag, |shard| (shard.update_user(tag, user), 0)))
    }

    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError> {
        Ok(self.act_and_tell(tag, |shard| shard.end(tag, id)))
    }

    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError> {
        let now = self.clock.now();
        self.act_and_tell(tag, |shard| ((), shard.end_all(tag, now)));
        Ok(now)
    }

    async fn list(
        &self,
        tag: &Tag,
        now: Time,
        _: Duration,
    ) -> Result<Vec<(Arc<Record>, Time)>, StoreError> {
        Ok(self.act(tag, |shard| shard.list(tag, now)))
    }

    async fn end_by_handle(&self, tag: &Tag, handle: &Handle) -> Result<bool, StoreError> {
        Ok(self.act_and_tell(tag, |shard| shard.end_by_handle(tag, handle)))
    }

    async fn end_others(
        &self,
        tag: &Tag,
        keep: &Handle,
        _: Time,
        _: Duration,
    ) -> Result<(Time, usize), StoreError> {
        let now = self.clock.now();
        Ok((now, self.act_and_tell(tag, |shard| shard.end_others(tag, keep, now))))
    }

    async fn rotate(&self, tag: &Tag, old: &Digest, new: Rotation) -> Result<Rotated, StoreError> {
        let (rotated, taken, freed) = self.shard(tag).rotate(tag, old, new);
        self.sessions.fetch_add(taken, Ordering::AcqRel);
        self.release(freed);
        Ok(rotated)
    }

    async fn begin_pending(&self, tag: &Tag, new: NewPending) -> Result<Begun, StoreError> {
        let begin =
            || self.act(tag, |shard| shard.begin_pending(tag, new.clone(), || self.take_place()));
        Ok(self.begun(new.pending.begun, begin))
    }

    async fn find_pending(&self, tag: &Tag, id: &Digest) -> Result<Option<Pending>, StoreError> {
        Ok(self.shard(tag).find_pending(tag, id))
    }

    async fn confirm_pending(
        &self,
        tag: &Tag,
        id: &Digest,
        new: NewSession,
    ) -> Result<Option<Begun>, StoreError> {
        let now = self.clock.now();
        Ok(self.act_and_tell(tag, |shard| shard.confirm_pending(tag, id, new, now)))
    }
}

#[async_trait]
impl Notices for Memory {
    fn watch(&self, tag: &Tag) -> Watch {
        self.registry.watch(tag)
    }

    async fn lives(
        &self,
        tag: &Tag,
        handle: &Handle,
    ) -> Result<Option<(Arc<Record>, Time)>, StoreError> {
        Ok(self.shard(tag).lives(tag, handle))
    }
}

#[cfg(test)]
mod tests;
