//! src/web/guard.rs: the guards, one guarantee each.

mod fresh;
#[cfg(feature = "jwt")]
mod jwt_user;
mod maybe_user;
mod pending;
mod session_user;
mod throttle;

pub use fresh::Fresh;
#[cfg(feature = "jwt")]
pub use jwt_user::JwtUser;
pub use maybe_user::MaybeUser;
pub use pending::Pending;
pub use session_user::SessionUser;
