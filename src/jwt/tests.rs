//! src/jwt/tests.rs: tokens that are signed and hostile, and the untouched one beside each.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};

use super::algorithm::{Algorithm, Family};
use super::codec::{Flaw, NewClaims, Policy, mint, verify};
use super::key::Key;
use super::keyset::KeySet;
use crate::claims::Claims;
use crate::clock::Time;
use crate::secret;

mod claims;
mod confusion;
mod header;
mod mutation;
mod round_trip;
mod shape;
mod wycheproof;

/// 2027-01-15 08:00:00 UTC.
pub const NOW: u64 = 1_800_000_000;
pub const ISSUER: &str = "https://app.test";
pub const API: &str = "https://api.test";

pub fn now() -> Time {
    Time::from_millis(NOW * 1000)
}

pub fn policy() -> Policy {
    Policy { leeway: Duration::ZERO, ..Policy::new(ISSUER, vec!["other".into(), API.into()]) }
}

/// A private key of this algorithm, its name the algorithm's. RSA ones are one fixture: making them
/// takes seconds.
pub fn jwk(algorithm: Algorithm) -> String {
    if algorithm.family() != Family::Rsa {
        return Key::generate(algorithm.name(), algorithm, None).unwrap().1.to_string();
    }
    let mut jwk: Value = serde_json::from_str(include_str!("../../tests/keys/rsa.jwk")).unwrap();
    jwk["alg"] = algorithm.name().into();
    jwk["kid"] = algorithm.name().into();
    jwk.to_string()
}

/// One key of each algorithm.
pub static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let key = |algorithm| Key::from_jwk(jwk(algorithm).as_bytes(), None).unwrap();
    KeySet::new(Algorithm::ALL.map(key)).unwrap()
});

pub fn key(algorithm: Algorithm) -> &'static Arc<Key> {
    KEYS.iter().find(|key| key.algorithm() == algorithm).unwrap()
}

pub fn header() -> String {
    r#"{"alg":"HS256","typ":"at+jwt","kid":"HS256"}"#.to_owned()
}

pub fn payload() -> Value {
    json!({
        "iss": ISSUER,
        "aud": [API],
        "sub": "7",
        "iat": NOW - 10,
        "exp": NOW + 600,
        "jti": "token-1",
        "scope": "read",
        "user": {"id": 7, "name": "Ada"},
    })
}

/// Signs whatever this is, by the key of `algorithm`.
pub fn forge(algorithm: Algorithm, header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", secret::encode(header), secret::encode(payload));
    let signature = key(algorithm).sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", secret::encode(&signature))
}

pub fn sign(header: &str, payload: &str) -> String {
    forge(Algorithm::HS256, header.as_bytes(), payload.as_bytes())
}

pub fn check(token: &str) -> Result<Claims, Flaw> {
    verify(token, &KEYS, &policy(), now())
}

/// What is wrong with `token`, the untouched one being accepted.
pub fn flaw(token: &str) -> Option<Flaw> {
    let good = sign(&header(), &payload().to_string());
    check(&good).expect("the untouched token is accepted");
    check(token).err()
}

/// A token with these members in its header besides the right ones, rightly signed.
pub fn with_header(member: &str) -> String {
    sign(&header().replace('}', &format!(",{member}}}")), &payload().to_string())
}

/// A token with this claim set so, or left out, rightly signed.
pub fn with_claim(name: &str, value: Option<Value>) -> String {
    let mut claims = payload();
    let members = claims.as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name)),
    }
    sign(&header(), &claims.to_string())
}

pub fn new_claims<'c>(audience: &'c [String], user: &'c str) -> NewClaims<'c> {
    NewClaims {
        issuer: ISSUER,
        audience,
        subject: "7",
        issued_at: now(),
        ttl: Duration::from_secs(600),
        scope: Some("read write"),
        user,
        user_version: 1,
    }
}
