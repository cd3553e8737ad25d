//! src/session/service/devices.rs: all sessions of a user: list them, end one or the others, rewrite
//! the user that they share.

use super::{Service, failed};
use crate::clock::Time;
use crate::error::Failure;
use crate::session::{Session, StoreError, StoredUser};
use crate::ticket::{Handle, Tag};

impl Service {
    /// The living sessions of a user, in the order of their logins: one command.
    pub async fn list(&self, tag: &Tag) -> Result<Vec<Session>, Failure> {
        let now = self.clock.now();
        let held = readable(self.store.list(tag, now, self.lifetimes.idle).await)?;
        let sessions = held.into_iter().map(|(record, seen)| self.session(tag, record, seen));
        Ok(sessions.filter(|session| session.expires > now).collect())
    }

    /// Ends the session of a handle; false where there was none.
    pub async fn end_by_handle(&self, tag: &Tag, handle: &Handle) -> Result<bool, Failure> {
        readable(self.store.end_by_handle(tag, handle).await)
    }

    /// Ends all sessions but that of `keep`, and refuses the logins that are under way: the moment of
    /// that revocation, and how many sessions ended.
    pub async fn end_others(&self, tag: &Tag, keep: &Handle) -> Result<(Time, usize), Failure> {
        let now = self.clock.now();
        self.store.end_others(tag, keep, now, self.lifetimes.idle).await.map_err(failed)
    }

    /// Rewrites the user of all these sessions, unless the stored one is as of a later moment or no
    /// session is left; whether it did.
    pub async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, Failure> {
        readable(self.store.update_user(tag, user).await)
    }
}

/// What cannot be read is no session.
fn readable<T: Default>(answer: Result<T, StoreError>) -> Result<T, Failure> {
    match answer {
        Err(StoreError::Unreadable(_)) => Ok(T::default()),
        answer => answer.map_err(failed),
    }
}
