//! src/jwt/tests/mutation.rs: a million tokens that nobody signed.

use std::time::SystemTime;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Members that headers are made of, right and wrong.
const MEMBERS: &[&str] = &[
    r#""alg":"HS256""#,
    r#""alg":"none""#,
    r#""alg":null"#,
    r#""typ":"at+jwt""#,
    r#""typ":"JWT""#,
    r#""kid":"HS256""#,
    r#""kid":"ES256""#,
    r#""kid":"\u0000""#,
    r#""crit":[]"#,
    r#""x":{"x":[1.5e300,-0,"\ud83d\ude00"]}"#,
];

#[test]
fn a_million_mutated_tokens_are_refused_and_none_panics() {
    let cases = 4_000;
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let (policy, tried) = (policy(), std::cell::Cell::new(0u32));
    let good = sign(&header(), &payload().to_string());
    let other = forge(Algorithm::HS256, header().as_bytes(), b"{\"sub\":\"8\"}");
    let parts: Vec<_> = good.split('.').collect();
    let other_parts: Vec<_> = other.split('.').collect();
    assert!(check(&good).is_ok());
    let case = (prop::collection::vec(any::<u8>(), 16), prop::collection::vec(0..MEMBERS.len(), 4));
    let attempt = |token: &[u8]| {
        if token != good.as_bytes() {
            tried.set(tried.get() + 1);
            let token = &*String::from_utf8_lossy(token);
            prop_assert!(verify(token, &KEYS, &policy, now()).is_err(), "{:?}", token);
        }
        Ok(())
    };
    runner
        .run(&case, |(bytes, members)| {
            for (n, byte) in bytes.iter().enumerate() {
                for (m, twist) in bytes.iter().enumerate() {
                    let place = (usize::from(*byte) * 16 + usize::from(*twist) + m) % good.len();
                    let mut token = good.clone().into_bytes();
                    match n % 5 {
                        0 => token[place] ^= 1 << (m % 8),
                        1 => token.truncate(place),
                        2 => token[place] = *twist,
                        3 => token.insert(place, *twist),
                        _ => drop(token.drain(place..(place + m + 1).min(good.len()))),
                    }
                    attempt(&token)?;
                }
            }
            // A header of members that a token may have, over our claims and our signature.
            let json = members.iter().map(|n| MEMBERS[*n]).collect::<Vec<_>>().join(",");
            let json = format!("{{{json}}}");
            if json != header() {
                let head = secret::encode(json.as_bytes());
                attempt(format!("{head}.{}.{}", parts[1], parts[2]).as_bytes())?;
                attempt(format!("{head}.{}.", parts[1]).as_bytes())?;
            }
            // Parts of two tokens that we signed, in other orders.
            let (a, b, c) = (bytes[0] % 6, bytes[1] % 6, bytes[2] % 6);
            let all = [&parts[..], &other_parts[..]].concat();
            let spliced = [a, b, c].map(|n| all[usize::from(n)]).join(".");
            // The headers are one and the same.
            if ![&good, &other].contains(&&spliced) {
                attempt(spliced.as_bytes())?;
            }
            // Bytes that are nothing, in the place of one part.
            let noise = secret::encode(&bytes);
            for place in 0..3 {
                let mut parts = parts.clone();
                parts[place] = &noise;
                attempt(parts.join(".").as_bytes())?;
            }
            attempt(&bytes)
        })
        .unwrap();
    assert!(tried.get() > 1_000_000, "only {} tokens were tried", tried.get());
}

/// A million of them would take an hour here: each bit of one token instead.
#[test]
fn a_token_of_a_key_pair_with_any_bit_turned_is_refused() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::RS256] {
        let good = mint(key(algorithm), &new_claims(&[API.to_owned()], r#"{"id":7}"#)).unwrap();
        assert!(check(&good).is_ok());
        for bit in 0..good.len() * 8 {
            let mut token = good.as_bytes().to_vec();
            token[bit / 8] ^= 1 << (bit % 8);
            let token = String::from_utf8_lossy(&token);
            assert!(check(&token).is_err(), "{algorithm:?}: bit {bit} of {}", *good);
        }
    }
}

#[test]
fn a_signed_token_of_any_json_is_refused_or_says_what_the_policy_asks() {
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("\"7\"".to_owned()),
        Just(format!("\"{API}\"")),
        Just(format!("\"{ISSUER}\"")),
        (0..NOW * 2).prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        "[ -~]{0,8}",
    ];
    let names = ["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "scope"];
    let mut runner = TestRunner::new(config);
    runner
        .run(&(0..names.len(), value), |(name, value)| {
            let mut claims = payload();
            claims.as_object_mut().unwrap().remove(names[name]);
            let text = claims.to_string();
            let text = text.replacen('{', &format!("{{\"{}\":{value},", names[name]), 1);
            if let Ok(claims) = check(&sign(&header(), &text)) {
                prop_assert_eq!(claims.issuer(), ISSUER);
                prop_assert!(!claims.subject().is_empty());
                prop_assert!(claims.expires_at() > SystemTime::from(now()));
                prop_assert!(claims.audience().iter().any(|name| name == API || name == "other"));
            }
            Ok(())
        })
        .unwrap();
}
