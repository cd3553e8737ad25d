//! src/web/auth.rs: how a handler acts: begin a login and end it, on behalf of the browser.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use rocket::http::HeaderMap;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use super::core::{Core, is_missing};
use super::outcome;
use super::resolve::resolve;
use super::visit::{Acts, Current, Resolved, Visit};
use crate::error::{Denied, Error, Failure, Reason};
use crate::event::Event;
use crate::session::{self, Session, StoredUser};
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
///   the body is read; with 500 (`fairing_missing`) where no fairing for `U` is attached.
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
    headers: &'r HeaderMap<'r>,
}

/// A login about to begin, made by [`Auth::begin`]; `.await` it.
#[must_use = "nothing happens until it is awaited"]
pub struct Begin<'a, 'r, U> {
    auth: &'a Auth<'r, U>,
    user: U,
    remembered: bool,
}

/// A login that has begun.
#[derive(Clone, Debug)]
pub struct Login {
    session: Session,
}

impl Login {
    /// The new session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl<'r, U: User> Auth<'r, U> {
    /// Begins a session for `user`, whom the application has just authenticated.
    ///
    /// The session has a new ticket, whatever the request presented (OWASP ASVS 5.0 7.2.4), and
    /// one that it did present is ended, another user's as well. Its cookie ends with the browser;
    /// see [`begin`](Auth::begin) for a login that shall not.
    ///
    /// # Errors
    ///
    /// 503 where the store does not answer or is full, 409 (`revoked_meanwhile`) where all of the
    /// user's sessions were ended since this request began, 500 for a user that cannot be kept.
    pub async fn login(&self, user: U) -> Result<Login, Error> {
        self.begin(user).await
    }

    /// The same as [`login`](Auth::login), with options: `auth.begin(user).remember(true).await`.
    pub fn begin(&self, user: U) -> Begin<'_, 'r, U> {
        Begin { auth: self, user, remembered: false }
    }

    /// Ends the session that the request presented and clears its cookie, whether or not there was
    /// one.
    ///
    /// # Errors
    ///
    /// 503 where the store does not answer; the cookie is not cleared then, since the session
    /// would live on.
    pub async fn logout(&self) -> Result<(), Error> {
        let mut acts = self.visit.acts.lock().await;
        let tickets = self.visit.tickets(&acts);
        let tags: Vec<_> = tickets.iter().map(|ticket| *ticket.tag()).collect();
        let ended: Result<Vec<_>, _> =
            self.core.sessions.end_each(tickets).await.into_iter().collect();
        let ended = ended.map_err(|failure| self.failed(failure))?;
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

    /// Ends every session of the user that is logged in, and clears the cookie. Logins of that
    /// user whose request is under way are refused; this same request may log in again.
    ///
    /// # Errors
    ///
    /// 401 where nobody is logged in, so that no success is reported for nothing; 503 where the
    /// store does not answer. Nothing is cleared then.
    pub async fn logout_everywhere(&self) -> Result<(), Error> {
        let id = match self.current().await? {
            Ok(current) => current.user.id(),
            Err(reason) => return Err(self.failed(reason.into())),
        };
        let mut acts = self.visit.acts.lock().await;
        let tag = Tag::of(&self.core.name, &id);
        let ended = self.core.sessions.end_all(&tag).await;
        acts.revocation = Some(ended.map_err(|failure| self.failed(failure))?);
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
    async fn current(&self) -> Result<Result<Arc<Current<U>>, Reason>, Error> {
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
        self.visit.put_cookie(self.core.cookie.clear());
    }

    async fn carry_out(&self, user: U, remembered: bool) -> Result<Login, Error> {
        let id = user.id();
        if !id.is_valid() {
            return Err(self.failed(Reason::InvalidUserId.into()));
        }
        let user_json = self.written(&user).map_err(|failure| self.failed(failure))?;
        let mut acts = self.visit.acts.lock().await;
        let tag = Tag::of(&self.core.name, &id);
        let login = session::Login {
            tag,
            user: StoredUser { version: U::VERSION, json: user_json, as_of: self.visit.began },
            remembered,
            user_agent: self.headers.get_one("User-Agent"),
            address: self.visit.peer,
            presented: self.visit.tickets(&acts),
            own_revocation: acts.revocation,
        };
        let begun = self.core.sessions.begin(login).await;
        let (ticket, session) = begun.map_err(|failure| self.failed(failure))?;
        self.hand_out(&ticket, remembered);
        self.tell(Event::new(Event::LOGIN).tag(&tag).user(id));
        acts.ticket = Some(ticket);
        acts.current = Some(Some(Arc::new(Current { user, session: session.clone() })));
        Ok(Login { session })
    }

    /// The user as it will be kept. It is read back at once: one that no guard could read would
    /// log nobody in.
    fn written(&self, user: &U) -> Result<Box<str>, Failure> {
        let failure = |cause: serde_json::Error| Failure {
            reason: Reason::UserNotStorable,
            // serde's message may quote a value.
            source: Some(
                format!("{} at column {}", std::any::type_name::<U>(), cause.column()).into(),
            ),
        };
        let json = serde_json::to_string(user).map_err(failure)?;
        serde_json::from_str::<U>(&json).map_err(failure)?;
        Ok(json.into())
    }

    fn hand_out(&self, ticket: &Ticket, remembered: bool) {
        let max_age = remembered.then_some(self.core.settings.session.remember);
        self.visit.put_cookie(self.core.cookie.set(ticket, max_age));
    }

    fn failed(&self, failure: Failure) -> Error {
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

    fn tell(&self, event: Event) {
        self.core.events.emit(event.address(self.visit.peer));
    }
}

impl<U: User> Begin<'_, '_, U> {
    /// Whether the user stays logged in when the browser closes: the cookie then lives for
    /// `identity.session.remember`, and the session has no idle limit (OWASP: opt-in only).
    pub fn remember(mut self, remember: bool) -> Self {
        self.remembered = remember;
        self
    }
}

impl<'a, U: User> IntoFuture for Begin<'a, '_, U> {
    type Output = Result<Login, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.auth.carry_out(self.user, self.remembered))
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
        if auth.visit.cross_origin {
            auth.tell(Event::new(Event::REFUSED).reason(Reason::CrossOrigin.code()));
            return outcome::error(core, request, Reason::CrossOrigin);
        }
        Outcome::Success(auth)
    }
}

impl<'r, U: User> Auth<'r, U> {
    pub(super) fn new(core: &'r Core, request: &'r Request<'_>) -> Self {
        Auth { core, visit: Visit::of(core, request), headers: request.headers() }
    }
}

impl<U: User> Sentinel for Auth<'_, U> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing::<U>("Auth", rocket)
    }
}
