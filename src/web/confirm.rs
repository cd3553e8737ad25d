//! src/web/confirm.rs: a user proves once more who they are: in a session that is not fresh any longer,
//! or for a login that waits for its second factor.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocket::Request;

use super::attempt::Door;
use super::auth::{Auth, written};
use super::client;
use super::cookie::Presented;
use super::core::{Core, SessionMode};
use super::login::Login;
use super::reload;
use super::resolve::read_user;
use super::visit::{Current, Proof, Visit};
use crate::error::{Error, Failure, Reason};
use crate::event::Event;
use crate::secret;
use crate::session::{self, Pending, Session, StoredUser};
use crate::throttle::{By, Quota, TakeKey};
use crate::ticket::{Tag, Ticket};
use crate::user::User;

/// Tries at a confirmation, and at a second factor: in buckets of their own, so that who guesses there
/// shuts no login.
const TRIES: Quota = match Quota::new(5, Duration::from_secs(5 * 60)) {
    Some(quota) => quota,
    None => unreachable!(),
};

/// How long a login waits, as its cookie has it.
const WAITS: Duration = Duration::from_secs(10 * 60);

/// A confirmation that the throttle has let through, made by [`Auth::confirm`] or
/// [`Auth::confirm_step`]. It was counted as a
/// failure, and is one unless [`done`](Confirm::done) is called.
#[must_use = "a confirmation that is not done counts as a failure"]
pub struct Confirm<'a, 'r, U> {
    auth: &'a Auth<'r, U>,
    mode: &'r SessionMode,
    user: U,
    tag: Tag,
    of: Of,
    key: TakeKey,
    by: By,
}

/// What is to be confirmed.
enum Of {
    /// A session, by the ticket that the request came with.
    Session(Ticket),
    /// A login that waits.
    Login(Ticket, Box<Pending>),
}

/// The login that waits under the pending cookie, where one does.
pub async fn waiting<U>(
    core: &Core,
    mode: &SessionMode,
    visit: &Visit<U>,
    request: &Request<'_>,
) -> Result<Option<(Ticket, Pending)>, Failure> {
    let presented = Presented::read(&core.pending, request);
    if presented.any() {
        visit.waits.store(true, Ordering::Relaxed);
    }
    let Some(ticket) = presented.ticket() else { return Ok(None) };
    Ok(mode.sessions.find_pending(ticket).await?.map(|pending| (ticket.clone(), pending)))
}

impl<U: User> Confirm<'_, '_, U> {
    /// Whose proof is asked for: look up their password or their second factor.
    pub fn user(&self) -> &U {
        &self.user
    }

    /// The proof was good. A session gets a new ticket and is fresh again; the old ticket opens it for
    /// five seconds more and is never fresh, so that no parallel request is logged out. A login that
    /// waited begins its session, and ends the one that the request presents.
    ///
    /// # Errors
    ///
    /// 401 (`session_invalid`) where the session has ended meanwhile, was confirmed by another request,
    /// or its user is gone; 503 where the store does not answer; those of [`Auth::login`] for a login.
    pub async fn done(self) -> Result<Login, Error> {
        let auth = self.auth;
        let done = match &self.of {
            Of::Session(ticket) => self.step_up(ticket).await,
            Of::Login(ticket, pending) => self.log_in(ticket, pending).await,
        };
        let login = done.map_err(|failure| auth.failed(failure))?;
        if let Err(cause) = auth.core().throttle.reset(&self.key, self.by).await {
            auth.tell(Event::new(Event::THROTTLE_FAILED).cause(&cause));
        }
        Ok(login)
    }

    async fn step_up(&self, ticket: &Ticket) -> Result<Login, Failure> {
        let auth = self.auth;
        let (user, _) = self.read_again().await?;
        let mut acts = auth.visit().acts.lock().await;
        let rotated = self.mode.sessions.rotate(ticket).await?;
        let (ticket, session) = rotated.ok_or(Reason::SessionInvalid)?;
        let max_age = session.remembered().then(|| {
            let now = auth.core().clock.now();
            session.latest_end().since(now)
        });
        auth.put_cookie(&self.mode.cookie, self.mode.cookie.set(&ticket.reveal(), max_age));
        auth.tell(Event::new(Event::CONFIRMED).tag(&self.tag).user(user.id()));
        acts.ticket = Some(ticket);
        acts.current = Some(Some(current(user, session.clone())));
        auth.visit().logged_out.store(false, Ordering::Relaxed);
        Ok(Login::of_session(session))
    }

