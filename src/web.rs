//! src/web.rs: the floor that knows Rocket: from a request to a user, from an act to a header.

mod auth;
mod backend;
mod catchers;
mod cookie;
mod core;
mod fairing;
mod guard;
mod headers;
mod origin;
mod outcome;
#[cfg(feature = "testing")]
mod plan;
mod resolve;
mod return_to;
mod visit;

pub use auth::{Auth, Begin, Login};
pub use catchers::catchers;
pub use fairing::Identity;
pub use guard::{MaybeUser, SessionUser};
pub use return_to::ReturnTo;

#[cfg(feature = "testing")]
pub(crate) use plan::Plan;

#[cfg(test)]
mod tests;
