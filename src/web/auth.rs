//! src/web/auth.rs: how a handler acts: begin a login and end it, on behalf of the browser.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use super::attempt::Door;
use super::client;
use super::cookie::{CredentialCookie, Presented};
use super::core::{Core, Mode, SessionMode, is_missing};
use super::login::{Begin, Login};
use super::outcome;
use super::resolve::resolve;
#[cfg(feature = "jwt")]
use super::tokens::TokenMode;
use super::visit::{Acts, Current, LastRefusal, Proof, Refusal, Resolved, Visit};
use crate::error::{Denied, Error, Failure, Reason};
use crate::event::Event;
use crate::session::{self, StoredUser};
use crate::ticket::{Tag, Ticket};
use crate::user::User;

/// How a handler acts for the browser that asks: logs it in, logs it out.
///
/// Every act waits for the store and returns a `Result`: what it answers has happened. The cookie
/// rides on whatever response follows, a catcher's included.
///
/// # As a request guard
///
/// * **Succeeds** for every request, logged in or not, that may act.
/// * **Forwards** never.
/// * **Fails** with 403 (`cross_origin`) where an unsafe request comes from another site, before
///   the body is read, unless a valid bearer token authenticates it; with 500 (`fairing_missing`)
///   where no fairing for `U` is attached.
///
/// GET and HEAD are safe methods and not checked: act in a POST.
///
/// ```
/// # use rocket::{form::Form, http::Status, post, response::Redirect, FromForm};
/// # use rocket_identity::{Auth, Error, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64 }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// #[post("/logout")]
/// async fn logout(auth: Auth<'_, Account>) -> Result<Redirect, Error> {
///     auth.logout().await?;
///     Ok(Redirect::to("/"))
/// }
/// ```
pub struct Auth<'r, U> {
    core: &'r Core,
    visit: &'r Visit<U>,
    request: &'r Request<'r>,
}

impl<'r, U: User> Auth<'r, U> {
    /// Logs in `user`, whom the application has just authenticated: begins a session, or mints an
    /// access token, as the fairing says.
    ///
    /// A session has a new ticket, whatever the request presented (OWASP ASVS 5.0 7.2.4), and
    /// one that it did present is ended, another user's as well. Its cookie ends with the browser;
    /// see [`begin`](Auth::begin) for a login that shall not. A token is in `Login::tokens`, in a
    /// cookie, or in both, as `identity.jwt.transport` says.
    ///
    /// # Errors
    ///
    /// 503 where the store does not answer or is full, 409 (`revoked_meanwhile`) where all of the
    /// user's sessions were ended since this request began or the user has as many as may be
    /// (`too_many_sessions`, with `evict = "refuse"`), 500 for a user that cannot be kept or
    /// is too large for a token or its cookie (`token_too_large`), or where no key signs.
    pub async fn login(&self, user: U) -> Result<Login, Error> {
        self.begin(user).await
    }

    /// The same as [`login`](Auth::login), with options: `auth.begin(user).remember(true).await`.
    pub fn begin(&self, user: U) -> Begin<'_, 'r, U> {
        Begin::new(self, user, Door::None)
    }

    /// Ends the session that the request presented and clears its cookie, whether or not there was
    /// one. A token's cookie is cleared; the token itself ends at its time.
    ///
    /// # Errors
    ///
    /// 503 where the store does not answer; the cookie is not cleared then, since the session
    /// would live on. 501 (`cannot_revoke`) for a bearer token: only its holder can forget it; a cookie
    /// beside it is cleared.
    pub async fn logout(&self) -> Result<(), Error> {
        #[cfg(feature = "jwt")]
        if let Mode::Tokens(_) = &self.core.mode {
            return self.forget_token().await;
        }
        let mut acts = self.visit.acts.lock().await;
        let tickets = self.visit.tickets(&acts);
        let tags: Vec<_> = tickets.iter().map(|ticket| *ticket.tag()).collect();
        let ended: Result<Vec<_>, _> = match &self.core.mode {
            Mode::Sessions(mode) => mode.sessions.end_each(tickets).await.into_iter().collect(),
            #[cfg(feature = "jwt")]
            Mode::Tokens(_) => Ok(Vec::new()),
        };
        let ended = ended.map_err(|failure| self.failed(failure))?;
        self.end_waiting().await?;
        self.forget(&mut acts);
        for tag in tags.into_iter().zip(ended).filter_map(|(tag, ended)| ended.then_some(tag)) {
            let event = Event::new(Event::LOGOUT).tag(&tag);
            self.tell(match self.visit.known_user() {
                Some(id) if Tag::of(&self.core.name, &id) == tag => event.user(id),
                _ => event,
            });
        }
        Ok(())
    }

