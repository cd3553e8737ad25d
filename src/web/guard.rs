//! src/web/guard.rs: the guards, one guarantee each.

mod maybe_user;
mod session_user;

pub use maybe_user::MaybeUser;
pub use session_user::SessionUser;
