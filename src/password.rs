//! src/password.rs: passwords, by Argon2id in bounded memory, off the async threads, and at one cost
//! whatever the answer is.
//!
//! The fairing [`Identity`](crate::Identity) puts one [`Passwords`] into Rocket's managed state;
//! attach what needs it at launch after the fairing. Settings are in `[default.identity.password]`,
//! and `docs/passwords.md` says how to choose them.
//!
//! ```
//! use rocket::State;
//! use rocket_identity::Error;
//! use rocket_identity::password::Passwords;
//!
//! struct Row { id: u64, hash: String }
//! # async fn find(_: &str) -> Option<Row> { None }
//! # async fn store(_: u64, _: &str, _: &str) {}
//!
//! async fn check(passwords: &State<Passwords>, name: &str, typed: &str) -> Result<Option<u64>, Error> {
//!     let Some(row) = find(name).await else {
//!         // As much work as for a wrong password: the time does not tell who has an account.
//!         passwords.verify_unknown(typed).await?;
//!         return Ok(None);
//!     };
//!     let verdict = passwords.verify(typed, &row.hash).await?;
//!     if let Some(new) = verdict.new_hash() {
//!         // `UPDATE .. SET hash = new WHERE id = .. AND hash = old`: a password that was changed
//!         // meanwhile stays changed.
//!         store(row.id, &row.hash, new).await;
//!     }
//!     Ok(verdict.is_right().then_some(row.id))
//! }
//! ```

mod desk;
mod error;
mod gate;
mod hooks;
mod stored;
mod verdict;
mod work;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use self::desk::Desk;
pub use self::error::PasswordError;
use self::gate::Gate;
pub use self::hooks::Hooks;
pub use self::verdict::{Unusable, Verdict};
use crate::config::password::Hashing;
use crate::error::Reason;

/// The longest password, in bytes. A longer one is refused by [`hash`](Passwords::hash) and wrong
/// for [`verify`](Passwords::verify): more is not a password but a load (OWASP ASVS 5.0 6.2.9 asks
/// for at least 64 characters).
pub const MAX_BYTES: usize = 1_024;

/// Hashes and checks passwords, a few at a time; `&State<Passwords>` in a handler.
///
/// Passwords are taken as they were typed: nothing is cut off, no case or Unicode form is changed
/// (OWASP ASVS 5.0 6.2.8).
///
/// Of the hashes, `at_once` run at the same time, each in [`spawn_blocking`] and in memory that is
/// used again; `queue` more wait, each for `longest_wait`. Beyond either the error
/// [`is_busy`](PasswordError::is_busy), at once. A hash that runs is not cut short when its caller
/// goes away, and its place is free when it ends.
///
/// [`spawn_blocking`]: https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html
pub struct Passwords {
    gate: Gate,
    desk: Arc<Desk>,
}

impl Passwords {
    /// Computes nothing and takes no memory; the first hash does.
    pub(crate) fn new(settings: &Hashing, hooks: Hooks) -> Self {
        let gate = Gate::new(settings.at_once(), settings.queue, settings.longest_wait);
        Passwords { gate, desk: Arc::new(Desk::new(settings.clone(), hooks)) }
    }

    /// A hash to store, of a password that somebody chose.
    ///
    /// It is a PHC string, at most 255 characters of ASCII:
    /// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, with `$pepper$<version>` in front where a
    /// pepper is configured.
    ///
    /// # Errors
    ///
    /// With the codes `password_empty`, `password_too_long` (over [`MAX_BYTES`]),
    /// `password_blocked` (by [`Hooks::blocklist`]), `busy` and `password_failed`.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        if password.is_empty() {
            return Err(Reason::PasswordEmpty.into());
        }
        if password.len() > MAX_BYTES {
            return Err(Reason::PasswordTooLong.into());
        }
        let typed = Zeroizing::new(password.to_owned());
        let desk = self.desk.clone();
        self.gate.run(move || desk.hash_new(&typed)).await?
    }

    /// Whether `password` is the one of the hash that is stored.
    ///
    /// A wrong password, one over [`MAX_BYTES`] and a stored hash that is
    /// [unusable](Verdict::unusable) cost what a right one does. Before any work a stored hash is
    /// checked: the variant must be argon2id of version 19 (RFC 9106), and its parameters neither
    /// trifling nor above the configured ceiling. One that [`Hooks::foreign`] knows costs what it
    /// costs there.
    ///
    /// Where the password is right and the hash is not what [`hash`](Self::hash) would make today,
    /// the verdict carries a [new one](Verdict::new_hash).
    ///
    /// # Errors
    ///
    /// With the codes `busy` and `password_failed`: it is not known whether the password is right.
    pub async fn verify(&self, password: &str, stored: &str) -> Result<Verdict, PasswordError> {
        self.answer(password, Some(stored.to_owned())).await
    }

    /// As much work as [`verify`](Self::verify) with a hash of today, for a user that does not
    /// exist: nothing is right for it (OWASP ASVS 5.0 6.3.8).
    ///
    /// # Errors
    ///
    /// Those of [`verify`](Self::verify).
    pub async fn verify_unknown(&self, password: &str) -> Result<(), PasswordError> {
        self.answer(password, None).await.map(drop)
    }

    async fn answer(
        &self,
        password: &str,
        stored: Option<String>,
    ) -> Result<Verdict, PasswordError> {
        // None that could be right is stored for these; hashed is nothing in their place.
        let possible = !password.is_empty() && password.len() <= MAX_BYTES;
        let typed = Zeroizing::new(if possible { password.to_owned() } else { String::new() });
        let desk = self.desk.clone();
        self.gate.run(move || desk.verify(&typed, stored.as_deref())).await?
    }
}

#[cfg(test)]
impl Passwords {
    /// What ran so far.
    fn runs(&self) -> Vec<crate::config::password::Cost> {
        self.desk.workshop().runs.lock().expect("no test panics while it counts").clone()
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords(..)")
    }
}