    /// A login that waits for its second factor is over too.
    async fn end_waiting(&self) -> Result<(), Error> {
        let presented = Presented::read(&self.core.pending, self.request);
        let Some(mode) = self.core.mode.sessions().filter(|_| presented.any()) else {
            return Ok(());
        };
        let ended = mode.sessions.end_each(presented.tickets()).await;
        let ended: Result<Vec<_>, _> = ended.into_iter().collect();
        ended.map_err(|failure| self.failed(failure))?;
        self.put_cookie(&self.core.pending, self.core.pending.clear());
        Ok(())
    }

    /// The cookie goes, whoever it was; a bearer is with its holder.
    #[cfg(feature = "jwt")]
    async fn forget_token(&self) -> Result<(), Error> {
        let by_bearer = self.visit.credentials.any_bearer();
        let id = match self.current().await {
            Ok(Ok(current)) if !by_bearer => Some(current.user.id()),
            _ => None,
        };
        self.forget(&mut *self.visit.acts.lock().await);
        if by_bearer {
            return Err(self.failed(Reason::CannotRevoke.into()));
        }
        if let Some(id) = id {
            let tag = Tag::of(&self.core.name, &id);
            self.tell(Event::new(Event::LOGOUT).tag(&tag).user(id));
        }
        Ok(())
    }

    /// Ends every session of the user that is logged in, and clears the cookie. Logins of that
    /// user whose request is under way are refused; this same request may log in again.
    ///
    /// # Errors
    ///
    /// 401 where nobody is logged in, so that no success is reported for nothing; 503 where the
    /// store does not answer; 501 (`cannot_revoke`) where the fairing goes by tokens. Nothing is
    /// cleared then.
    pub async fn logout_everywhere(&self) -> Result<(), Error> {
        let id = match self.current().await? {
            Ok(current) => current.user.id(),
            Err(reason) => return Err(self.failed(reason.into())),
        };
        let mut acts = self.visit.acts.lock().await;
        let tag = Tag::of(&self.core.name, &id);
        let ended = match &self.core.mode {
            Mode::Sessions(mode) => mode.sessions.end_all(&tag).await,
            #[cfg(feature = "jwt")]
            Mode::Tokens(_) => Err(Reason::CannotRevoke.into()),
        };
        acts.revocation = Some(ended.map_err(|failure| self.failed(failure))?);
        self.end_waiting().await?;
        self.forget(&mut acts);
        self.tell(Event::new(Event::LOGOUT_EVERYWHERE).tag(&tag).user(id));
        Ok(())
    }

    /// The user that is logged in now: after a login or logout by this request, what that made.
    ///
    /// # Errors
    ///
    /// 503 where the store is needed and does not answer.
    pub async fn user(&self) -> Result<Option<U>, Error> {
        Ok(self.current().await?.ok().map(|current| current.user.clone()))
    }

    /// The user that is logged in now, or the reason why nobody is.
    pub(super) async fn current(&self) -> Result<Result<Arc<Current<U>>, Reason>, Error> {
        if let Some(current) = &self.visit.acts.lock().await.current {
            return Ok(current.clone().ok_or(Reason::Unauthenticated));
        }
        match resolve(self.core, self.visit).await {
            Resolved::User(current) => Ok(Ok(current.clone())),
            Resolved::Anonymous(reason) => Ok(Err(*reason)),
            Resolved::Refused(reason) => {
                Err(Error::new((*reason).into(), Some(self.core.name.clone())))
            }
        }
    }

    /// Nobody is logged in any longer, and the browser shall know.
    fn forget(&self, acts: &mut Acts<U>) {
        acts.ticket = None;
        acts.current = Some(None);
        self.visit.logged_out.store(true, Ordering::Relaxed);
        if let Some(cookie) = self.core.mode.cookie() {
            self.visit.put_cookie(cookie, cookie.clear());
        }
    }

    pub(super) async fn carry_out(&self, user: U, remembered: bool) -> Result<Login, Error> {
        let id = user.id();
        if !id.is_valid() {
            return Err(self.failed(Reason::InvalidUserId.into()));
        }
        let tag = Tag::of(&self.core.name, &id);
        let mut acts = self.visit.acts.lock().await;
        let begun = match &self.core.mode {
            Mode::Sessions(mode) => self.begin_session(mode, &user, tag, remembered, &acts).await,
            #[cfg(feature = "jwt")]
            Mode::Tokens(mode) => self.issue_token(mode, &user, remembered),
        };
        let (login, ticket, proof) = begun.map_err(|failure| self.failed(failure))?;
        // It would be confirmed in the place of this one. That it could not be ended is told: its ten
        // minutes end it.
        let _ = self.end_waiting().await;
        self.tell(Event::new(Event::LOGIN).tag(&tag).user(id));
        acts.ticket = ticket;
        self.visit.logged_out.store(false, Ordering::Relaxed);
        acts.current = Some(Some(Arc::new(Current { user, proof })));
        Ok(login)
    }

