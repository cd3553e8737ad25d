//! src/password/verdict.rs: what a check of a password found.

use std::fmt;

/// Whether the password was right, and what to do about the stored hash.
#[must_use = "a password that nobody looks at was checked for nothing"]
#[derive(Clone, Default)]
pub struct Verdict {
    pub(super) right: bool,
    pub(super) new_hash: Option<String>,
    pub(super) unusable: Option<Unusable>,
}

/// Why a stored hash cannot be checked: a wrong answer to the user, a repair for the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unusable {
    /// Neither ours nor known to [`Hooks::foreign`](super::Hooks::foreign).
    UnknownKind,
    /// It begins like one of ours and is none: cut off, or changed.
    Malformed,
    /// Another version than 19 of Argon2id.
    Version,
    /// Trifling parameters, or a short salt or hash.
    TooWeak,
    /// Parameters above the ceiling: `identity.password.max_memory_kib` and its like.
    TooCostly,
    /// Made with a version of the pepper that is not configured.
    UnknownPepper,
}

impl Verdict {
    pub(super) fn wrong() -> Self {
        Self::default()
    }

    pub(super) fn unusable_hash(why: Unusable) -> Self {
        Verdict { unusable: Some(why), ..Self::default() }
    }

    /// It is the password.
    pub fn is_right(&self) -> bool {
        self.right
    }

    /// A hash to store in the place of the old one, where the password is right and the old hash
    /// has other parameters than today's, no pepper or an old one, or is of a foreign kind.
    ///
    /// Store it on condition that the old one still stands there, so that a password that was
    /// changed meanwhile stays changed. One that is not stored is offered again next time.
    pub fn new_hash(&self) -> Option<&str> {
        self.new_hash.as_deref()
    }

    /// Why the stored hash cannot be checked, so that nobody gets in by it. To the user it is a
    /// wrong password; it is also a `tracing` record `identity.password_unusable` at target
    /// `rocket_identity`.
    pub fn unusable(&self) -> Option<Unusable> {
        self.unusable
    }
}

impl Unusable {
    /// A stable code in `snake_case`.
    pub fn code(&self) -> &'static str {
        match self {
            Unusable::UnknownKind => "unknown_kind",
            Unusable::Malformed => "malformed",
            Unusable::Version => "version",
            Unusable::TooWeak => "too_weak",
            Unusable::TooCostly => "too_costly",
            Unusable::UnknownPepper => "unknown_pepper",
        }
    }
}

/// Without the hash.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("right", &self.right)
            .field("new_hash", &self.new_hash.is_some())
            .field("unusable", &self.unusable)
            .finish()
    }
}
