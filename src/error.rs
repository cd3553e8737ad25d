//! src/error.rs: why a request was refused (`Denied`) and why an act failed (`Error`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::NoEntropy;

pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// The reason for a refusal; its code and status never change within a major version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(
    not(all(feature = "jwt", feature = "password")),
    allow(dead_code, reason = "some are those of tokens, some those of passwords")
)]
pub enum Reason {
    Unauthenticated,
    SessionInvalid,
    CrossOrigin,
    RevokedMeanwhile,
    InvalidUserId,
    UserNotStorable,
    StoreUnavailable,
    NotReplicated,
    StoreFull,
    TooManySessions,
    NoEntropy,
    FairingMissing,
    InvalidRequest,
    InvalidToken,
    ExpiredToken,
    InsufficientScope,
    TokenTooLarge,
    NoSigningKey,
    CannotRevoke,
    Busy,
    PasswordEmpty,
    PasswordTooLong,
    PasswordBlocked,
    PasswordFailed,
    TooManyAttempts,
    NotFresh,
    CannotConfirm,
    DataKey,
    DataNotStorable,
    DataUnreadable,
    DataConflict,
    DataTooLarge,
}

impl Reason {
    pub fn code(self) -> &'static str {
        self.parts().0
    }

    pub fn status(self) -> u16 {
        self.parts().1
    }

    /// One sentence for a person; it tells nothing that the code does not.
    pub fn detail(self) -> &'static str {
        self.parts().2
    }

    fn parts(self) -> (&'static str, u16, &'static str) {
        match self {
            Reason::Unauthenticated => ("unauthenticated", 401, "You are not logged in."),
            Reason::SessionInvalid => {
                ("session_invalid", 401, "Your session has ended. Log in again.")
            }
            Reason::CrossOrigin => {
                ("cross_origin", 403, "This request came from another site and was refused.")
            }
            Reason::RevokedMeanwhile => {
                ("revoked_meanwhile", 409, "Your sessions were ended meanwhile. Log in again.")
            }
            Reason::InvalidUserId => {
                ("invalid_user_id", 500, "The user's id is empty or over 255 bytes.")
            }
            Reason::UserNotStorable => {
                ("user_not_storable", 500, "The user cannot be written as JSON.")
            }
            Reason::StoreUnavailable => {
                ("store_unavailable", 503, "The session store does not answer. Try again.")
            }
            Reason::NotReplicated => (
                "not_replicated",
                503,
                "This was done, but is not yet safe against a failure. Try again.",
            ),
            Reason::StoreFull => ("store_full", 503, "No more sessions can be kept just now."),
            Reason::TooManySessions => (
                "too_many_sessions",
                409,
                "You are logged in on too many devices. Log out on one of them first.",
            ),
            Reason::NoEntropy => ("no_entropy", 503, "The system gave no random bytes."),
            Reason::FairingMissing => {
                ("fairing_missing", 500, "The identity fairing of this guard is not attached.")
            }
            Reason::InvalidRequest => {
                ("invalid_request", 400, "The Authorization field must hold one bearer token.")
            }
            // The same for both: a client learns nothing of why from the body.
            Reason::InvalidToken | Reason::ExpiredToken => {
                ("invalid_token", 401, "The access token is not accepted. Get a new one.")
            }
            Reason::InsufficientScope => {
                ("insufficient_scope", 403, "The access token does not allow this.")
            }
            Reason::TokenTooLarge => {
                ("token_too_large", 500, "The user is too large for an access token.")
            }
            Reason::NoSigningKey => ("no_signing_key", 500, "There is no key to sign with."),
            Reason::CannotRevoke => {
                ("cannot_revoke", 501, "An access token cannot be taken back; it ends by itself.")
            }
            Reason::Busy => {
                ("busy", 503, "Too many people are logging in just now. Try again in a moment.")
            }
            Reason::PasswordEmpty => ("password_empty", 422, "A password must not be empty."),
            Reason::PasswordTooLong => {
                ("password_too_long", 422, "A password must have at most 1024 bytes.")
            }
            Reason::PasswordBlocked => {
                ("password_blocked", 422, "This password is too common. Choose another.")
            }
            Reason::PasswordFailed => {
                ("password_failed", 503, "The password could not be checked. Try again.")
            }
            Reason::CannotConfirm => {
                ("cannot_confirm", 501, "An access token cannot be confirmed. Log in again.")
            }
            Reason::NotFresh => {
                ("not_fresh", 401, "Confirm first that it is you: your login is too long ago.")
            }
            Reason::TooManyAttempts => {
                ("too_many_attempts", 429, "Too many attempts. Wait a while before the next one.")
            }
            Reason::DataKey => {
                ("data_key", 500, "The key of a session's value is empty or over 64 bytes.")
            }
            Reason::DataNotStorable => {
                ("data_not_storable", 500, "A session's value cannot be written as JSON.")
            }
            Reason::DataUnreadable => {
                ("data_unreadable", 500, "A session's value is not of the type that was expected.")
            }
            Reason::DataConflict => {
                ("data_conflict", 409, "This was changed by another request. Look again.")
            }
            Reason::DataTooLarge => {
                ("data_too_large", 413, "The session would hold more than 16 KiB.")
            }
        }
    }
}

/// A reason with its cause, before it is known whose it is.
#[derive(Debug)]
pub struct Failure {
    pub reason: Reason,
    pub source: Option<Source>,
}

