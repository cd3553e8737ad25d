//! src/web/visit.rs: what a fairing keeps of one request. Rocket's request-local values are
//! first-writer-wins and keyed by type, so each is a private type with cells inside.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rocket::Request;
use rocket::tokio::sync::{Mutex as AsyncMutex, OnceCell};

use super::cookie::CredentialCookie;
use super::core::Core;
use super::credentials::Credentials;
use super::origin;
use crate::clock::Time;
use crate::error::{Denied, Reason};
#[cfg(feature = "jwt")]
use crate::jwt::Claims;
use crate::session::Session;
use crate::ticket::Ticket;
use crate::user::{User, UserId};

/// One request, as the fairing of `U` sees it; made when the first of its guards runs.
pub struct Visit<U> {
    pub credentials: Credentials,
    /// The request could act with the cookie and comes from another site.
    pub cross_origin: bool,
    /// The check above was needed, so the answer varies by its fields.
    pub origin_mattered: bool,
    /// The request's beginning: nothing that the application read for it is older.
    pub began: Time,
    pub peer: Option<IpAddr>,
    pub resolved: OnceCell<Resolved<U>>,
    /// What this request's own acts made of it. Acts wait for each other.
    pub acts: AsyncMutex<Acts<U>>,
    set_cookies: Mutex<Vec<String>>,
    /// The response may hold a token in its body.
    handed_out: AtomicBool,
    /// A login that waits was looked for, so the page may be about its user.
    pub waits: AtomicBool,
    /// The user logged out here.
    pub logged_out: AtomicBool,
}

/// The state after the acts so far.
pub struct Acts<U> {
    /// The ticket of the session that this request itself began.
    pub ticket: Option<Ticket>,
    /// `None` until an act; then the user that is logged in now, if any.
    pub current: Option<Option<Arc<Current<U>>>>,
    /// The moment of a revocation of all by this request.
    pub revocation: Option<Time>,
}

/// A user, and what brought them.
pub struct Current<U> {
    pub user: U,
    pub proof: Proof,
}

/// What proves that it is that user.
pub enum Proof {
    Session(Session),
    /// A token in `Authorization`: no browser sends that by itself, so no origin is checked.
    #[cfg(feature = "jwt")]
    Bearer(Arc<Claims>),
    #[cfg(feature = "jwt")]
    TokenCookie(Arc<Claims>),
}

impl Proof {
    pub fn session(&self) -> Option<&Session> {
        match self {
            Proof::Session(session) => Some(session),
            #[cfg(feature = "jwt")]
            _ => None,
        }
    }

    #[cfg(feature = "jwt")]
    pub fn claims(&self) -> Option<&Arc<Claims>> {
        match self {
            Proof::Session(_) => None,
            Proof::Bearer(claims) | Proof::TokenCookie(claims) => Some(claims),
        }
    }

    pub fn is_bearer(&self) -> bool {
        match self {
            #[cfg(feature = "jwt")]
            Proof::Bearer(_) => true,
            _ => false,
        }
    }
}

/// What the credentials of a request were worth.
pub enum Resolved<U> {
    User(Arc<Current<U>>),
    /// No credential, or one that is no good: a guard forwards.
    Anonymous(Reason),
    /// The request itself is refused: a guard answers.
    Refused(Reason),
}

/// The request-local value; the visit in it is empty where no guard ran.
struct Slot<U> {
    began: Time,
    visit: OnceLock<Visit<U>>,
    user: PhantomData<fn() -> U>,
}

impl<U: User> Visit<U> {
    /// Notes the request's beginning.
    pub fn begin(core: &Core, request: &Request<'_>) {
        Slot::<U>::of(core, request);
    }

    pub fn of<'r>(core: &Core, request: &'r Request<'_>) -> &'r Self {
        let slot = Slot::of(core, request);
        slot.visit.get_or_init(|| {
            let origin_mattered = origin::matters(request);
            Visit {
                credentials: Credentials::read(core, request),
                cross_origin: origin_mattered
                    && !origin::is_allowed(request, &core.settings.origins),
                origin_mattered,
                began: slot.began,
                peer: request.remote().map(|peer| peer.ip()),
                resolved: OnceCell::new(),
                acts: AsyncMutex::new(Acts { ticket: None, current: None, revocation: None }),
                set_cookies: Mutex::default(),
                handed_out: AtomicBool::new(false),
                waits: AtomicBool::new(false),
                logged_out: AtomicBool::new(false),
            }
        })
    }

    /// The visit, where a guard of this fairing ran.
    pub fn seen<'r>(core: &Core, request: &'r Request<'_>) -> Option<&'r Self> {
        Slot::of(core, request).visit.get()
    }

    /// The user that a guard of this request found, if one did.
    pub fn known_user(&self) -> Option<UserId> {
        match self.resolved.get() {
            Some(Resolved::User(current)) => Some(current.user.id()),
            _ => None,
        }
    }

    /// The tickets that an act of this request ends: of the session that it began itself, else
    /// those that it presented.
    pub fn tickets<'a>(&'a self, acts: &'a Acts<U>) -> &'a [Ticket] {
        match (&acts.ticket, &self.credentials) {
            (Some(own), _) => slice::from_ref(own),
            (None, Credentials::Tickets(presented)) => presented.tickets(),
            #[cfg(feature = "jwt")]
            (None, Credentials::Tokens { .. }) => &[],
        }
    }

    /// The `Set-Cookie` of one name that the response will carry; the last act's.
    pub fn put_cookie(&self, cookie: &CredentialCookie, header: String) {
        let mut headers = self.set_cookies.lock().unwrap_or_else(PoisonError::into_inner);
        headers.retain(|other| !cookie.is_set_by(other));
        headers.push(header);
    }

    /// Notes that a token was handed to the handler, which will write it somewhere.
    #[cfg(feature = "jwt")]
    pub fn hand_out(&self) {
        self.handed_out.store(true, Ordering::Relaxed);
    }

    pub fn handed_out(&self) -> bool {
        self.handed_out.load(Ordering::Relaxed)
    }

    pub fn take_cookies(&self) -> Vec<String> {
        std::mem::take(&mut *self.set_cookies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<U: User> Slot<U> {
    fn of<'r>(core: &Core, request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| Slot {
            began: core.clock.now(),
            visit: OnceLock::new(),
            user: PhantomData,
        })
    }
}

/// The last refusal of a request, whichever fairing's it was, for catchers.
#[derive(Default)]
pub struct LastRefusal(Mutex<Option<Refusal>>);

#[derive(Clone)]
pub struct Refusal {
    pub denied: Denied,
    pub login_path: Option<Arc<str>>,
    route: Option<usize>,
}

impl Refusal {
    /// A refusal belongs to the route that it was made for: a later route's own 401 is another.
    pub fn new(request: &Request<'_>, denied: Denied, login_path: Option<Arc<str>>) -> Self {
        Refusal { denied, login_path, route: route(request) }
    }
}

fn route(request: &Request<'_>) -> Option<usize> {
    request.route().map(|route| std::ptr::from_ref(route).addr())
}

impl LastRefusal {
    pub fn note(request: &Request<'_>, refusal: Refusal) {
        let slot = request.local_cache(LastRefusal::default);
        *slot.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
    }

    pub fn of(request: &Request<'_>) -> Option<Refusal> {
        let slot = request.local_cache(LastRefusal::default);
        let last = slot.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.filter(|refusal| refusal.route == route(request))
    }
}
