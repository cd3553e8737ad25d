//! src/config/password.rs: `[default.identity.password]`: what a hash costs, how many are made at
//! once, and the pepper.

use std::collections::BTreeMap;
use std::fmt;
use std::thread::available_parallelism;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zeroize::Zeroizing;

use super::span;
use crate::secret;

/// How passwords are hashed, and how much of the machine that may take.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default)]
pub struct Hashing {
    /// Argon2id's m, in KiB.
    pub memory_kib: u32,
    /// Its t.
    pub iterations: u32,
    /// Its p: lanes, which here run one after the other.
    pub parallelism: u32,
    /// The most that a stored hash may ask for; four times `memory_kib` where unset.
    pub max_memory_kib: Option<u32>,
    pub max_iterations: u32,
    pub max_parallelism: u32,
    /// Hashes that run at the same time; one less than the cores where unset.
    pub at_once: Option<usize>,
    /// Those that may wait behind them.
    pub queue: usize,
    #[serde(deserialize_with = "span::read")]
    pub longest_wait: Duration,
    pub pepper: Option<Pepper>,
}

/// What one hash takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

/// Secrets that go into a hash and are kept apart from it; never printed.
#[derive(Clone, PartialEq)]
pub struct Pepper {
    current: String,
    keys: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// Memory and iterations of OWASP's cheat sheet "Password Storage", all of one strength (ASVS 5.0
/// appendix C).
const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// A pepper is as long as the hash that it goes into.
const MIN_PEPPER: usize = 32;

/// The longest name of a pepper's version.
const MAX_VERSION: usize = 16;

impl Default for Hashing {
    fn default() -> Self {
        Hashing {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            max_memory_kib: None,
            max_iterations: 16,
            max_parallelism: 8,
            at_once: None,
            queue: 64,
            longest_wait: Duration::from_secs(2),
            pepper: None,
        }
    }
}

impl Hashing {
    /// Of the hashes that are made today.
    pub fn cost(&self) -> Cost {
        Cost {
            memory_kib: self.memory_kib,
            iterations: self.iterations,
            parallelism: self.parallelism,
        }
    }

    /// The most that a stored hash may ask for.
    pub fn ceiling(&self) -> Cost {
        let memory = self.max_memory_kib.unwrap_or(self.memory_kib.saturating_mul(4));
        Cost {
            memory_kib: memory.max(self.memory_kib),
            iterations: self.max_iterations.max(self.iterations),
            parallelism: self.max_parallelism.max(self.parallelism),
        }
    }

    /// One core is left for everybody who is not logging in just now.
    pub fn at_once(&self) -> usize {
        let cores = || available_parallelism().map_or(1, usize::from);
        self.at_once.unwrap_or_else(|| cores().saturating_sub(1).max(1))
    }

    /// Weaker than each of OWASP's choices.
    pub fn is_weak(&self) -> bool {
        let enough =
            |(memory, iterations)| self.memory_kib >= memory && self.iterations >= iterations;
        !FLOOR.into_iter().any(enough)
    }

    /// What the types cannot say of a value.
    pub fn check(&self) -> Result<(), String> {
        let max_memory = self.max_memory_kib.unwrap_or(8);
        for (key, value, range) in [
            ("memory_kib", self.memory_kib, 8..=1_048_576),
            ("iterations", self.iterations, 1..=100),
            ("parallelism", self.parallelism, 1..=64),
            ("max_memory_kib", max_memory, 8..=1_048_576),
            ("max_iterations", self.max_iterations, 1..=1_000),
            ("max_parallelism", self.max_parallelism, 1..=64),
        ] {
            if !range.contains(&value) {
                let (from, to) = range.into_inner();
                return Err(format!(
                    "identity.password.{key} is {value}: it must be from {from} to {to}"
                ));
            }
        }
        if self.memory_kib < 8 * self.parallelism {
            return Err(format!(
                "identity.password.memory_kib is {}: {} lanes (parallelism) need at least {}",
                self.memory_kib,
                self.parallelism,
                8 * self.parallelism
            ));
        }
        if self.at_once.is_some_and(|at_once| !(1..=1_024).contains(&at_once)) {
            return Err("identity.password.at_once must be from 1 to 1024".into());
        }
        if self.queue > 100_000 {
            return Err("identity.password.queue must be at most 100000".into());
        }
        if self.longest_wait > Duration::from_secs(60) {
            return Err(format!(
                "identity.password.longest_wait is {:?}: it must be at most 60 seconds, such as \
                 \"2s\"",
                self.longest_wait
            ));
        }
        Ok(())
    }
}

impl Pepper {
    /// The version that new hashes have, and its secret.
    pub fn current(&self) -> (&str, &[u8]) {
        (&self.current, self.key(&self.current).unwrap_or_default())
    }

    pub fn key(&self, version: &str) -> Option<&[u8]> {
        self.keys.get(version).map(|key| key.as_slice())
    }

