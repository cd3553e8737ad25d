//! src/web/guard/throttle.rs: a route has its own quota.

use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Ignite, Rocket, Sentinel};

use crate::error::{Denied, Reason};
use crate::throttle::Throttle;
use crate::user::User;
use crate::web::auth::Auth;
use crate::web::client;
use crate::web::core::{Core, is_missing};
use crate::web::outcome;
use crate::web::visit::{LastRefusal, Refusal};

#[rocket::async_trait]
impl<'r, U: User> FromRequest<'r> for Throttle<'r, U> {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Denied> {
        let Some(core) = Core::of::<U, _>(request.rocket()) else {
            return outcome::missing(request);
        };
        // A foreign page must not spend a visitor's quota.
        if !Auth::<U>::new(core, request).may_act().await {
            return outcome::error(core, request, Reason::CrossOrigin);
        }
        let address = client::address(core, request);
        let note = |denied: &Denied| {
            LastRefusal::note(request, Refusal::new(request, denied.clone(), None));
        };
        Outcome::Success(Throttle::new(&core.throttle, &core.events, address, note))
    }
}

impl<U: User> Sentinel for Throttle<'_, U> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        is_missing::<U>("Throttle", "sessions", Core::of::<U, _>(rocket), rocket)
    }
}
