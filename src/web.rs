//! src/web.rs: the floor that knows Rocket: from a request to a user, from an act to a header.

mod attempt;
mod auth;
#[cfg(feature = "password")]
mod authenticate;
mod backend;
mod catchers;
mod challenge;
mod client;
mod confirm;
mod cookie;
mod core;
mod credentials;
mod device;
mod devices;
mod fairing;
mod guard;
mod headers;
mod login;
mod names;
mod origin;
mod outcome;
#[cfg(feature = "password")]
mod password;
#[cfg(feature = "testing")]
mod plan;
mod reload;
mod resolve;
mod return_to;
#[cfg(feature = "jwt")]
mod routes;
mod sessions;
#[cfg(feature = "jwt")]
mod tokens;
mod visit;

pub use attempt::Attempt;
pub use auth::Auth;
#[cfg(feature = "password")]
pub use authenticate::Accounts;
pub use catchers::catchers;
pub use confirm::Confirm;
pub use fairing::Identity;
#[cfg(feature = "jwt")]
pub use guard::JwtUser;
pub use guard::{Fresh, MaybeUser, Pending, SessionUser};
pub use login::{Begin, Login};
pub use return_to::ReturnTo;
pub use sessions::{Device, Sessions};

#[cfg(feature = "testing")]
pub(crate) use plan::Plan;

#[cfg(test)]
mod tests;
