//! src/session/spy.rs: a store for tests that counts what is asked of another, and fails where it is
//! told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::data::{DataStore, Datum, Kept, SetDatum};
use super::notice::{Notices, Watch};
use super::{
    Begun, Found, Handle, NewPending, NewSession, Pending, Record, Rotated, Rotation, Store,
    StoreError, StoredUser,
};
use crate::clock::Time;
use crate::secret::Digest;
use crate::ticket::Tag;

/// Passes everything on.
pub struct Spy {
    store: Arc<dyn Store>,
    pub reads: AtomicUsize,
    pub touches: AtomicUsize,
    pub ends: AtomicUsize,
    pub fail_next_end: AtomicBool,
    /// How often it was asked whether a session lives.
    pub looks: AtomicUsize,
    /// Nobody learns whether a session lives.
    pub away: AtomicBool,
}

impl Spy {
    pub fn over(store: Arc<dyn Store>) -> Self {
        Spy {
            store,
            reads: AtomicUsize::default(),
            touches: AtomicUsize::default(),
            ends: AtomicUsize::default(),
            fail_next_end: AtomicBool::default(),
            looks: AtomicUsize::default(),
            away: AtomicBool::default(),
        }
    }
}

#[async_trait]
impl Store for Spy {
    fn is_away(&self) -> bool {
        self.store.is_away()
    }

    async fn find(&self, tag: &Tag, id: &Digest) -> Result<Option<Found>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.find(tag, id).await
    }

    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError> {
        self.store.begin(tag, new).await
    }

    async fn touch(&self, tag: &Tag, id: &Digest, seen: Time, end: Time) -> Result<(), StoreError> {
        self.touches.fetch_add(1, Ordering::SeqCst);
        self.store.touch(tag, id, seen, end).await
    }

    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError> {
        self.store.update_user(tag, user).await
    }

    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError> {
        if self.fail_next_end.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("cut".into()));
        }
        self.ends.fetch_add(1, Ordering::SeqCst);
        self.store.end(tag, id).await
    }

    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError> {
        self.store.end_all(tag).await
    }

    async fn list(
        &self,
        tag: &Tag,
        now: Time,
        idle: Duration,
    ) -> Result<Vec<(Arc<Record>, Time)>, StoreError> {
        self.store.list(tag, now, idle).await
    }

    async fn end_by_handle(&self, tag: &Tag, handle: &Handle) -> Result<bool, StoreError> {
        self.store.end_by_handle(tag, handle).await
    }

    async fn end_others(
        &self,
        tag: &Tag,
        keep: &Handle,
        now: Time,
        idle: Duration,
    ) -> Result<(Time, usize), StoreError> {
        self.store.end_others(tag, keep, now, idle).await
    }

    async fn rotate(&self, tag: &Tag, old: &Digest, new: Rotation) -> Result<Rotated, StoreError> {
        self.store.rotate(tag, old, new).await
    }

    async fn begin_pending(&self, tag: &Tag, new: NewPending) -> Result<Begun, StoreError> {
        self.store.begin_pending(tag, new).await
    }

    async fn find_pending(&self, tag: &Tag, id: &Digest) -> Result<Option<Pending>, StoreError> {
        self.store.find_pending(tag, id).await
    }

    async fn confirm_pending(
        &self,
        tag: &Tag,
        id: &Digest,
        new: NewSession,
    ) -> Result<Option<Begun>, StoreError> {
        self.store.confirm_pending(tag, id, new).await
    }
}

#[async_trait]
impl DataStore for Spy {
    async fn data_get(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        self.store.data_get(tag, handle, key).await
    }

    async fn data_set(
        &self,
        tag: &Tag,
        id: Option<&Digest>,
        set: SetDatum<'_>,
    ) -> Result<Kept, StoreError> {
        self.store.data_set(tag, id, set).await
    }

    async fn data_take(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        self.store.data_take(tag, handle, key).await
    }
}

#[async_trait]
impl Notices for Spy {
    fn watch(&self, tag: &Tag) -> Watch {
        self.store.watch(tag)
    }

    async fn lives(
        &self,
        tag: &Tag,
        handle: &Handle,
    ) -> Result<Option<(Arc<Record>, Time)>, StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        match self.away.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("cut".into())),
            false => self.store.lives(tag, handle).await,
        }
    }
}
