//! src/password/error.rs: why there is neither a hash nor a verdict.

use std::fmt;

use crate::error::{Failure, Reason, Source};

/// Why a password was neither hashed nor checked.
///
/// As a responder, and as a [`rocket_identity::Error`](crate::Error) by `?`, it answers with its
/// status through the application's catchers. It never holds a password or a hash.
pub struct PasswordError(Failure);

impl PasswordError {
    pub(super) fn failed(source: impl Into<Source>) -> Self {
        PasswordError(Failure { reason: Reason::PasswordFailed, source: Some(source.into()) })
    }

    pub(crate) fn into_failure(self) -> Failure {
        self.0
    }

    /// Too many hashes are running and waiting; the same may succeed a moment later (status 503
    /// with `Retry-After`, code `busy`).
    pub fn is_busy(&self) -> bool {
        self.0.reason == Reason::Busy
    }

    /// The application's blocklist has this password (status 422, code `password_blocked`).
    pub fn is_blocked(&self) -> bool {
        self.0.reason == Reason::PasswordBlocked
    }

    /// Whoever chose the password must choose another: it is empty, over
    /// [`MAX_BYTES`](super::MAX_BYTES) or on the blocklist (status 422). Otherwise it is 503.
    pub fn is_refused(&self) -> bool {
        self.0.reason.status() == 422
    }

    /// The stable code: `busy`, `password_blocked`, `password_empty`, `password_too_long` or
    /// `password_failed` (no memory, no random bytes, or a hook that panicked).
    pub fn code(&self) -> &'static str {
        self.0.reason.code()
    }
}

impl From<Reason> for PasswordError {
    fn from(reason: Reason) -> Self {
        PasswordError(Failure::from(reason))
    }
}

impl fmt::Debug for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PasswordError");
        debug.field("code", &self.code());
        if let Some(source) = &self.0.source {
            debug.field("source", &source.to_string());
        }
        debug.finish()
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.reason.detail())
    }
}

impl std::error::Error for PasswordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}
