//! src/jwt/keyset.rs: the keys that are in use together: each verifies, one signs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::key::{Key, KeyError};
use crate::clock::Time;

/// Keys with distinct names; never changed, replaced as a whole.
#[derive(Clone, Default)]
pub struct KeySet(Vec<Arc<Key>>);

/// The set that is in use now, shared with whoever reads the keys again.
pub struct Keys(RwLock<Arc<KeySet>>);

impl KeySet {
    /// Two keys of one name would make it chance which one verifies: the set is refused.
    pub fn new(keys: impl IntoIterator<Item = impl Into<Arc<Key>>>) -> Result<Self, KeyError> {
        let mut keys: Vec<Arc<Key>> = keys.into_iter().map(Into::into).collect();
        keys.sort_by(|a, b| a.kid().cmp(b.kid()));
        let twins = keys.windows(2).find(|pair| pair[0].kid() == pair[1].kid());
        if let Some(pair) = twins {
            return Err(KeyError::Weak(format!(
                "two keys are named {}; a `kid` names one key: rename or remove one",
                pair[0].kid()
            )));
        }
        Ok(KeySet(keys))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of their names, whatever their times.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.0.iter()
    }

    /// The key of this name, until its end. Before its beginning it verifies, for the clock of the
    /// process that signed may be ahead of ours.
    pub fn find(&self, kid: &str, now: Time) -> Option<&Key> {
        self.live(now).find(|key| key.kid() == kid).map(|key| &**key)
    }

    /// The key that writes exactly this encoded header.
    pub fn find_by_header(&self, header: &[u8], now: Time) -> Option<&Key> {
        self.live(now).find(|key| key.header().as_bytes() == header).map(|key| &**key)
    }

    /// The private key that began last, of those that have begun; of two the greater name.
    pub fn signer(&self, now: Time) -> Option<&Arc<Key>> {
        let begun = |key: &&Arc<Key>| key.not_before().unwrap_or(0) <= now.millis() / 1000;
        let mine = self.live(now).filter(|key| key.can_sign()).filter(begun);
        mine.max_by_key(|key| (key.not_before().unwrap_or(0), key.kid()))
    }

    fn live(&self, now: Time) -> impl Iterator<Item = &Arc<Key>> {
        let seconds = now.millis() / 1000;
        self.0.iter().filter(move |key| key.expires().is_none_or(|end| seconds < end))
    }

    /// Those of [`KeySet::iter`] that others may know: not past their end, and not symmetric.
    pub fn public(&self, now: Time) -> impl Iterator<Item = &Arc<Key>> {
        self.live(now).filter(|key| !key.is_symmetric())
    }
}

impl Keys {
    pub fn new(keys: KeySet) -> Self {
        Keys(RwLock::new(Arc::new(keys)))
    }

    pub fn current(&self) -> Arc<KeySet> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever asked before keeps what they got.
    pub fn replace(&self, keys: KeySet) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::algorithm::Algorithm;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    /// A key with these times; `public` keeps its public part alone.
    fn key(kid: &str, nbf: Option<u64>, exp: Option<u64>, public: bool) -> Key {
        let (key, jwk) = Key::generate(kid, Algorithm::EdDSA, nbf).unwrap();
        let mut jwk: serde_json::Value = match public {
            true => key.public_jwk().unwrap(),
            false => serde_json::from_str(&jwk).unwrap(),
        };
        if let Some(exp) = exp {
            jwk["exp"] = exp.into();
        }
        Key::from_jwk(jwk.to_string().as_bytes(), None).unwrap()
    }

    fn signer(keys: &KeySet, seconds: u64) -> Option<&str> {
        keys.signer(at(seconds)).map(|key| key.kid())
    }

    #[test]
    fn the_signer_is_the_private_key_that_began_last_and_has_not_ended() {
        let keys = KeySet::new([
            key("old", None, None, false),
            key("mid", Some(100), Some(300), false),
            key("new", Some(200), Some(250), false),
            key("public", Some(220), None, true),
        ])
        .unwrap();
        for (seconds, kid) in [
            (0, "old"),
            (99, "old"),
            (100, "mid"),
            (199, "mid"),
            (200, "new"),
            (249, "new"),
            (250, "mid"),
            (299, "mid"),
            (300, "old"),
        ] {
            assert_eq!(signer(&keys, seconds), Some(kid), "at {seconds}");
        }
    }

    #[test]
    fn of_two_signers_that_began_together_the_greater_name_signs() {
        let all = ["b", "a", "c"].map(|kid| key(kid, Some(7), None, false));
        assert_eq!(signer(&KeySet::new(all).unwrap(), 7), Some("c"));
        // No beginning counts as zero.
        let zero = [key("x", None, None, false), key("a", Some(0), None, false)];
        assert_eq!(signer(&KeySet::new(zero).unwrap(), 7), Some("x"));
    }

    #[test]
    fn a_set_without_a_private_key_that_has_begun_has_no_signer() {
        assert_eq!(signer(&KeySet::default(), 7), None);
        assert!(KeySet::default().is_empty());
        let keys = [key("public", None, None, true), key("later", Some(9), None, false)];
        assert_eq!(signer(&KeySet::new(keys).unwrap(), 8), None);
    }

    #[test]
    fn a_key_verifies_before_its_beginning_and_never_from_its_end_on() {
        let keys = KeySet::new([key("k", Some(100), Some(200), false)]).unwrap();
        assert!(keys.find("k", at(0)).is_some());
        assert!(keys.find("k", Time::from_millis(199_999)).is_some());
        assert!(keys.find("k", at(200)).is_none());
        assert!(keys.find("K", at(100)).is_none());
        let header = keys.find("k", at(0)).unwrap().header().as_bytes().to_vec();
        assert!(keys.find_by_header(&header, at(199)).is_some());
        assert!(keys.find_by_header(&header, at(200)).is_none());
        assert!(keys.find_by_header(&header[1..], at(100)).is_none());
        assert!(keys.find_by_header(b"", at(100)).is_none());
    }

    /// Checklist row 57.
    #[test]
    fn two_keys_of_one_name_are_no_set() {
        let keys = || ["a", "b"].map(|kid| key(kid, None, None, false));
        assert!(KeySet::new(keys()).is_ok());
        let twins = keys().into_iter().chain([key("a", Some(5), None, true)]);
        match KeySet::new(twins) {
            Err(KeyError::Weak(text)) => assert!(text.contains("two keys are named a"), "{text}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_replaced_set_is_the_current_one_and_the_old_one_stays_with_who_has_it() {
        let keys = Keys::new(KeySet::new([key("a", None, None, false)]).unwrap());
        let before = keys.current();
        keys.replace(KeySet::new([key("b", None, None, false)]).unwrap());
        assert!(before.find("a", at(1)).is_some());
        assert!(keys.current().find("a", at(1)).is_none());
        assert_eq!(format!("{keys:?}"), "[Key(b EdDSA, ..)]");
    }
}
