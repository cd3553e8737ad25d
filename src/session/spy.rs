//! src/session/spy.rs: a store for tests that counts what is asked of another, and fails where it is
//! told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;

use super::{Begun, Found, NewSession, Store, StoreError, StoredUser};
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
}

impl Spy {
    pub fn over(store: Arc<dyn Store>) -> Self {
        Spy {
            store,
            reads: AtomicUsize::default(),
            touches: AtomicUsize::default(),
            ends: AtomicUsize::default(),
            fail_next_end: AtomicBool::default(),
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
}