impl Failure {
    pub fn unavailable(source: impl Into<Source>) -> Self {
        Failure { reason: Reason::StoreUnavailable, source: Some(source.into()) }
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Failure { reason, source: None }
    }
}

impl From<NoEntropy> for Failure {
    fn from(source: NoEntropy) -> Self {
        Failure { reason: Reason::NoEntropy, source: Some(source.into()) }
    }
}

/// Why a guard refused a request: a stable code, its status and the fairing that refused.
///
/// It is the `Error` of every guard, and [`Denied::of`](Denied::of) reads it in any catcher.
#[derive(Clone, PartialEq, Eq)]
pub struct Denied {
    reason: Reason,
    fairing: Option<Arc<str>>,
    scope: Option<Arc<str>>,
    limit: Option<Arc<RateLimit>>,
}

/// What a 429 tells of the bucket that refused, for `Retry-After`, `RateLimit` and
/// `RateLimit-Policy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Names the bucket: `account`, `device`, `address`, or the route's own.
    pub policy: Box<str>,
    /// The most at once, and how long all of them take to come back.
    pub limit: u32,
    pub window: Duration,
    pub remaining: u32,
    /// When all will have come back.
    pub reset: Duration,
    /// When one will have.
    pub retry_after: Duration,
}

impl Denied {
    pub(crate) fn new(reason: Reason, fairing: Option<Arc<str>>) -> Self {
        Denied { reason, fairing, scope: None, limit: None }
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    /// A stable code in `snake_case`: `unauthenticated` (no credential), `session_invalid` (one
    /// that is unknown, expired or malformed), `cross_origin`, `store_unavailable`,
    /// `fairing_missing`, `invalid_request` (no one bearer token in `Authorization`),
    /// `invalid_token`, and for an [`Error`] also `insufficient_scope`, `revoked_meanwhile`,
    /// `not_replicated`, `store_full`, `too_many_sessions`, `invalid_user_id`, `user_not_storable`,
    /// `no_entropy`, `token_too_large`, `no_signing_key`, `cannot_revoke`, `too_many_attempts`, `not_fresh`, `cannot_confirm`, those
    /// of a session's values (`data_key`, `data_not_storable`, `data_unreadable`, `data_conflict`,
    /// `data_too_large`), and those of `PasswordError::code`.
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// One sentence for a person.
    pub fn detail(&self) -> &'static str {
        self.reason.detail()
    }

    /// The name given by [`Identity::named`](crate::Identity::named), empty for the unnamed
    /// fairing; `None` where the fairing is missing, or the refusal is no fairing's.
    pub fn fairing(&self) -> Option<&str> {
        self.fairing.as_deref()
    }

    /// The scope that the token lacks, for `insufficient_scope`.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// How long to wait before the same may be tried again, for `too_many_attempts`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.limit().map(|limit| limit.retry_after)
    }

    pub(crate) fn limit(&self) -> Option<&RateLimit> {
        self.limit.as_deref()
    }
}

impl fmt::Debug for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Denied({}", self.code())?;
        match self.fairing() {
            Some(name) if !name.is_empty() => write!(f, ", {name})"),
            _ => f.write_str(")"),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for Denied {}

/// Why an act of [`Auth`](crate::Auth), or of `password::Passwords`, failed.
///
/// As a responder it answers with its status through the application's catchers, where
/// [`Denied::of`] finds the reason. Neither its `Debug` nor its `Display` holds a secret.
pub struct Error {
    denied: Denied,
    source: Option<Source>,
}

impl Error {
    pub(crate) fn new(failure: Failure, fairing: Option<Arc<str>>) -> Self {
        let denied = Denied::new(failure.reason, fairing);
        Error { denied, source: failure.source }
    }

    /// A token that lacks `scope` (RFC 6750 section 3.1).
    #[cfg(feature = "jwt")]
    pub(crate) fn insufficient_scope(scope: &str, fairing: Arc<str>) -> Self {
        let mut denied = Denied::new(Reason::InsufficientScope, Some(fairing));
        denied.scope = Some(scope.into());
        Error { denied, source: None }
    }

    /// Too many attempts (RFC 6585 section 4).
    pub(crate) fn too_many(limit: RateLimit, fairing: Arc<str>) -> Self {
        let mut denied = Denied::new(Reason::TooManyAttempts, Some(fairing));
        denied.limit = Some(Arc::new(limit));
        Error { denied, source: None }
    }

    /// The same reason as a guard would give it.
    pub fn denied(&self) -> &Denied {
        &self.denied
    }

    /// The stable code; see [`Denied::code`].
    pub fn code(&self) -> &'static str {
        self.denied.code()
    }

    /// The login was not even looked at: too many attempts came before it (status 429). See
    /// [`Denied::retry_after`].
    pub fn is_throttled(&self) -> bool {
        self.denied.reason == Reason::TooManyAttempts
    }

    /// Too many passwords are being checked; the same may succeed a moment later (status 503).
    pub fn is_busy(&self) -> bool {
        self.denied.reason == Reason::Busy
    }

    /// The store did not answer or has no room, or too many passwords are being checked:
    /// nothing happened that the caller was promised, and the same act may succeed later (status 503).
    pub fn is_unavailable(&self) -> bool {
        self.denied.reason.status() == 503
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("code", &self.code());
        if let Some(source) = &self.source {
            debug.field("source", &source.to_string());
        }
        debug.finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.denied, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
