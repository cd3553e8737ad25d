//! src/jwt/tests/confusion.rs: a key does what it was made for, whatever a header says.

use aws_lc_rs::hmac;

use super::*;

/// Checklist row 33: every algorithm's name over every key.
#[test]
fn a_header_with_another_algorithm_than_the_keys_is_refused_for_every_pair() {
    for key in KEYS.iter() {
        for named in Algorithm::ALL {
            let header = format!(r#"{{"alg":"{named}","typ":"at+jwt","kid":"{}"}}"#, key.kid());
            let claims = payload().to_string();
            let own = forge(key.algorithm(), header.as_bytes(), claims.as_bytes());
            let other = forge(named, header.as_bytes(), claims.as_bytes());
            match named == key.algorithm() {
                true => assert!(check(&own).is_ok(), "{named}"),
                false => {
                    assert_eq!(check(&own).err(), Some(Flaw::Algorithm), "{named} {}", key.kid());
                    assert_eq!(check(&other).err(), Some(Flaw::Algorithm), "{named} {}", key.kid());
                }
            }
        }
    }
}

/// Checklist row 33: the signature of another key of the same algorithm.
#[test]
fn a_signature_by_another_key_of_the_same_algorithm_is_refused() {
    for own in KEYS.iter().filter(|key| key.algorithm().family() != Family::Rsa) {
        let (other, _) = Key::generate(own.kid(), own.algorithm(), None).unwrap();
        let audience = [API.to_owned()];
        let claims = new_claims(&audience, "{}");
        assert!(check(&mint(own, &claims).unwrap()).is_ok());
        let forged = mint(&other, &claims).unwrap();
        assert_eq!(check(&forged).err(), Some(Flaw::Signature), "{own:?}");
    }
}

/// What an attacker can know of a public key, in each form that some library has taken as a secret.
fn forms() -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for pem in [
        include_str!("../../../tests/keys/rsa-public.pem"),
        include_str!("../../../tests/keys/rsa-public-pkcs1.pem"),
        include_str!("../../../tests/keys/p256-public.pem"),
        include_str!("../../../tests/keys/ed25519-public.pem"),
    ] {
        let trimmed = pem.trim_end();
        forms.push(pem.as_bytes().to_vec());
        forms.push(trimmed.as_bytes().to_vec());
        forms.push(pem.replace('\n', "\r\n").into_bytes());
        forms.push(trimmed.replace('\n', "\r\n").into_bytes());
        forms.push(format!(" {pem}").into_bytes());
        forms.push(format!("{pem}\n").into_bytes());
        let body: String = trimmed.lines().filter(|line| !line.contains("---")).collect();
        forms.push(body.clone().into_bytes());
        use base64::Engine;
        let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        forms.push(der[der.len() - 32..].to_vec());
        forms.push(der[der.len() - 65.min(der.len())..].to_vec());
        forms.push(der);
    }
    forms
}

fn maced(kid: &str, algorithm: &str, secret: &[u8]) -> String {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"{kid}"}}"#);
    let claims = payload().to_string();
    let signed = format!(
        "{}.{}",
        crate::secret::encode(header.as_bytes()),
        crate::secret::encode(claims.as_bytes())
    );
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", crate::secret::encode(tag.as_ref()))
}

/// Checklist row 35.
#[test]
fn a_public_key_is_no_secret_in_any_encoding() {
    let pems = [
        ("rsa", include_str!("../../../tests/keys/rsa-public.pem")),
        ("p256", include_str!("../../../tests/keys/p256-public.pem")),
        ("ed25519", include_str!("../../../tests/keys/ed25519-public.pem")),
    ];
    let keys = pems.map(|(kid, pem)| Key::from_pem(pem.as_bytes(), kid).unwrap());
    let jwks: Vec<_> = keys.iter().map(|key| key.public_jwk().unwrap().to_string()).collect();
    let keys = KeySet::new(keys).unwrap();
    let mut secrets = forms();
    secrets.extend(jwks.into_iter().map(String::into_bytes));
    secrets.push(Vec::new());
    for kid in ["rsa", "p256", "ed25519"] {
        for secret in &secrets {
            for (algorithm, expected) in [
                ("HS256", Flaw::Algorithm),
                (keys.find(kid, now()).unwrap().algorithm().name(), Flaw::Signature),
            ] {
                let token = maced(kid, algorithm, secret);
                let refused = verify(&token, &keys, &policy(), now()).err();
                assert_eq!(refused, Some(expected), "{kid} {algorithm}");
            }
        }
    }
    // The same set accepts what the private key signs.
    let private = include_bytes!("../../../tests/keys/p256.pem");
    let private = Key::from_pem(private, "p256").unwrap();
    let audience = [API.to_owned()];
    let token = mint(&private, &new_claims(&audience, "{}")).unwrap();
    assert!(verify(&token, &keys, &policy(), now()).is_ok());
}

/// Checklist section 3A, CVE-2022-21449 and its kin: numbers that fit any message.
#[test]
fn an_ecdsa_signature_of_zeros_or_of_the_order_is_refused() {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&order[n * 2..n * 2 + 2], 16).unwrap()).collect();
    let (zero, one) = ([0; 32], [[0; 31].as_slice(), &[1]].concat());
    for key in [key(Algorithm::ES256), key(Algorithm::ES384)] {
        let good = key.sign(b"message").unwrap();
        assert!(key.verify(b"message", &good));
        for r in [&zero[..], &one, &order] {
            for s in [&zero[..], &one, &order] {
                assert!(!key.verify(b"message", &[r, s].concat()));
            }
        }
        let length = good.len();
        assert!(!key.verify(b"message", &vec![0; length]));
        assert!(!key.verify(b"message", &vec![0xff; length]));
        assert!(!key.verify(b"message", &[]));
        // ASN.1 is another form of the same numbers, and a second token of one signature.
        assert!(!key.verify(
            b"message",
            &[&[0x30, 0x44, 2, 32][..], &good[..32], &[2, 32], &good[32..]].concat()
        ));
    }
}

/// Checklist rows 33 and 46: a key of one set does not sign for another issuer.
#[test]
fn the_key_of_one_issuer_does_not_speak_for_another() {
    let (foreign, _) = Key::generate("HS256", Algorithm::HS256, None).unwrap();
    let keys = KeySet::new([foreign]).unwrap();
    let token = sign(&header(), &payload().to_string());
    assert_eq!(verify(&token, &keys, &policy(), now()).err(), Some(Flaw::Signature));
    assert_eq!(verify(&token, &KeySet::default(), &policy(), now()).err(), Some(Flaw::UnknownKey));
    assert_eq!(flaw(&with_claim("iss", Some("https://other.test".into()))), Some(Flaw::Issuer));
}
