//! src/password/desk.rs: what is done with a password, on a thread that may block.

use super::stored::{self, HASH, SALT, Stored};
use super::work::Workshop;
use super::{Hooks, PasswordError, Unusable, Verdict};
use crate::config::password::Hashing;
use crate::error::Reason;
use crate::secret;

pub struct Desk {
    settings: Hashing,
    hooks: Hooks,
    workshop: Workshop,
    /// Stands for the hash of a user that does not exist: the way of the two is the same to the last
    /// step. No password is known whose hash is all zeros.
    decoy: String,
}

impl Desk {
    pub fn new(settings: Hashing, hooks: Hooks) -> Self {
        let version = settings.pepper.as_ref().map(|pepper| pepper.current().0);
        let decoy = stored::write(version, &settings.cost(), &[0; SALT], &[0; HASH]);
        Desk { settings, hooks, workshop: Workshop::default(), decoy }
    }

    /// The hash of a password that somebody chose.
    pub fn hash_new(&self, password: &str) -> Result<String, PasswordError> {
        if self.hooks.is_blocked(password) {
            return Err(Reason::PasswordBlocked.into());
        }
        self.hash(password)
    }

    fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let cost = self.settings.cost();
        let salt = secret::random_bytes::<SALT>().map_err(PasswordError::failed)?;
        let (version, pepper) = self.pepper();
        let mut hash = [0; HASH];
        self.workshop.run(&cost, pepper, password, &salt, &mut hash)?;
        Ok(stored::write(version, &cost, &salt, &hash))
    }

    /// `password` is empty where no password could be right, `stored` is `None` where there is no
    /// such user.
    pub fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, PasswordError> {
        let text = stored.unwrap_or(&self.decoy);
        if !stored::is_ours(text) {
            return self.verify_foreign(password, text);
        }
        let (today, ceiling) = (self.settings.cost(), self.settings.ceiling());
        let read = Stored::read(text, &today, &ceiling).and_then(|stored| {
            let pepper = match stored.pepper {
                None => None,
                Some(version) => {
                    let pepper = self.settings.pepper.as_ref();
                    Some(pepper.and_then(|p| p.key(version)).ok_or(Unusable::UnknownPepper)?)
                }
            };
            Ok((stored, pepper))
        });
        let (stored, pepper) = match read {
            Ok(read) => read,
            Err(why) => return self.unusable(password, why),
        };
        let mut computed = vec![0; stored.hash.len()];
        self.workshop.run(&stored.cost, pepper, password, &stored.salt, &mut computed)?;
        if !stored.is(&computed) || password.is_empty() {
            return Ok(Verdict::wrong());
        }
        let current = stored.is_of_today(self.pepper().0, &today);
        Ok(self.right(password, current))
    }

    fn verify_foreign(&self, password: &str, stored: &str) -> Result<Verdict, PasswordError> {
        // Without a password that could be right it is not asked, so nothing is known of the text.
        if password.is_empty() && self.hooks.knows_foreign() {
            return self.spend(password).map(|()| Verdict::wrong());
        }
        match self.hooks.verify_foreign(password, stored) {
            Some(true) => Ok(self.right(password, false)),
            Some(false) => Ok(Verdict::wrong()),
            None => self.unusable(password, Unusable::UnknownKind),
        }
    }

    /// A login is not refused because its new hash could not be made: the old one is there still.
    fn right(&self, password: &str, current: bool) -> Verdict {
        let new_hash = if current { None } else { self.hash(password).ok() };
        Verdict { right: true, new_hash, unusable: None }
    }

    fn unusable(&self, password: &str, why: Unusable) -> Result<Verdict, PasswordError> {
        tracing::warn!(
            target: "rocket_identity",
            reason = why.code(),
            "identity.password_unusable",
        );
        self.spend(password).map(|()| Verdict::unusable_hash(why))
    }

    /// The work of a check against a hash of today, whose answer nobody looks at.
    fn spend(&self, password: &str) -> Result<(), PasswordError> {
        let (_, pepper) = self.pepper();
        let mut hash = [0; HASH];
        self.workshop.run(&self.settings.cost(), pepper, password, &[0; SALT], &mut hash)
    }

    /// Version and secret of what new hashes are peppered with.
    fn pepper(&self) -> (Option<&str>, Option<&[u8]>) {
        self.settings.pepper.as_ref().map(|pepper| pepper.current()).unzip()
    }

    #[cfg(test)]
    pub fn workshop(&self) -> &Workshop {
        &self.workshop
    }
}
