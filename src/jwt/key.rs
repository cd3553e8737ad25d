//! src/jwt/key.rs: a key: one name, one algorithm, signatures alone; where it comes from decides what
//! it may do, never a token.

use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Family};
use crate::secret::{self, Digest};

mod der;
mod generate;
mod jwk;
mod material;
mod node;
mod pem;
#[cfg(test)]
pub(crate) mod tests;

pub use node::Node;

use material::{Material, Signer, Verifier};

/// Bytes of one JWK or PEM file.
pub const MAX_FILE: usize = 16 * 1024;

/// Verifies, and signs where its private part is here. `Debug` prints its name and algorithm.
pub struct Key {
    kid: Box<str>,
    algorithm: Algorithm,
    not_before: Option<u64>,
    expires: Option<u64>,
    verifier: Verifier,
    signer: Option<Signer>,
    public: Vec<(&'static str, String)>,
    modulus_bits: Option<usize>,
    fingerprint: Digest,
    /// The first part of every token that this key signs.
    header: Box<str>,
}

/// What is wrong with a key, and how to put it right; never any of its material.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// It is no key that we know how to use: it is skipped and reported.
    Unreadable(String),
    /// It is a key, and using it would be dangerous: it does not launch.
    Weak(String),
}

/// The key has no private part, or the library failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CannotSign;

impl Key {
    /// A JSON Web Key (RFC 7517). `kid` is what the file's name says; the member may say the same.
    pub fn from_jwk(json: &[u8], kid: Option<&str>) -> Result<Self, KeyError> {
        if json.len() > MAX_FILE {
            return Err(too_long());
        }
        Self::from_jwk_node(&Node::read(json)?, kid)
    }

    /// One member of a set.
    pub(super) fn from_jwk_node(jwk: &Node, kid: Option<&str>) -> Result<Self, KeyError> {
        let read = jwk::read(jwk, kid)?;
        let mut key = Key {
            not_before: read.not_before,
            expires: read.expires,
            ..Self::new(read.kid, read.material)?
        };
        if key.is_symmetric() {
            let secret = jwk.object().and_then(|members| members.find("k")).and_then(Node::text);
            key.fingerprint = fingerprint([("k", secret.unwrap_or_default())]);
        }
        key.checked_span()
    }

    /// A PEM file (RFC 7468) with one key: PKCS#8, SEC 1 or PKCS#1 private, SPKI or PKCS#1 public.
    /// Its type decides the algorithm: RSA is RS256, P-256 ES256, P-384 ES384, Ed25519 EdDSA.
    pub fn from_pem(pem: &[u8], kid: &str) -> Result<Self, KeyError> {
        if pem.len() > MAX_FILE {
            return Err(too_long());
        }
        Self::new(kid.to_owned(), pem::read(pem)?)
    }

