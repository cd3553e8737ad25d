//! src/password/stored.rs: a hash as text, and what of it is believed.

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Unusable;
use crate::config::password::{Cost, is_version};

/// Bytes of the salt and of the hash that are made.
pub const SALT: usize = 16;
pub const HASH: usize = 32;

/// What is less is not compared: an attacker's odds would be better than they look.
const MIN_SALT: usize = 8;
const MIN_HASH: usize = 16;

/// The least memory that any library has had as its default, in KiB.
const LEAST_MEMORY: u32 = 1_024;

const OURS: &str = "$argon2id$";
const PEPPERED: &str = "$pepper$";

/// A hash that can be checked.
pub struct Stored<'a> {
    /// The version of the pepper.
    pub pepper: Option<&'a str>,
    pub cost: Cost,
    pub salt: Salt,
    pub hash: Output,
}

/// Whether it is for us to read.
pub fn is_ours(text: &str) -> bool {
    text.starts_with(OURS) || text.starts_with(PEPPERED)
}

impl<'a> Stored<'a> {
    /// Reads `text`, which is not trusted. `today` is what is made now, and never too weak.
    pub fn read(text: &'a str, today: &Cost, ceiling: &Cost) -> Result<Self, Unusable> {
        let (pepper, phc) = match text.strip_prefix(PEPPERED) {
            None => (None, text),
            Some(rest) => {
                let end = rest.find('$').ok_or(Unusable::Malformed)?;
                let (version, phc) = rest.split_at(end);
                if !is_version(version) || !phc.starts_with(OURS) {
                    return Err(Unusable::Malformed);
                }
                (Some(version), phc)
            }
        };
        let parsed = PasswordHash::new(phc).map_err(|_| Unusable::Malformed)?;
        if parsed.version != Some(19) {
            return Err(Unusable::Version);
        }
        let mut params = parsed.params.iter();
        let mut next = |name: &str| {
            let (ident, value) = params.next()?;
            value.decimal().ok().filter(|_| ident.as_str() == name)
        };
        let cost = (|| {
            Some(Cost { memory_kib: next("m")?, iterations: next("t")?, parallelism: next("p")? })
        })();
        // `keyid` and `data`, which nobody writes, would change what is hashed.
        let cost = cost.filter(|_| params.next().is_none()).ok_or(Unusable::Malformed)?;
        let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else {
            return Err(Unusable::Malformed);
        };
        if cost.memory_kib > ceiling.memory_kib
            || cost.iterations > ceiling.iterations
            || cost.parallelism > ceiling.parallelism
        {
            return Err(Unusable::TooCostly);
        }
        if cost.memory_kib < LEAST_MEMORY.min(today.memory_kib)
            || cost.memory_kib / 8 < cost.parallelism
            || cost.iterations == 0
            || cost.parallelism == 0
            || salt.len() < MIN_SALT
            || hash.len() < MIN_HASH
        {
            return Err(Unusable::TooWeak);
        }
        Ok(Stored { pepper, cost, salt, hash })
    }

    /// Whether one made with `pepper` at the cost `today` would look like this.
    pub fn is_of_today(&self, pepper: Option<&str>, today: &Cost) -> bool {
        self.pepper == pepper
            && self.cost == *today
            && self.salt.len() == SALT
            && self.hash.len() == HASH
    }

    /// Compares in constant time.
    pub fn is(&self, computed: &[u8]) -> bool {
        Output::new(computed).is_ok_and(|computed| computed == self.hash)
    }
}

/// The text of a new hash.
pub fn write(pepper: Option<&str>, cost: &Cost, salt: &[u8; SALT], hash: &[u8; HASH]) -> String {
    let Cost { memory_kib, iterations, parallelism } = cost;
    let pepper = pepper.map(|version| format!("{PEPPERED}{version}")).unwrap_or_default();
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("{pepper}{OURS}v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${hash}")
}
