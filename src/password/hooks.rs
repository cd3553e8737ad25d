//! src/password/hooks.rs: what the application says about passwords.

use std::fmt;
use std::sync::Arc;

type Foreign = dyn Fn(&str, &str) -> Option<bool> + Send + Sync;
type Blocklist = dyn Fn(&str) -> bool + Send + Sync;

/// An application's own part in passwords, for
/// [`Identity::passwords`](crate::Identity::passwords).
///
/// Both closures run where they may block, and count as a hash that runs.
///
/// ```
/// use rocket_identity::password::Hooks;
/// # fn verify_bcrypt(_: &str, _: &str) -> bool { false }
///
/// let hooks = Hooks::new()
///     .foreign(|typed, stored| stored.starts_with("$2").then(|| verify_bcrypt(typed, stored)))
///     .blocklist(|chosen| ["123456", "password"].contains(&chosen));
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    foreign: Option<Arc<Foreign>>,
    blocklist: Option<Arc<Blocklist>>,
}

impl Hooks {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks hashes of another kind than ours, such as bcrypt, scrypt and PBKDF2: it is given the
    /// password and the stored text, and returns `None` where that is not of a kind that it knows.
    /// A right password is then hashed anew, as [`Verdict::new_hash`](super::Verdict::new_hash).
    ///
    /// It is asked about each stored text that begins with neither `$argon2id$` nor `$pepper$`, and
    /// never with an empty or over-long password. Bound the costs that it takes from the stored
    /// text. The time that it takes is its own: as long as such hashes are stored, it tells an
    /// account that has one from an account that does not exist.
    pub fn foreign(
        mut self,
        verify: impl Fn(&str, &str) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        self.foreign = Some(Arc::new(verify));
        self
    }

    /// Says whether a password that somebody chose is too common to be taken (OWASP ASVS 5.0 6.2.4
    /// asks for the 3,000 most used at least). It is asked by
    /// [`Passwords::hash`](super::Passwords::hash), never at a login.
    pub fn blocklist(mut self, is_blocked: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.blocklist = Some(Arc::new(is_blocked));
        self
    }

    pub(super) fn knows_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    pub(super) fn verify_foreign(&self, password: &str, stored: &str) -> Option<bool> {
        self.foreign.as_ref().and_then(|verify| verify(password, stored))
    }

    pub(super) fn is_blocked(&self, password: &str) -> bool {
        self.blocklist.as_ref().is_some_and(|is_blocked| is_blocked(password))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("foreign", &self.foreign.is_some())
            .field("blocklist", &self.blocklist.is_some())
            .finish()
    }
}