    fn new(kid: String, material: Material) -> Result<Self, KeyError> {
        let Material { algorithm, verifier, signer, public, modulus_bits } = material;
        check_kid(&kid)?;
        // A kid needs no escape: check_kid has seen to it.
        let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"{kid}"}}"#);
        Ok(Key {
            kid: kid.into(),
            algorithm,
            not_before: None,
            expires: None,
            verifier,
            signer,
            // Whoever has one key of a modulus has all of them, whatever the exponent.
            fingerprint: fingerprint(
                public
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .filter(|(name, _)| *name != "e"),
            ),
            public,
            modulus_bits,
            header: secret::encode(header.as_bytes()).into(),
        })
    }

    fn checked_span(self) -> Result<Self, KeyError> {
        match (self.not_before, self.expires) {
            (Some(start), Some(end)) if end <= start => unreadable(
                "`exp` is not after `nbf`: the key would never sign; correct one of them",
            ),
            _ => Ok(self),
        }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `nbf`: from when on it may sign, in seconds since the Unix epoch.
    pub fn not_before(&self) -> Option<u64> {
        self.not_before
    }

    /// `exp`: from when on it neither signs nor verifies, in seconds since the Unix epoch.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// The same key, signing from `seconds` on.
    pub fn with_not_before(self, seconds: u64) -> Self {
        Key { not_before: Some(seconds), ..self }
    }

    /// Of what the key is made of: the public members, or the secret. Two keys with the same are one
    /// key, whatever their names and algorithms.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    pub fn can_sign(&self) -> bool {
        self.signer.is_some()
    }

    /// Whoever verifies with it can sign with it: it is never published.
    pub fn is_symmetric(&self) -> bool {
        self.algorithm.family() == Family::Hmac
    }

    /// The encoded header of every token that this key signs: `alg`, `typ`, `kid`.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// Whether `signature` is this key's over `message`, by this key's algorithm.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier.verify(message, signature)
    }

    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CannotSign> {
        self.signer.as_ref().ok_or(CannotSign)?.sign(message)
    }

    /// The public members (RFC 7517 section 4); `None` of a symmetric key, which has none.
    pub fn public_jwk(&self) -> Option<Value> {
        if self.is_symmetric() {
            return None;
        }
        let mut jwk = Map::new();
        for (name, value) in &self.public {
            jwk.insert((*name).to_owned(), value.as_str().into());
        }
        jwk.insert("kid".to_owned(), self.kid().into());
        jwk.insert("alg".to_owned(), self.algorithm.name().into());
        jwk.insert("use".to_owned(), "sig".into());
        for (name, moment) in [("nbf", self.not_before), ("exp", self.expires)] {
            if let Some(moment) = moment {
                jwk.insert(name.to_owned(), moment.into());
            }
        }
        Some(Value::Object(jwk))
    }

    /// What is allowed and not advised: OWASP ASVS 11.2.3 asks for a strength of 128 bits.
    pub fn warnings(&self) -> Vec<String> {
        let short = self.modulus_bits.filter(|bits| *bits < 3072);
        let text = |bits| {
            format!(
                "key {} is RSA with {bits} bits; make the next one with 3072, or an Ed25519 one",
                self.kid
            )
        };
        short.map(text).into_iter().collect()
    }

    /// Signs and verifies once, so that a build whose library does not work stops the launch.
    pub fn self_test(&self) -> Result<(), KeyError> {
        let broken = || {
            KeyError::Unreadable(format!(
                "key {} does not verify what it signs: this build's token library does not work",
                self.kid
            ))
        };
        if self.can_sign() {
            let mut signature = self.sign(b"self-test").map_err(|CannotSign| broken())?;
            let good = self.verify(b"self-test", &signature);
            if let Some(byte) = signature.last_mut() {
                *byte ^= 1;
            }
            if !good || self.verify(b"self-test", &signature) {
                return Err(broken());
            }
        }
        match self.verify(b"self-test", &[]) {
            true => Err(broken()),
            false => Ok(()),
        }
    }
}

/// Each member is in its one canonical form, so the same material gives the same digest.
fn fingerprint<'m>(members: impl IntoIterator<Item = (&'m str, &'m str)>) -> Digest {
    // Room for any key: growing would leave a copy of a secret behind.
    let mut all = Zeroizing::new(String::with_capacity(2 * MAX_FILE));
    for (name, value) in members {
        all.extend([name, "=", value, ";"]);
    }
    Digest::of(all.as_bytes())
}

/// A kid becomes a file's name and a header's member: plain characters, and no dot in front, which
/// would hide the file.
fn check_kid(kid: &str) -> Result<(), KeyError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    if !(1..=128).contains(&kid.len()) || !kid.bytes().all(plain) || kid.starts_with('.') {
        return unreadable(
            "the key's name (`kid`) must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and not \
             start with a dot; rename it",
        );
    }
    Ok(())
}

fn unreadable<T>(text: &str) -> Result<T, KeyError> {
    Err(KeyError::Unreadable(text.to_owned()))
}

fn weak<T>(text: &str) -> Result<T, KeyError> {
    Err(KeyError::Weak(text.to_owned()))
}

fn too_long() -> KeyError {
    KeyError::Unreadable(format!("longer than {MAX_FILE} bytes, which no key is"))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {}, ..)", self.kid, self.algorithm)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Unreadable(text) | KeyError::Weak(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for KeyError {}

impl fmt::Display for CannotSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key cannot sign")
    }
}

impl std::error::Error for CannotSign {}
