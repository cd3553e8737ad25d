//! src/web/guard/session_user.rs: there is a user, and a session proves it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::error::{Denied, Reason};
use crate::session::Session;
use crate::user::User;
use crate::web::core::{Core, is_missing};
use crate::web::outcome;
use crate::web::resolve::resolve;
use crate::web::visit::{Current, Resolved, Visit};

/// The user of a live session; dereferences to the application's own type.
///
/// * **Succeeds** where the request's cookie names a live session of a user of type `U`.
/// * **Forwards** with 401 where there is no cookie (`unauthenticated`), or one that is unknown,
///   expired, malformed or there twice, or whose user can no longer be read (`session_invalid`).
/// * **Fails** with 403 (`cross_origin`) where an unsafe request with the cookie comes from
///   another site; with 503 (`store_unavailable`) where the store does not answer; with 500
///   (`fairing_missing`) where no session fairing for `U` is attached.
///
/// Do not write `Option<SessionUser<U>>`: Rocket makes `None` of every failure, so an outage of the
/// store would read as "not logged in". [`MaybeUser`](crate::MaybeUser) is the type for that.
///
/// ```
/// # use rocket::get;
/// # use rocket_identity::{SessionUser, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64, name: String }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// #[get("/")]
/// fn home(user: SessionUser<Account>) -> String {
///     format!("Hello, {}!", user.name)
/// }
/// ```
pub struct SessionUser<U> {
    current: Arc<Current<U>>,
    session: Session,
}

impl<U: User> SessionUser<U> {
    /// The user by value.
    pub fn into_inner(self) -> U {
        self.current.user.clone()
    }

    /// The session that proves it.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl<U> Deref for SessionUser<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.current.user
    }
}

impl<U: fmt::Debug> fmt::Debug for SessionUser<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionUser").field(&self.current.user).finish()
    }
}

#[rocket::async_trait]
impl<'r, U: User> FromRequest<'r> for SessionUser<U> {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        let Some(core) = Core::with_sessions::<U, _>(request.rocket()) else {
            return outcome::missing(request);
        };
        match resolve(core, Visit::of(core, request)).await {
            Resolved::User(current) => match current.proof.session() {
                Some(session) => {
                    let session = session.clone();
                    Outcome::Success(SessionUser { current: current.clone(), session })
                }
                None => outcome::forward(core, request, Reason::Unauthenticated),
            },
            Resolved::Anonymous(reason) => outcome::forward(core, request, *reason),
            Resolved::Refused(reason) => outcome::error(core, request, *reason),
        }
    }
}

impl<U: User> Sentinel for SessionUser<U> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing::<U>("SessionUser", "sessions", Core::with_sessions::<U, _>(rocket), rocket)
    }
}
