//! src/session/data.rs: what the session slice needs of a store for an application's own values of a
//! session. Each verb is one atomic step.

use async_trait::async_trait;

use super::StoreError;
use crate::secret::Digest;
use crate::ticket::{Handle, Tag};

/// What one session may hold: bytes of all its keys and values.
pub const MOST_BYTES: usize = 16 * 1024;

/// The longest key, in bytes.
pub const LONGEST_KEY: usize = 64;

/// Keeps values under the handles of sessions. They follow the handle through a step-up, live as
/// long as its session, and are gone with it: whatever ends a session drops them in the same step. Those
/// of a session that nobody ended and that was not used any longer lie in Redis until its longest time
/// is over, or its user logs in again; nothing reads them there.
///
/// A key is the caller's to check; a value is the text of some JSON.
#[async_trait]
pub trait DataStore: Send + Sync + 'static {
    /// The value of a key; `None` where there is none, or no such session.
    async fn data_get(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError>;

    /// Keeps a value, where the session `id` exists, has this handle, and the key holds what is
    /// expected. Without an id any session of this handle will do.
    async fn data_set(
        &self,
        tag: &Tag,
        id: Option<&Digest>,
        set: SetDatum<'_>,
    ) -> Result<Kept, StoreError>;

    /// Takes a value out: of two that take at once, one gets it.
    async fn data_take(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError>;

    /// Whether there was one to remove.
    async fn data_remove(&self, tag: &Tag, handle: &Handle, key: &str) -> Result<bool, StoreError> {
        Ok(self.data_take(tag, handle, key).await?.is_some())
    }
}

/// A value as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datum {
    /// Counted through all keys of a session, so that a value which was removed and set again never
    /// has a revision that an earlier one had.
    pub revision: u64,
    pub json: Box<str>,
}

/// What `data_set` keeps.
#[derive(Clone, Copy, Debug)]
pub struct SetDatum<'a> {
    pub handle: &'a Handle,
    pub key: &'a str,
    pub json: &'a str,
    pub expect: Expect,
}

/// What the key must hold for a write to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    Any,
    Absent,
    Revision(u64),
}

/// The outcome of `data_set`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Under this revision.
    As(u64),
    /// The key holds something else than what was expected.
    Conflict,
    /// The session would hold more than [`MOST_BYTES`].
    TooLarge,
    SessionGone,
}
