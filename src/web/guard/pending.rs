//! src/web/guard/pending.rs: a login waits for its second factor.

use std::fmt;

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::error::{Denied, Reason};
use crate::event::Event;
use crate::user::User;
use crate::web::auth::Auth;
use crate::web::confirm::waiting;
use crate::web::core::{Core, is_missing};
use crate::web::outcome;
use crate::web::resolve::read_user;

/// A login that waits for a second factor: for the page that asks for it. Nobody is logged in yet, and
/// no other guard takes it.
///
/// * **Succeeds** where the request's pending cookie names a login that waits.
/// * **Forwards** with 401 (`unauthenticated`) where none does.
/// * **Fails** with 403 (`cross_origin`) where an unsafe request comes from another site; with 503
///   (`store_unavailable`) where the store does not answer.
///
/// ```
/// # use rocket::get;
/// # use rocket_identity::{auth::Pending, User, UserId};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct Account { id: u64, name: String }
/// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
/// #[get("/second-factor")]
/// fn page(pending: Pending<Account>) -> String {
///     format!("{}, what does your {} say?", pending.user().name, pending.step())
/// }
/// ```
pub struct Pending<U> {
    user: U,
    step: Box<str>,
}

impl<U: User> Pending<U> {
    /// Whose login it is. They gave the right password, and no more.
    pub fn user(&self) -> &U {
        &self.user
    }

    /// What the login waits for, as `pending` named it.
    pub fn step(&self) -> &str {
        &self.step
    }
}

impl<U: fmt::Debug> fmt::Debug for Pending<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("user", &self.user).field("step", &self.step).finish()
    }
}

#[rocket::async_trait]
impl<'r, U: User> FromRequest<'r> for Pending<U> {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        let found = Core::of::<U, _>(request.rocket());
        let Some((core, mode)) = found.and_then(|core| Some((core, core.mode.sessions()?))) else {
            return outcome::missing(request);
        };
        let auth = Auth::<U>::new(core, request);
        if !auth.may_act().await {
            return outcome::error(core, request, Reason::CrossOrigin);
        }
        match waiting(core, mode, auth.visit(), request).await {
            Ok(Some((_, pending))) => {
                match read_user::<U>(pending.user.version, &pending.user.json) {
                    Ok(user) => Outcome::Success(Pending { user, step: pending.step }),
                    Err(_) => outcome::forward(core, request, Reason::SessionInvalid),
                }
            }
            Ok(None) => outcome::forward(core, request, Reason::Unauthenticated),
            Err(failure) => {
                let event = Event::new(Event::STORE_FAILED).reason(failure.reason.code());
                auth.tell(match &failure.source {
                    Some(cause) => event.cause(cause),
                    None => event,
                });
                outcome::error(core, request, failure.reason)
            }
        }
    }
}

impl<U: User> Sentinel for Pending<U> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing::<U>("Pending", "sessions", Core::with_sessions::<U, _>(rocket), rocket)
    }
}
