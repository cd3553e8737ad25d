//! src/web/guard/maybe_user.rs: a user or nobody, and never an outage taken for nobody.

use std::fmt;
use std::sync::Arc;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::error::Denied;
#[cfg(feature = "jwt")]
use crate::jwt::Claims;
use crate::session::Session;
use crate::user::User;
use crate::web::core::{Core, is_missing};
use crate::web::outcome;
use crate::web::resolve::resolve;
use crate::web::visit::{Current, Resolved, Visit};

/// The user of a live session or a valid token, or nobody: for a public page that greets who is
/// logged in.
///
/// * **Succeeds** with the user, or with nobody wherever [`SessionUser`](crate::SessionUser) or
///   `JwtUser` would forward.
/// * **Forwards** never.
/// * **Fails** wherever those fail, so that neither an outage of the store nor a bad bearer token is
///   "anonymous".
///
/// ```
/// # use rocket::get;
/// # use rocket_identity::{MaybeUser, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64, name: String }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// #[get("/")]
/// fn home(user: MaybeUser<Account>) -> String {
///     match user.user() {
///         Some(user) => format!("Hello, {}!", user.name),
///         None => "Hello, stranger!".into(),
///     }
/// }
/// ```
pub struct MaybeUser<U>(Option<Arc<Current<U>>>);

impl<U: User> MaybeUser<U> {
    /// The user, where one is logged in.
    pub fn user(&self) -> Option<&U> {
        self.0.as_ref().map(|current| &current.user)
    }

    /// The user by value.
    pub fn into_inner(self) -> Option<U> {
        self.0.map(|current| current.user.clone())
    }

    /// The session that proves it, where one does.
    pub fn session(&self) -> Option<&Session> {
        self.0.as_ref().and_then(|current| current.proof.session())
    }

    /// The claims of the token that proves it.
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn claims(&self) -> Option<&Claims> {
        self.0.as_ref().and_then(|current| current.proof.claims()).map(|claims| &**claims)
    }
}

impl<U: fmt::Debug> fmt::Debug for MaybeUser<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeUser").field(&self.0.as_ref().map(|current| &current.user)).finish()
    }
}

#[rocket::async_trait]
impl<'r, U: User> FromRequest<'r> for MaybeUser<U> {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        let Some(core) = Core::of::<U, _>(request.rocket()) else {
            return outcome::missing(request);
        };
        match resolve(core, Visit::of(core, request)).await {
            Resolved::User(current) => Outcome::Success(MaybeUser(Some(current.clone()))),
            Resolved::Anonymous(_) => Outcome::Success(MaybeUser(None)),
            Resolved::Refused(reason) => outcome::error(core, request, *reason),
        }
    }
}

impl<U: User> Sentinel for MaybeUser<U> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing::<U>("MaybeUser", "sessions", Core::of::<U, _>(rocket), rocket)
    }
}
