//! Sessions, access tokens and typed request guards for [Rocket](https://rocket.rs), secure by
//! default.
//!
//! # Quickstart
//!
//! **1.** Say who your user is: [`User`] asks for an id and for `serde`.
//!
//! ```
//! # use rocket_identity::{User, UserId};
//! # use serde::{Deserialize, Serialize};
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Account {
//!     id: u64,
//!     name: String,
//! }
//!
//! impl User for Account {
//!     fn id(&self) -> UserId {
//!         self.id.into()
//!     }
//! }
//! ```
//!
//! **2.** Attach the fairing [`Identity`], and the ready [`catchers`].
//!
//! ```
//! # use rocket_identity::{Identity, User, UserId};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Clone, Serialize, Deserialize)]
//! # struct Account { id: u64, name: String }
//! # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
//! # let _ =
//! rocket::build()
//!     .attach(Identity::<Account>::sessions())
//!     .register("/", rocket_identity::catchers())
//! # ;
//! ```
//!
//! **3.** Log in and out with [`Auth`], after your own check of the password.
//!
//! ```
//! # use rocket::post;
//! # use rocket_identity::{Auth, Error, User, UserId};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Clone, Serialize, Deserialize)]
//! # struct Account { id: u64, name: String }
//! # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
//! # async fn check() -> Account { Account { id: 1, name: "Ada".into() } }
//! #[post("/login")]
//! async fn login(auth: Auth<'_, Account>) -> Result<(), Error> {
//!     let account = check().await;
//!     auth.login(account).await?;
//!     Ok(())
//! }
//! ```
//!
//! **4.** Guard handlers with [`SessionUser`], or greet whoever comes with [`MaybeUser`].
//!
//! ```
//! # use rocket::get;
//! # use rocket_identity::{SessionUser, User, UserId};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Clone, Serialize, Deserialize)]
//! # struct Account { id: u64, name: String }
//! # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
//! #[get("/")]
//! fn home(user: SessionUser<Account>) -> String {
//!     format!("Hello, {}!", user.name)
//! }
//! ```
//!
//! For signed access tokens in the place of sessions, `Identity::jwt` and `JwtUser` take the place of
//! `Identity::sessions` and `SessionUser` (feature `jwt`, on by default); `docs/tokens.md` says what is
//! different.
//!
//! Settings live in `[default.identity]` of `Rocket.toml`, each with a default that is right in
//! production. Insecure ones do not launch in release.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "jwt")]
mod claims;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
mod config;
mod error;
mod memory;
mod secret;
mod ticket;
mod user;
mod web;

pub mod event;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub mod jwt;
#[cfg(feature = "password")]
#[cfg_attr(docsrs, doc(cfg(feature = "password")))]
pub mod password;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
pub mod session;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod throttle;

pub use crate::error::{Denied, Error};
pub use crate::user::{User, UserId};
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub use crate::web::JwtUser;
pub use crate::web::{Auth, Fresh, Identity, Login, MaybeUser, SessionUser, catchers};

/// A login on its way: through the throttle, with options, confirmed once more; and what is known of
/// those that are.
pub mod auth {
    #[cfg(feature = "password")]
    #[cfg_attr(docsrs, doc(cfg(feature = "password")))]
    pub use crate::web::Accounts;
    pub use crate::web::{Attempt, Begin, Confirm, Device, Pending, Sessions};
}

/// Where to go after a login.
pub mod redirect {
    pub use crate::web::ReturnTo;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
