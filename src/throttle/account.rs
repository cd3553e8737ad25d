//! src/throttle/account.rs: which account an attempt is for, as the throttle's stores know it.

use std::fmt;

use crate::secret::{self, Digest};

/// 128 bits of a digest of an account's name: no store holds the name.
///
/// White space around it and its case do not count, so that `AdA ` has no bucket of its own beside
/// `ada`'s. Where an application takes more spellings for one account (without accents, without the
/// dots of some mail addresses), it must hand in the one that it looks up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey([u8; 16]);

/// A name as it is counted, and must be looked up: without white space around it, in lower case.
pub fn normal(name: &str) -> String {
    name.trim().to_lowercase()
}

impl AccountKey {
    /// The key of an account of one fairing; `kind` is the fairing's name, empty for the unnamed.
    pub fn of(kind: &str, name: &str) -> Self {
        // The length keeps ("a", "bc") apart from ("ab", "c").
        let name = normal(name);
        let text = format!("rocket_identity account {}:{kind}:{name}", kind.len());
        let mut key = [0; 16];
        key.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..16]);
        AccountKey(key)
    }

    /// From what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = [0; 16];
        secret::decode(text.as_bytes(), &mut key).then_some(AccountKey(key))
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// As a store's key has it: 22 base64url characters.
impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&secret::encode(&self.0))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_name_and_its_case_do_not_count() {
        let ada = AccountKey::of("", "ada");
        for name in ["AdA ", " ADA", "\tada\r\n", "\u{a0}Ada\u{2003}", "\u{3000}ada"] {
            assert_eq!(AccountKey::of("", name), ada, "{name:?}");
        }
        for name in ["a da", "adá", "ad", "adaa", "", "ada\0"] {
            assert_ne!(AccountKey::of("", name), ada, "{name:?}");
        }
        assert_eq!(AccountKey::parse(&ada.to_string()), Some(ada));
        assert_eq!(AccountKey::of("", "ÉMILE"), AccountKey::of("", "émile"));
    }

    #[test]
    fn the_same_name_under_another_fairing_is_another_account() {
        assert_ne!(AccountKey::of("", "ada"), AccountKey::of("admin", "ada"));
        assert_ne!(AccountKey::of("a", "b:c"), AccountKey::of("a:b", "c"));
    }

    #[test]
    fn nothing_of_the_name_is_in_what_is_kept_or_printed() {
        let key = AccountKey::of("", "ada@example.com");
        assert_eq!((format!("{key:?}"), key.to_string().len()), ("AccountKey(..)".into(), 22));
    }
}
