//! src/testing.rs: for an application's own tests (feature `testing`): log in without a form, and
//! move the clock.
//!
//! ```
//! # use rocket::{get, routes, http::Status, local::asynchronous::Client};
//! # use rocket_identity::{testing, Identity, SessionUser, User, UserId};
//! # use serde::{Deserialize, Serialize};
//! # use std::time::Duration;
//! # #[derive(Clone, Serialize, Deserialize)]
//! # struct Account { id: u64, name: String }
//! # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
//! # #[get("/")]
//! # fn home(user: SessionUser<Account>) -> String { format!("Hello, {}!", user.name) }
//! # fn rocket() -> rocket::Rocket<rocket::Build> {
//! #     rocket::build().attach(Identity::<Account>::sessions()).mount("/", routes![home])
//! # }
//! # rocket::async_test(async {
//! let clock = testing::Clock::stopped();
//! let client = Client::tracked(rocket().manage(clock.clone())).await?;
//! testing::login(&client, Account { id: 1, name: "Ada".into() }).await?;
//! assert_eq!(client.get("/").dispatch().await.status(), Status::Ok);
//!
//! clock.advance(Duration::from_secs(31 * 60));
//! assert_eq!(client.get("/").dispatch().await.status(), Status::Unauthorized);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use rocket::http::{Cookie, Method};
use rocket::local::{asynchronous, blocking as rocket_blocking};

use crate::error::Error;
#[cfg(feature = "jwt")]
use crate::jwt::Tokens;
use crate::user::User;
use crate::web::Plan;

pub use crate::clock::StoppedClock as Clock;

/// The path that a planned login asks for; no application answers it.
const NOWHERE: &str = "/.rocket_identity/testing";

/// Logs `user` in. A tracked client keeps the cookie; an untracked one needs the one returned.
///
/// # Errors
///
/// Those of [`Auth::login`](crate::Auth::login), and `fairing_missing` where no fairing for `U`
/// is attached, or one that sets no cookie (see `tokens`).
pub async fn login<U: User>(
    client: &asynchronous::Client,
    user: U,
) -> Result<Cookie<'static>, Error> {
    let request = client.req(Method::Options, NOWHERE);
    let plan = Plan::lay(request.inner(), user);
    let response = request.dispatch().await;
    plan.cookie(response.cookies())
}

/// Logs `user` in where the fairing goes by tokens, for `Authorization: Bearer <token>`.
///
/// # Errors
///
/// The same as those of [`login`], and `fairing_missing` where the fairing makes no token.
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub async fn tokens<U: User>(client: &asynchronous::Client, user: U) -> Result<Tokens, Error> {
    let request = client.req(Method::Options, NOWHERE);
    let plan = Plan::lay(request.inner(), user);
    let _response = request.dispatch().await;
    plan.tokens()
}

/// The same for Rocket's blocking client.
pub mod blocking {
    use super::*;

    /// See [`testing::login`](super::login).
    ///
    /// # Errors
    ///
    /// The same as there.
    pub fn login<U: User>(
        client: &rocket_blocking::Client,
        user: U,
    ) -> Result<Cookie<'static>, Error> {
        let request = client.req(Method::Options, NOWHERE);
        let plan = Plan::lay(request.inner(), user);
        let response = request.dispatch();
        plan.cookie(response.cookies())
    }

    /// See [`testing::tokens`](super::tokens).
    ///
    /// # Errors
    ///
    /// The same as there.
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn tokens<U: User>(client: &rocket_blocking::Client, user: U) -> Result<Tokens, Error> {
        let request = client.req(Method::Options, NOWHERE);
        let plan = Plan::lay(request.inner(), user);
        let _response = request.dispatch();
        plan.tokens()
    }
}
