//! src/session/store.rs: what the session slice needs of a store. Each verb is one atomic step.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Record, StoredUser};
use crate::clock::Time;
use crate::secret::Digest;
use crate::ticket::Tag;

/// Keeps sessions under their users. A store knows digests, never a ticket, and holds no policy:
/// whether a session that it finds has expired is its caller's question.
///
/// That nothing is found is an answer, not an error.
#[async_trait]
pub trait Store: Send + Sync + 'static {
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

    /// Keeps a new session, ends those that it replaces, and evicts the user's oldest over the
    /// bound; all of it or nothing.
    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError>;

    /// Notes that a session was used at `seen`, so that it now ends at `expires`; does nothing
    /// where the session no longer exists.
    async fn touch(
        &self,
        tag: &Tag,
        id: &Digest,
        seen: Time,
        expires: Time,
    ) -> Result<(), StoreError>;

    /// Rewrites the user, unless the stored one is as of a later moment or no session is left;
    /// whether it did.
    #[cfg_attr(not(test), expect(dead_code, reason = "no caller yet: the races of it are tested"))]
    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError>;

    /// Ends one session; false where there was none.
    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError>;

    /// Takes back a session just begun, whose ticket nobody has: as [`end`](Store::end), but it need
    /// not be safe against a failure of the store.
    async fn withdraw(&self, tag: &Tag, id: &Digest) -> Result<(), StoreError> {
        self.end(tag, id).await.map(drop)
    }

    /// Ends all sessions of a user and forgets the user. The moment returned is the store's own:
    /// a login whose request began before it is refused for the next ten minutes at least.
    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError>;
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
    /// By it a store knows which of the user's other sessions are dead.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "memory keeps each end"))]
    pub idle: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    Kept,
    /// All sessions of this user were ended while the login was under way.
    RevokedMeanwhile,
    /// The store is full of living sessions.
    Full,
}

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