    /// No text in here holds what was configured, except a version.
    fn read(value: &Value) -> Result<Self, String> {
        let wanted = "it is a table such as { current = \"1\", keys = { \"1\" = \"..\" } }";
        let table = value.as_object().ok_or(wanted)?;
        if table.keys().any(|key| !["current", "keys"].contains(&&**key)) {
            return Err(format!("the pepper has an unknown key: {wanted}"));
        }
        let current = match table.get("current") {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(version)) => version.to_string(),
            _ => return Err(format!("the pepper's `current` is missing or no text: {wanted}")),
        };
        let mut keys = BTreeMap::new();
        let table = table.get("keys").and_then(Value::as_object).ok_or(wanted)?;
        for (version, key) in table {
            if !is_version(version) {
                return Err(format!(
                    "a version of the pepper must have from 1 to {MAX_VERSION} letters, digits, \
                     `-` and `_`"
                ));
            }
            let key = key.as_str().and_then(|key| secret::decode_all(key.as_bytes()));
            let key = Zeroizing::new(key.unwrap_or_default());
            if key.len() < MIN_PEPPER {
                return Err(format!(
                    "version {version:?} of the pepper must be at least {MIN_PEPPER} random bytes \
                     in base64url without padding"
                ));
            }
            keys.insert(version.clone(), key);
        }
        if !keys.contains_key(&current) {
            return Err("the pepper's `current` names none of its `keys`".into());
        }
        Ok(Pepper { current, keys })
    }
}

/// Whether it can stand between two `$` of a stored hash.
pub fn is_version(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_VERSION).contains(&text.len()) && text.bytes().all(plain)
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(..)")
    }
}

/// By way of any value, because serde's own errors quote what they did not expect.
impl<'de> Deserialize<'de> for Pepper {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let unreadable = |_| D::Error::custom("the pepper cannot be read");
        let value = Value::deserialize(from).map_err(unreadable)?;
        Pepper::read(&value).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn costs(memory_kib: u32, iterations: u32) -> Hashing {
        Hashing { memory_kib, iterations, ..Hashing::default() }
    }

    /// Checklist row 75, OWASP ASVS 5.0 11.4.2.
    #[test]
    fn only_what_owasp_names_or_more_is_strong() {
        for (memory, iterations) in FLOOR {
            assert!(!costs(memory, iterations).is_weak());
            assert!(costs(memory - 1, iterations).is_weak());
            assert!(iterations == 1 || costs(memory, iterations - 1).is_weak());
        }
        assert!(!costs(65_536, 3).is_weak());
        assert!(costs(7_167, 100).is_weak());
    }

    #[test]
    fn a_ceiling_is_never_below_what_is_made_today() {
        let ceiling = |settings: Hashing| settings.ceiling().memory_kib;
        assert_eq!(ceiling(Hashing::default()), 77_824);
        assert_eq!(ceiling(Hashing { max_memory_kib: Some(8), ..Hashing::default() }), 19_456);
        assert_eq!(ceiling(Hashing { max_memory_kib: Some(102_400), ..costs(8, 1) }), 102_400);
        let settings = Hashing { parallelism: 9, iterations: 20, ..Hashing::default() };
        assert_eq!((settings.ceiling().parallelism, settings.ceiling().iterations), (9, 20));
    }

    /// Checklist row 86.
    #[test]
    fn a_pepper_is_at_least_32_bytes_has_a_version_and_is_in_no_error_and_no_debug() {
        let key = "c2VjcmV0LXBlcHBlci1vZi0zMi1ieXRlcy0wMDAwMDA";
        let good = Pepper::read(&json!({ "current": 2, "keys": { "2": key } })).unwrap();
        assert_eq!(good.current(), ("2", &b"secret-pepper-of-32-bytes-000000"[..]));
        assert_eq!(format!("{good:?}"), "Pepper(..)");
        for bad in [
            json!(key),
            json!([key]),
            json!({ "current": "1" }),
            json!({ "current": "1", "keys": key }),
            json!({ "current": "1", "keys": { "2": key } }),
            json!({ "current": [key], "keys": { "1": key } }),
            json!({ "current": key, "keys": { key: key } }),
            json!({ "current": "", "keys": { "": key } }),
            json!({ "current": "a$b", "keys": { "a$b": key } }),
            json!({ "current": "1", "keys": { "1": key, "2": &key[..42] } }),
            json!({ "current": "1", "keys": { "1": format!("{key}=") } }),
            json!({ "current": "1", "keys": { "1": 7 } }),
            json!({ "current": "1", "keys": { "1": key }, "kyes": {} }),
        ] {
            let identity = json!({ "password": { "pepper": bad } });
            let figment = figment::Figment::from(figment::providers::Serialized::default(
                "identity", &identity,
            ));
            let finding = crate::config::Settings::read(&figment, "").expect_err("refused");
            assert_eq!(finding.code, "RI009", "{}", finding.text);
            assert!(!finding.text.contains(&key[..8]), "{}", finding.text);
            assert!(finding.text.contains("pepper"), "{}", finding.text);
        }
    }
}
