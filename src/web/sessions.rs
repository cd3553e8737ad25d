//! src/web/sessions.rs: the sessions of any user, for an admin or a job: list them, end them, rewrite
//! the user that they share.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use rocket::http::impl_from_uri_param_identity;
use rocket::http::uri::fmt::{Formatter, Path, UriDisplay};
use rocket::request::FromParam;

use super::auth::written;
use super::core::Core;
use crate::error::{Error, Failure, Reason};
use crate::event::Event;
use crate::session::{Handle, NotAHandle, Service, Session, StoredUser};
use crate::ticket::Tag;
use crate::user::{User, UserId};

/// One session of a list; dereferences to the [`Session`].
#[derive(Clone, Debug)]
pub struct Device {
    session: Session,
    current: bool,
}

impl Device {
    pub(super) fn new(session: Session, current: bool) -> Self {
        Device { session, current }
    }

    /// The session that asks: "this one".
    pub fn is_current(&self) -> bool {
        self.current
    }
}

impl Deref for Device {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// The sessions of all users of type `U`, in managed state: for an admin's page, a password change, an
/// account that is locked (OWASP ASVS 5.0 7.4.2 and 7.4.5).
///
/// What it returns has happened on every process. Each method fails with 503 where the store does not
/// answer, and with 501 (`cannot_revoke`) where the fairing goes by tokens.
///
/// ```
/// # use rocket::{State, post};
/// # use rocket_identity::{auth::Sessions, Error, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64 }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// #[post("/admin/lock/<id>")]
/// async fn lock(sessions: &State<Sessions<Account>>, id: u64) -> Result<(), Error> {
///     // .. mark the account as locked, then:
///     sessions.revoke_all(&id.into()).await
/// }
/// ```
pub struct Sessions<U> {
    core: Arc<Core>,
    user: PhantomData<fn() -> U>,
}

impl<U: User> Sessions<U> {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Sessions { core, user: PhantomData }
    }

    /// The living sessions of a user, in the order of their logins.
    pub async fn list(&self, user: &UserId) -> Result<Vec<Session>, Error> {
        self.done(self.service()?.list(&self.tag(user)).await)
    }

    /// Ends one session; false where there was none.
    pub async fn revoke(&self, user: &UserId, handle: &Handle) -> Result<bool, Error> {
        let tag = self.tag(user);
        let ended = self.done(self.service()?.end_by_handle(&tag, handle).await)?;
        if ended {
            self.tell(Event::REVOKED, user, &tag);
        }
        Ok(ended)
    }

    /// Ends every session of a user and refuses the logins whose request began before.
    pub async fn revoke_all(&self, user: &UserId) -> Result<(), Error> {
        let tag = self.tag(user);
        self.done(self.service()?.end_all(&tag).await)?;
        self.tell(Event::LOGOUT_EVERYWHERE, user, &tag);
        Ok(())
    }

    /// Rewrites the user in all of their sessions: an admin who is demoted here is demoted with the
    /// next request, on every process, and no login that read the table before undoes it. False where
    /// no session is left to rewrite: then the logins that are under way or wait for a second factor
    /// are refused, as by [`revoke_all`](Sessions::revoke_all). False too where the stored user was read
    /// later than this.
    pub async fn update_user(&self, user: &U) -> Result<bool, Error> {
        let (id, as_of) = (user.id(), self.core.clock.now());
        let json = self.done(written(user))?;
        let stored = StoredUser { version: U::VERSION, json, as_of };
        let (service, tag) = (self.service()?, self.tag(&id));
        let done = self.done(service.update_user(&tag, stored).await)?;
        // Where nothing remembers this user, nothing would hold against what was read before.
        if !done && self.done(service.list(&tag).await)?.is_empty() {
            self.done(service.end_all(&tag).await)?;
        }
        Ok(done)
    }

    fn tag(&self, user: &UserId) -> Tag {
        Tag::of(&self.core.name, user)
    }

    fn service(&self) -> Result<&Service, Error> {
        let mode = self.core.mode.sessions().ok_or(Reason::CannotRevoke.into());
        self.done(mode.map(|mode| &mode.sessions))
    }

    fn done<T>(&self, done: Result<T, Failure>) -> Result<T, Error> {
        done.map_err(|failure| Error::new(failure, Some(self.core.name.clone())))
    }

    fn tell(&self, name: &'static str, user: &UserId, tag: &Tag) {
        self.core.events.emit(Event::new(name).tag(tag).user(user.clone()));
    }
}

/// In a path, `/sessions/<handle>/revoke`; what is no handle forwards.
impl<'r> FromParam<'r> for Handle {
    type Error = NotAHandle;

    fn from_param(param: &'r str) -> Result<Self, NotAHandle> {
        param.parse()
    }
}

impl UriDisplay<Path> for Handle {
    fn fmt(&self, f: &mut Formatter<'_, Path>) -> std::fmt::Result {
        f.write_value(self.to_string())
    }
}

impl_from_uri_param_identity!([Path] Handle);
