//! src/jwt/tests/round_trip.rs: what we mint we accept, and nothing that is a bit off.

use std::time::SystemTime;

use super::*;
use crate::jwt::codec::MintError;

fn audience() -> Vec<String> {
    vec![API.to_owned()]
}

#[test]
fn a_token_of_every_algorithm_is_accepted_as_it_was_minted() {
    for key in KEYS.iter() {
        let minted = mint(key, &new_claims(&audience(), r#"{"id":7,"name":"Ada"}"#)).unwrap();
        let claims = check(&minted).unwrap();
        assert_eq!((claims.issuer(), claims.subject()), (ISSUER, "7"));
        assert_eq!(claims.id().map(str::len), Some(22));
        assert_eq!(claims.audience(), [API]);
        assert_eq!(claims.expires_at(), SystemTime::from(now().after(Duration::from_secs(600))));
        assert_eq!(claims.issued_at(), Some(now().into()));
        assert!(claims.has_scope("write"));
        assert_eq!(claims.get::<Value>("user"), Some(json!({"id": 7, "name": "Ada"})));
        let (signed, signature) = minted.rsplit_once('.').unwrap();
        for changed in [signature.replacen(&signature[..1], "_", 1), signature[4..].to_owned()] {
            if changed != signature {
                assert_eq!(check(&format!("{signed}.{changed}")).err(), Some(Flaw::Signature));
            }
        }
    }
}

#[test]
fn the_header_that_a_key_writes_is_one_that_the_strict_reader_accepts() {
    for key in KEYS.iter() {
        let json = secret::decode_all(key.header().as_bytes()).unwrap();
        let header = crate::jwt::header::Header::read(&json).unwrap();
        assert_eq!((&*header.kid, &*header.algorithm), (key.kid(), key.algorithm().name()));
        // The same header in another order goes through the reader, and to the same end.
        let other = format!(r#"{{"kid":"{0}","typ":"at+jwt","alg":"{0}"}}"#, key.algorithm());
        let token = forge(key.algorithm(), other.as_bytes(), payload().to_string().as_bytes());
        assert!(check(&token).is_ok());
    }
}

#[test]
fn two_tokens_of_one_moment_have_different_ids_of_128_bits() {
    let ids = [0, 1].map(|_| {
        let token = mint(key(Algorithm::HS256), &new_claims(&audience(), "1")).unwrap();
        check(&token).unwrap().id().unwrap().to_owned()
    });
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].len(), 22);
}

#[test]
fn one_audience_is_written_as_a_string_and_two_as_an_array() {
    let written = |audience: &[String]| {
        let token = mint(key(Algorithm::HS256), &new_claims(audience, "1")).unwrap();
        check(&token).unwrap().get::<Value>("aud").unwrap()
    };
    assert_eq!(written(&audience()), json!(API));
    assert_eq!(written(&[API.into(), "two\"".into()]), json!([API, "two\""]));
}

#[test]
fn what_we_would_not_read_again_is_not_minted() {
    let (one, signer) = (audience(), key(Algorithm::HS256));
    let fails = |claims: &NewClaims<'_>| mint(signer, claims).err();
    assert!(fails(&new_claims(&one, "{}")).is_none());
    for user in ["", "1,\"sub\":\"8\"", "{\"a\":1,\"a\":2}", "{} {}", "{"] {
        assert!(matches!(fails(&new_claims(&one, user)), Some(MintError::User)), "{user}");
    }
    let long = format!("\"{}\"", "x".repeat(7000));
    assert!(matches!(fails(&new_claims(&one, &long)), Some(MintError::TooLong)));
    assert!(matches!(fails(&new_claims(&[], "{}")), Some(MintError::Audience)));
    for subject in ["", &"x".repeat(256)] {
        let claims = NewClaims { subject, ..new_claims(&one, "{}") };
        assert!(matches!(fails(&claims), Some(MintError::Subject)));
    }
    let public = key(Algorithm::ES256).public_jwk().unwrap().to_string();
    let public = Key::from_jwk(public.as_bytes(), None).unwrap();
    let refused = mint(&public, &new_claims(&one, "{}")).err();
    assert!(matches!(refused, Some(MintError::CannotSign)));
}

#[test]
fn a_text_with_quotes_and_escapes_is_one_claim_and_reads_back_as_it_was() {
    let subject = "a\",\"admin\":true,\"x\":\"\u{1}\\é";
    let claims = NewClaims { subject, ..new_claims(&[], "null") };
    let one = audience();
    let token = mint(key(Algorithm::HS256), &NewClaims { audience: &one, ..claims }).unwrap();
    let read = check(&token).unwrap();
    assert_eq!(read.subject(), subject);
    assert_eq!(read.get::<bool>("admin"), None);
}

/// Checklist row 63.
#[test]
fn the_debug_of_nothing_here_prints_a_token_a_claim_or_a_key() {
    let one = audience();
    let claims = new_claims(&one, "\"secret\"");
    let minted = mint(key(Algorithm::HS256), &claims).unwrap();
    assert_eq!(format!("{claims:?}"), "NewClaims(..)");
    assert_eq!(format!("{:?}", check(&minted).unwrap()), "Claims(..)");
    assert_eq!(format!("{:?}", key(Algorithm::ES256)), "Key(ES256 ES256, ..)");
    let set = format!("{:?}", *KEYS);
    assert!(set.starts_with("[Key(ES256 ES256, ..), ") && set.len() < 400, "{set}");
}

/// For ignite: a build whose library does not work does not launch.
#[test]
fn every_key_passes_its_own_test_public_ones_too() {
    for key in KEYS.iter() {
        key.self_test().unwrap();
        if let Some(public) = key.public_jwk() {
            let public = Key::from_jwk(public.to_string().as_bytes(), None).unwrap();
            assert!(!public.can_sign());
            public.self_test().unwrap();
        }
    }
    Key::ephemeral("debug").unwrap().self_test().unwrap();
}

#[test]
fn a_key_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Key>();
    shared::<KeySet>();
    shared::<Claims>();
}
