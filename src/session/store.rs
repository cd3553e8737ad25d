//! src/session/store.rs: what the session slice needs of a store. Each verb is one atomic step.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::data::DataStore;
use super::notice::Notices;
use super::{Pending, Record, StoredUser};
use crate::clock::Time;
use crate::config::Evict;
use crate::secret::Digest;
use crate::ticket::{Handle, Tag};

/// Keeps sessions under their users. A store knows digests, never a ticket, and holds no policy:
/// whether a session that it finds has expired is its caller's question.
///
/// A session is what has one handle: its record, after a step-up for five seconds the superseded one
/// beside it, and its data. Whatever ends one of them ends all of them.
///
/// That nothing is found is an answer, not an error.
#[async_trait]
pub trait Store: DataStore + Notices {
    /// It is known that nothing can be kept at present, without asking.
    fn is_away(&self) -> bool {
        false
    }

    /// There is no room for one more session.
    fn is_full(&self) -> bool {
        false
    }

    /// Asks whether it answers at all.
    async fn answers(&self) -> bool {
        true
    }

    /// The session `id` of the user `tag`, and that user.
    async fn find(&self, tag: &Tag, id: &Digest) -> Result<Option<Found>, StoreError>;

    /// Keeps a new session, ends those that it replaces, and at the bound evicts the user's oldest
    /// or is refused; all of it or nothing.
    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError>;

    /// Notes that a session was used at `seen`, so that it now ends at `expires`; does nothing
    /// where the session no longer exists, or is superseded.
    async fn touch(
        &self,
        tag: &Tag,
        id: &Digest,
        seen: Time,
        expires: Time,
    ) -> Result<(), StoreError>;

    /// Rewrites the user, unless the stored one is as of a later moment or no session is left;
    /// whether it did. A login that waits for its confirmation keeps the user that it brought.
    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError>;

    /// Ends the session of `id`, or the login that waits under it; false where there was none.
    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError>;

    /// Takes back a session just begun, whose ticket nobody has: as [`end`](Store::end), but it need
    /// not be safe against a failure of the store.
    async fn withdraw(&self, tag: &Tag, id: &Digest) -> Result<(), StoreError> {
        self.end(tag, id).await.map(drop)
    }

    /// Ends all sessions of a user and forgets the user. The moment returned is the store's own:
    /// a login whose request began before it is refused for the next ten minutes at least.
    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError>;

    /// The living sessions in the order of their logins, each with when it was last seen. Superseded
    /// ones are not among them; the dead are dropped.
    async fn list(
        &self,
        tag: &Tag,
        now: Time,
        idle: Duration,
    ) -> Result<Vec<(Arc<Record>, Time)>, StoreError>;

    /// Ends the session of this handle; false where there was none.
    async fn end_by_handle(&self, tag: &Tag, handle: &Handle) -> Result<bool, StoreError>;

    /// Ends all sessions but that of `keep`, and refuses the logins under way as
    /// [`end_all`](Store::end_all) does: its moment, and how many ended of those that `now` and
    /// `idle` leave alive.
    async fn end_others(
        &self,
        tag: &Tag,
        keep: &Handle,
        now: Time,
        idle: Duration,
    ) -> Result<(Time, usize), StoreError>;

    /// Gives the living session `old` a new id (a step-up). The old id finds a superseded record for
    /// five seconds more. A superseded session is [`Rotated::Gone`].
    async fn rotate(&self, tag: &Tag, old: &Digest, new: Rotation) -> Result<Rotated, StoreError>;

    /// Keeps a login that waits for its confirmation; the oldest of five gives way. It ends nothing,
    /// writes no user, and is refused as a login is.
    async fn begin_pending(&self, tag: &Tag, new: NewPending) -> Result<Begun, StoreError>;

    /// The login that waits under `id`; whether it still may is its caller's question.
    async fn find_pending(&self, tag: &Tag, id: &Digest) -> Result<Option<Pending>, StoreError>;

    /// Takes the login that waits under `id`, and begins its session as [`begin`](Store::begin)
    /// does, in one step; `None` where none waits (any longer). Where the session is refused, the
    /// login still waits.
    async fn confirm_pending(
        &self,
        tag: &Tag,
        id: &Digest,
        new: NewSession,
    ) -> Result<Option<Begun>, StoreError>;
}

/// What `find` found.
#[derive(Clone, Debug)]
pub struct Found {
    pub record: Arc<Record>,
    pub seen: Time,
    pub user: Arc<StoredUser>,
}

/// What `begin` keeps, and on which conditions.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: Digest,
    pub record: Record,
    /// When the session ends if it is never used.
    pub expires: Time,
    /// Kept unless the stored one is as of a later moment.
    pub user: StoredUser,
    /// The beginning of the login's request: a revocation of all from then on refuses it.
    pub since: Time,
    /// A revocation of all that this same request did itself, and which therefore does not.
    pub own_revocation: Option<Time>,
    /// The sessions of this user that the login's request presented.
    pub replaces: Vec<Digest>,
    pub max_per_user: usize,
    pub evict: Evict,
    /// By it a store knows which of the user's other sessions are dead.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory keeps each end"))]
    pub idle: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    Kept,
    /// All sessions of this user were ended while the login was under way.
    RevokedMeanwhile,
    /// The user has as many sessions as may be, and none gives way.
    TooMany,
    /// The store is full of living sessions.
    Full,
}

/// What `begin_pending` keeps, and on which conditions.
#[derive(Clone, Debug)]
pub struct NewPending {
    pub id: Digest,
    pub pending: Pending,
    /// A revocation of all that this same request did itself.
    pub own_revocation: Option<Time>,
    /// By it a store knows when the user's sessions end.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory keeps each end"))]
    pub idle: Duration,
}

/// A new id for a living session.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub id: Digest,
    pub authenticated_at: Time,
    pub now: Time,
    /// By it a store knows whether the old one still lives.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory keeps each end"))]
    pub idle: Duration,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rotated {
    /// The session as it now is, and when it was last seen.
    Done(Arc<Record>, Time),
    /// Unknown, ended, expired or superseded.
    Gone,
}

/// How long the old id of a session finds it after a step-up: the requests that were under way.
pub const GRACE: Duration = Duration::from_secs(5);

/// How many logins of one user may wait for their confirmation.
pub const MOST_PENDING: usize = 5;

/// Why a store did not do what it was asked.
#[derive(Debug)]
pub enum StoreError {
    /// It did what it was asked, and too few replicas have it to promise that it stays.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory has no replicas"))]
    NotReplicated,
    /// It did not answer in time; the act may or may not have happened.
    #[cfg_attr(
        not(any(test, feature = "redis")),
        expect(dead_code, reason = "memory always answers")
    )]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// What lies there cannot be read: it counts as absent.
    #[cfg_attr(
        not(any(test, feature = "redis")),
        expect(dead_code, reason = "memory keeps no text")
    )]
    Unreadable(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NotReplicated => f.write_str("too few replicas have the write"),
            StoreError::Unavailable(cause) => write!(f, "the store does not answer: {cause}"),
            StoreError::Unreadable(cause) => write!(f, "a stored entry is unreadable: {cause}"),
        }
    }
}

impl Error for StoreError {}