    async fn begin_session(
        &self,
        mode: &SessionMode,
        user: &U,
        tag: Tag,
        remembered: bool,
        acts: &Acts<U>,
    ) -> Result<(Login, Option<Ticket>, Proof), Failure> {
        let json = written(user)?;
        let login = session::Login {
            tag,
            user: StoredUser { version: U::VERSION, json, as_of: self.visit.began },
            remembered,
            user_agent: self.request.headers().get_one("User-Agent"),
            address: client::known_address(self.core, self.request),
            presented: self.visit.tickets(acts),
            own_revocation: acts.revocation,
        };
        let (ticket, session) = mode.sessions.begin(login).await?;
        let max_age = remembered.then_some(self.core.settings.session.remember);
        self.visit.put_cookie(&mode.cookie, mode.cookie.set(&ticket.reveal(), max_age));
        Ok((Login::of_session(session.clone()), Some(ticket), Proof::Session(session)))
    }

    #[cfg(feature = "jwt")]
    fn issue_token(
        &self,
        mode: &TokenMode,
        user: &U,
        remembered: bool,
    ) -> Result<(Login, Option<Ticket>, Proof), Failure> {
        let (tokens, claims) = mode.issue(user, self.core.clock.now())?;
        if mode.transport.takes_cookie() {
            let max_age = remembered.then_some(mode.ttl);
            self.visit.put_cookie(&mode.cookie, mode.cookie.set(tokens.access_token(), max_age));
        }
        // Where the cookie is the only way in, no handler gets what a script could then read.
        let tokens = mode.transport.takes_bearer().then_some(tokens);
        if tokens.is_some() {
            self.visit.hand_out();
        }
        Ok((Login::of_tokens(tokens), None, Proof::Bearer(claims)))
    }

    /// False for an unsafe request from another site.
    pub(super) async fn may_act(&self) -> bool {
        let may = !self.visit.cross_origin || self.is_by_bearer().await;
        if !may {
            self.tell(Event::new(Event::REFUSED).reason(Reason::CrossOrigin.code()));
        }
        may
    }

    /// Whether a valid bearer token authenticated the request, and no cookie.
    async fn is_by_bearer(&self) -> bool {
        self.visit.credentials.any_bearer()
            && match resolve(self.core, self.visit).await {
                Resolved::User(current) => current.proof.is_bearer(),
                _ => false,
            }
    }

    pub(super) fn core(&self) -> &'r Core {
        self.core
    }

    pub(super) fn visit(&self) -> &'r Visit<U> {
        self.visit
    }

    pub(super) fn request(&self) -> &'r Request<'r> {
        self.request
    }

    pub(super) fn presents_a_ticket(&self) -> bool {
        self.visit.credentials.any_cookie()
    }

    pub(super) fn put_cookie(&self, cookie: &CredentialCookie, header: String) {
        self.visit.put_cookie(cookie, header);
    }

    /// Notes the refusal for catchers and headers, whatever the handler makes of it.
    pub(super) fn refused(&self, error: Error) -> Error {
        LastRefusal::note(self.request, Refusal::new(self.request, error.denied().clone(), None));
        error
    }

    pub(super) fn failed(&self, failure: Failure) -> Error {
        let name = match failure.reason {
            Reason::StoreUnavailable => Event::STORE_FAILED,
            _ => Event::REFUSED,
        };
        let mut event = Event::new(name).reason(failure.reason.code());
        if let Some(cause) = &failure.source {
            event = event.cause(cause);
        }
        self.tell(event);
        Error::new(failure, Some(self.core.name.clone()))
    }

    pub(super) fn tell(&self, event: Event) {
        self.core.events.emit(event.address(self.visit.peer));
    }
}

#[rocket::async_trait]
impl<'r, U: User> FromRequest<'r> for Auth<'r, U> {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        let Some(core) = Core::of::<U, _>(request.rocket()) else {
            return outcome::missing(request);
        };
        let auth = Auth::new(core, request);
        match auth.may_act().await {
            true => Outcome::Success(auth),
            false => outcome::error(core, request, Reason::CrossOrigin),
        }
    }
}

impl<'r, U: User> Auth<'r, U> {
    pub(super) fn new(core: &'r Core, request: &'r Request<'_>) -> Self {
        Auth { core, visit: Visit::of(core, request), request }
    }
}

impl<U: User> Sentinel for Auth<'_, U> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing::<U>("Auth", "sessions", Core::of::<U, _>(rocket), rocket)
    }
}

/// The user as it will be kept. It is read back at once: one that no guard could read would log
/// nobody in.
pub(super) fn written<U: User>(user: &U) -> Result<Box<str>, Failure> {
    let failure = |cause: serde_json::Error| Failure {
        reason: Reason::UserNotStorable,
        // serde's message may quote a value.
        source: Some(format!("{} at column {}", std::any::type_name::<U>(), cause.column()).into()),
    };
    let json = serde_json::to_string(user).map_err(failure)?;
    serde_json::from_str::<U>(&json).map_err(failure)?;
    Ok(json.into())
}