    async fn log_in(&self, ticket: &Ticket, pending: &Pending) -> Result<Login, Failure> {
        let (auth, core) = (self.auth, self.auth.core());
        // The application's table may have changed in these ten minutes.
        let (user, newer) = self.read_again().await?;
        let mut acts = auth.visit().acts.lock().await;
        let presented = auth.visit().tickets(&acts);
        let begun = self.mode.sessions.confirm_pending(ticket, presented, newer).await?;
        let (ticket, session) = begun.ok_or(Reason::SessionInvalid)?;
        let max_age = session.remembered().then_some(core.settings.session.remember);
        auth.put_cookie(&self.mode.cookie, self.mode.cookie.set(&ticket.reveal(), max_age));
        auth.put_cookie(&core.pending, core.pending.clear());
        auth.tell(Event::new(Event::LOGIN).tag(&self.tag).user(user.id()));
        acts.ticket = Some(ticket);
        acts.current = Some(Some(current(user, session.clone())));
        auth.visit().logged_out.store(false, Ordering::Relaxed);
        drop(acts);
        let door = Door::read(&pending.note, |account| auth.device_of(account));
        auth.passed(&door).await;
        Ok(Login::of_session(session))
    }

    /// The user as the hook has it now, and what is to be kept of that where it is newer.
    async fn read_again(&self) -> Result<(U, Option<StoredUser>), Failure> {
        let (auth, id) = (self.auth, self.user.id());
        let newer = reload::again(auth.core(), self.mode, auth.visit(), (&self.tag, id)).await?;
        Ok(match newer {
            Some((user, stored)) => (user, Some(stored)),
            None => (self.user.clone(), None),
        })
    }
}

impl<'r, U: User> Auth<'r, U> {
    /// The door of a confirmation: for a handler that then checks the password of [`Confirm::user`] once
    /// more and calls [`Confirm::done`]. It confirms the session and nothing else: a login that waits
    /// for a second factor has a door of its own, [`confirm_step`](Auth::confirm_step).
    ///
    /// ```
    /// # use rocket::{form::{self, Form}, http::Status, post, FromForm};
    /// # use rocket_identity::{Auth, Error, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # #[derive(FromForm)]
    /// # struct Typed<'r> { password: &'r str }
    /// # async fn is_right(_: &Account, _: &str) -> Result<bool, Error> { Ok(true) }
    /// #[post("/confirm", data = "<form>")]
    /// async fn confirm(
    ///     auth: Auth<'_, Account>,
    ///     form: form::Result<'_, Form<Typed<'_>>>,
    /// ) -> Result<Status, Error> {
    ///     let Ok(form) = form else { return Ok(Status::UnprocessableEntity) };
    ///     let confirm = auth.confirm().await?;
    ///     if !is_right(confirm.user(), form.password).await? {
    ///         return Ok(Status::Unauthorized);
    ///     }
    ///     confirm.done().await?;
    ///     Ok(Status::NoContent)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// 401 where nobody is logged in; 429 (`too_many_attempts`) after five tries, one more each five
    /// minutes; 503 where the store does not answer; 501 (`cannot_confirm`) where the fairing goes by
    /// tokens.
    pub async fn confirm(&self) -> Result<Confirm<'_, 'r, U>, Error> {
        let mode = self.confirmable()?;
        let current = self.current().await?;
        let current = current.map_err(|reason| self.failed(reason.into()))?;
        let acts = self.visit().acts.lock().await;
        let [ticket] = self.visit().tickets(&acts) else {
            return Err(self.failed(Reason::SessionInvalid.into()));
        };
        let of = Of::Session(ticket.clone());
        drop(acts);
        self.count(mode, current.user.clone(), of, "confirm").await
    }

