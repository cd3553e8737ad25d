//! src/web/guard/fresh.rs: the user proved who they are not long ago.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::clock::Time;
use crate::error::{Denied, Reason};
use crate::user::User;
use crate::web::core::Core;
use crate::web::guard::SessionUser;
use crate::web::outcome;

/// Another guard, and its user proved who they are within the last `SECONDS`: by a login or by
/// [`Auth::confirm`](crate::Auth::confirm). For what a session left open must not do: change a password,
/// pay, add a device (OWASP ASVS 5.0 7.5.1 and 7.5.3).
///
/// * **Succeeds** where `G` does and the proof is young enough.
/// * **Forwards** where `G` does.
/// * **Fails** where `G` does, and with 401 (`not_fresh`) where the proof is too old; `catchers()` then
///   lead a browser's GET to `identity.confirm_path`, where that is set. A ticket that a step-up has
///   replaced is never fresh.
///
/// ```
/// # use rocket::get;
/// # use rocket_identity::{Fresh, SessionUser, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64, name: String }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// #[get("/settings")]
/// fn settings(user: Fresh<SessionUser<Account>, 300>) -> String {
///     format!("{}, confirmed within five minutes", user.name)
/// }
/// ```
pub struct Fresh<G, const SECONDS: u64>(G);

impl<G, const SECONDS: u64> Fresh<G, SECONDS> {
    /// The guard inside.
    pub fn into_inner(self) -> G {
        self.0
    }
}

impl<G, const SECONDS: u64> Deref for Fresh<G, SECONDS> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

impl<G: fmt::Debug, const SECONDS: u64> fmt::Debug for Fresh<G, SECONDS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fresh").field(&self.0).finish()
    }
}

/// A guard that knows when its user proved who they are. Sealed: only guards of this crate are.
pub trait Timed: private::Sealed {
    #[doc(hidden)]
    type Of: User;

    /// `None` where that proof does not count any longer.
    #[doc(hidden)]
    fn proved_at(&self) -> Option<Time>;
}

mod private {
    pub trait Sealed {}
    impl<U> Sealed for super::SessionUser<U> {}
}

impl<U: User> Timed for SessionUser<U> {
    type Of = U;

    fn proved_at(&self) -> Option<Time> {
        self.session().proved_at()
    }
}

#[rocket::async_trait]
impl<'r, G, const SECONDS: u64> FromRequest<'r> for Fresh<G, SECONDS>
where
    G: Timed + FromRequest<'r, Error = Denied> + Send,
{
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        let guard = match G::from_request(request).await {
            Outcome::Success(guard) => guard,
            Outcome::Forward(status) => return Outcome::Forward(status),
            Outcome::Error(error) => return Outcome::Error(error),
        };
        let Some(core) = Core::of::<G::Of, _>(request.rocket()) else {
            return outcome::missing(request);
        };
        let limit = Duration::from_secs(SECONDS);
        let fresh = |at: Time| core.clock.now().since(at) <= limit;
        match guard.proved_at().is_some_and(fresh) {
            true => Outcome::Success(Fresh(guard)),
            false => outcome::error(core, request, Reason::NotFresh),
        }
    }
}

impl<G: Sentinel, const SECONDS: u64> Sentinel for Fresh<G, SECONDS> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        G::abort(rocket)
    }
}
