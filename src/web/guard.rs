//! src/web/guard.rs: the guards, one guarantee each.

#[cfg(feature = "jwt")]
mod jwt_user;
mod maybe_user;
mod session_user;
mod throttle;

#[cfg(feature = "jwt")]
pub use jwt_user::JwtUser;
pub use maybe_user::MaybeUser;
pub use session_user::SessionUser;