    /// The same for the login of this browser that waits for `step`, as
    /// [`Begin::pending`](super::Begin::pending) named it: the handler checks that second factor of
    /// [`Confirm::user`]. Naming it here keeps a page that checks a password again from letting in whoever
    /// knows only that.
    ///
    /// ```
    /// # use rocket::{http::Status, post};
    /// # use rocket_identity::{Auth, Error, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// # fn is_right(_: &Account, _: u32) -> bool { true }
    /// #[post("/second-factor", data = "<code>")]
    /// async fn second_factor(auth: Auth<'_, Account>, code: &str) -> Result<Status, Error> {
    ///     let Ok(code) = code.parse() else { return Ok(Status::UnprocessableEntity) };
    ///     let confirm = auth.confirm_step("authenticator").await?;
    ///     if !is_right(confirm.user(), code) {
    ///         return Ok(Status::Unauthorized);
    ///     }
    ///     confirm.done().await?;
    ///     Ok(Status::NoContent)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// 401 where no login waits for that step; 429, 503 and 501 as for [`confirm`](Auth::confirm), the
    /// tries in a bucket of their own.
    pub async fn confirm_step(&self, step: &str) -> Result<Confirm<'_, 'r, U>, Error> {
        let mode = self.confirmable()?;
        let waits = waiting(self.core(), mode, self.visit(), self.request()).await;
        let waits = waits.map_err(|failure| self.failed(failure))?;
        let Some((ticket, pending)) = waits.filter(|(_, pending)| &*pending.step == step) else {
            return Err(self.failed(Reason::Unauthenticated.into()));
        };
        let user = read_user::<U>(pending.user.version, &pending.user.json);
        let user = user.map_err(|_| self.failed(Reason::SessionInvalid.into()))?;
        self.count(mode, user, Of::Login(ticket, Box::new(pending)), "second factor").await
    }

    fn confirmable(&self) -> Result<&'r SessionMode, Error> {
        let cannot = || self.failed(Reason::CannotConfirm.into());
        self.core().mode.sessions().ok_or_else(cannot)
    }

    async fn count(
        &self,
        mode: &'r SessionMode,
        user: U,
        of: Of,
        route: &str,
    ) -> Result<Confirm<'_, 'r, U>, Error> {
        let core = self.core();
        let tag = Tag::of(&core.name, &user.id());
        let key = TakeKey::of(route, &secret::encode(tag.as_bytes()));
        let decision = core.throttle.take(&key, TRIES).await;
        if let Some(cause) = &decision.failure {
            self.tell_of_client(Event::new(Event::THROTTLE_FAILED).cause(cause));
        }
        if let Some(limit) = decision.verdict.rate_limit(route) {
            let code = Reason::TooManyAttempts.code();
            let event = Event::new(Event::THROTTLED).reason(code).cause(&limit.policy);
            self.tell_of_client(event.tag(&tag).user(user.id()));
            return Err(self.refused(Error::too_many(limit, core.name.clone())));
        }
        Ok(Confirm { auth: self, mode, user, tag, of, key, by: decision.by() })
    }

    /// Keeps a login that waits for `step`, and hands its ticket to the browser.
    pub(super) async fn wait(
        &self,
        user: U,
        remembered: bool,
        step: &str,
        door: &Door,
    ) -> Result<(), Error> {
        let id = user.id();
        if !id.is_valid() {
            return Err(self.failed(Reason::InvalidUserId.into()));
        }
        let core = self.core();
        let mode = self.confirmable()?;
        let tag = Tag::of(&core.name, &id);
        let json = written(&user).map_err(|failure| self.failed(failure))?;
        let acts = self.visit().acts.lock().await;
        let login = session::Login {
            tag,
            user: StoredUser { version: U::VERSION, json, as_of: self.visit().began },
            remembered,
            user_agent: self.request().headers().get_one("User-Agent"),
            address: client::known_address(core, self.request()),
            presented: &[],
            own_revocation: acts.revocation,
        };
        let begun = mode.sessions.begin_pending(login, step, &door.note()).await;
        let (ticket, _) = begun.map_err(|failure| self.failed(failure))?;
        self.put_cookie(&core.pending, core.pending.set(&ticket.reveal(), Some(WAITS)));
        self.tell(Event::new(Event::PENDING).tag(&tag).user(id));
        Ok(())
    }
}

fn current<U>(user: U, session: Session) -> Arc<Current<U>> {
    Arc::new(Current { user, proof: Proof::Session(session) })
}
