//! Sessions and typed request guards for [Rocket](https://rocket.rs), secure by default.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod config;
mod error;
mod memory;
mod secret;
mod ticket;
mod user;
mod web;

pub mod event;
pub mod session;
#[cfg(feature = "testing")]
pub mod testing;

pub use crate::error::{Denied, Error};
pub use crate::user::{User, UserId};
pub use crate::web::{Auth, Identity, Login, MaybeUser, SessionUser, catchers};

/// Where to go after a login.
pub mod redirect {
    pub use crate::web::ReturnTo;
}

/// The options of a login.
pub mod auth {
    pub use crate::web::Begin;
}
