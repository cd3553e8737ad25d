//! src/web/devices.rs: what a user does with their own sessions: see them, end one, end the others.

use super::auth::Auth;
use super::core::SessionMode;
use super::sessions::Device;
use crate::error::{Error, Reason};
use crate::event::Event;
use crate::session::Handle;
use crate::ticket::Tag;
use crate::user::{User, UserId};

/// Who asks, and by which session.
struct Own<'r> {
    mode: &'r SessionMode,
    id: UserId,
    tag: Tag,
    handle: Handle,
}

/// Each fails with 401 where nobody is logged in by a session, and with 503 where the store does not
/// answer.
impl<'r, U: User> Auth<'r, U> {
    /// The sessions of the user that is logged in, in the order of their logins: when each began and
    /// was last seen, from where, and which one asks.
    pub async fn sessions(&self) -> Result<Vec<Device>, Error> {
        let own = self.own().await?;
        let listed = own.mode.sessions.list(&own.tag).await.map_err(|f| self.failed(f))?;
        let device = |session: crate::session::Session| {
            let current = session.handle() == own.handle;
            Device::new(session, current)
        };
        Ok(listed.into_iter().map(device).collect())
    }

    /// Ends one session of the user that is logged in; false where they have none of that handle. For
    /// the session that asks it is a logout.
    pub async fn revoke(&self, handle: &Handle) -> Result<bool, Error> {
        let own = self.own().await?;
        if *handle == own.handle {
            return self.logout().await.map(|()| true);
        }
        let ended = own.mode.sessions.end_by_handle(&own.tag, handle).await;
        let ended = ended.map_err(|failure| self.failed(failure))?;
        if ended {
            self.tell(Event::new(Event::REVOKED).tag(&own.tag).user(own.id));
        }
        Ok(ended)
    }

    /// Ends every session of the user but the one that asks, and refuses the logins whose request began
    /// before: after a password change nobody is in who knew only the old one. How many ended.
    pub async fn revoke_others(&self) -> Result<usize, Error> {
        let own = self.own().await?;
        let mut acts = self.visit().acts.lock().await;
        let ended = own.mode.sessions.end_others(&own.tag, &own.handle).await;
        let (moment, ended) = ended.map_err(|failure| self.failed(failure))?;
        acts.revocation = Some(moment);
        self.tell(Event::new(Event::REVOKED).tag(&own.tag).user(own.id));
        Ok(ended)
    }

    async fn own(&self) -> Result<Own<'r>, Error> {
        let cannot = || self.failed(Reason::CannotRevoke.into());
        let mode = self.core().mode.sessions().ok_or_else(cannot)?;
        let current = self.current().await?;
        let current = current.map_err(|reason| self.failed(reason.into()))?;
        let Some(session) = current.proof.session() else {
            return Err(self.failed(Reason::Unauthenticated.into()));
        };
        let id = current.user.id();
        let tag = Tag::of(&self.core().name, &id);
        Ok(Own { mode, id, tag, handle: session.handle() })
    }
}
