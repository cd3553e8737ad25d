//! src/jwt/tests/wycheproof.rs: the signature layer by itself, held against Project Wycheproof: signatures
//! and keys that have fooled other libraries. Checklist rows 40, 53 to 56, and CVE-2022-21449.

use serde_json::json;
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use crate::jwt::key::Key;
use crate::secret::encode;

/// What must be accepted and is, what must be refused and is.
#[derive(Default)]
struct Count {
    accepted: usize,
    refused: usize,
}

impl Count {
    fn judge(&mut self, key: &Key, message: &[u8], signature: &[u8], is: TestResult, what: &str) {
        let verified = key.verify(message, signature);
        match is {
            TestResult::Valid => assert!(verified, "{what} is refused"),
            TestResult::Invalid => assert!(!verified, "{what} is accepted"),
            TestResult::Acceptable => {}
        }
        *if verified { &mut self.accepted } else { &mut self.refused } += 1;
    }

    fn at_least(&self, accepted: usize, refused: usize) {
        let (own, other) = (self.accepted, self.refused);
        assert!(own >= accepted && other >= refused, "{own} accepted and {other} refused");
    }
}

#[test]
fn ecdsa_signatures_are_judged_as_they_must_be() {
    for (set, algorithm) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, "ES256"),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, "ES384"),
    ] {
        let mut count = Count::default();
        for group in ecdsa::TestSet::load(set).unwrap().test_groups {
            let key = Key::from_pem(group.pem.as_bytes(), "k").unwrap();
            assert_eq!(key.algorithm().name(), algorithm);
            for test in &group.tests {
                let what = format!("{algorithm} {}", test.tc_id);
                count.judge(&key, &test.msg, &test.sig, test.result, &what);
            }
        }
        count.at_least(100, 60);
    }
}

#[test]
fn ed25519_signatures_are_judged_as_they_must_be() {
    let mut count = Count::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(&group.key.pk)});
        let key = Key::from_jwk(jwk.to_string().as_bytes(), None).unwrap();
        for test in &group.tests {
            let what = format!("EdDSA {}", test.tc_id);
            count.judge(&key, &test.msg, &test.sig, test.result, &what);
        }
    }
    count.at_least(60, 50);
}

/// The number as a JWK holds it: no zero in front (RFC 7518 section 6.3.1.1).
fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    encode(&bytes[zeros..])
}

fn rsa(n: &[u8], e: &[u8], algorithm: &str) -> Option<Key> {
    let jwk = json!({"kty": "RSA", "kid": "k", "alg": algorithm, "n": number(n), "e": number(e)});
    Key::from_jwk(jwk.to_string().as_bytes(), None).ok()
}

#[test]
fn rsa_pkcs1_signatures_are_judged_as_they_must_be() {
    use rsa_pkcs1_verify::{TestName, TestSet};
    for (set, algorithm) in [
        (TestName::Rsa2048Sha256, "RS256"),
        (TestName::Rsa3072Sha384, "RS384"),
        (TestName::Rsa4096Sha512, "RS512"),
    ] {
        let mut count = Count::default();
        for group in TestSet::load(set).unwrap().test_groups {
            // One with an exponent of 3 is no key of ours: row 54.
            let Some(key) = rsa(&group.key.n, &group.key.e, algorithm) else {
                assert_eq!(group.key.e.last(), Some(&3));
                continue;
            };
            for test in &group.tests {
                let what = format!("{algorithm} {}", test.tc_id);
                count.judge(&key, &test.msg, &test.sig, test.result, &what);
            }
        }
        count.at_least(5, 200);
    }
}

#[test]
fn rsa_pss_signatures_are_judged_as_they_must_be() {
    use rsa_pss_verify::{TestName, TestSet};
    for (set, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, "PS256"),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, "PS384"),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, "PS512"),
    ] {
        let mut count = Count::default();
        for group in TestSet::load(set).unwrap().test_groups {
            let key = rsa(&group.key.n, &group.key.e, algorithm).unwrap();
            for test in &group.tests {
                let what = format!("{algorithm} {}", test.tc_id);
                count.judge(&key, &test.msg, &test.sig, test.result, &what);
            }
        }
        count.at_least(30, 30);
    }
}

/// Keys shorter than the hash are refused as keys (row 53); tags must be whole.
#[test]
fn hmac_tags_are_judged_as_they_must_be() {
    for (set, algorithm, bytes) in [
        (mac::TestName::HmacSha256, "HS256", 32),
        (mac::TestName::HmacSha384, "HS384", 48),
        (mac::TestName::HmacSha512, "HS512", 64),
    ] {
        let mut count = Count::default();
        for group in mac::TestSet::load(set).unwrap().test_groups {
            for test in &group.tests {
                let secret = encode(&test.key);
                let jwk = json!({"kty": "oct", "kid": "k", "alg": algorithm, "k": secret});
                let key = Key::from_jwk(jwk.to_string().as_bytes(), None);
                let what = format!("{algorithm} {}", test.tc_id);
                assert_eq!(key.is_ok(), test.key.len() >= bytes, "{what}");
                let Ok(key) = key else { continue };
                // A shortened tag is right for the suite, and none of a token's.
                let is = match group.tag_size == bytes * 8 {
                    true => test.result,
                    false => TestResult::Invalid,
                };
                count.judge(&key, &test.msg, &test.tag, is, &what);
            }
        }
        count.at_least(30, 40);
    }
}
