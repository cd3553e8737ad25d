//! src/jwt/key/tests.rs: what is a key, what is none, and what is a weak one.

use serde_json::{Value, json};

use super::*;
use crate::jwt::tests::jwk as private;

mod pem;

fn parsed(algorithm: Algorithm) -> Value {
    serde_json::from_str(&private(algorithm)).unwrap()
}

fn public(algorithm: Algorithm) -> Value {
    Key::from_jwk(private(algorithm).as_bytes(), None).unwrap().public_jwk().unwrap()
}

fn read(jwk: &Value) -> Result<Key, KeyError> {
    Key::from_jwk(jwk.to_string().as_bytes(), None)
}

/// The key with one member set so, or left out; the untouched one is read.
fn with(jwk: &Value, name: &str, value: Option<Value>) -> Result<Key, KeyError> {
    read(jwk).expect("the untouched key is read");
    let mut jwk = jwk.clone();
    let members = jwk.as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name)),
    }
    read(&jwk)
}

pub fn is_unreadable(read: Result<Key, KeyError>) -> bool {
    matches!(read, Err(KeyError::Unreadable(_)))
}

pub fn is_weak(read: Result<Key, KeyError>) -> bool {
    matches!(read, Err(KeyError::Weak(_)))
}

fn bytes(jwk: &Value, name: &str) -> Vec<u8> {
    secret::decode_all(jwk[name].as_str().unwrap().as_bytes()).unwrap()
}

fn text(bytes: &[u8]) -> Option<Value> {
    Some(secret::encode(bytes).into())
}

#[test]
fn a_key_of_every_algorithm_signs_what_its_public_part_verifies() {
    for algorithm in Algorithm::ALL {
        let private = parsed(algorithm);
        let key = read(&private).unwrap();
        let signature = key.sign(b"message").unwrap();
        let verifier = key.public_jwk().unwrap_or(private);
        let verifier = read(&verifier).unwrap();
        assert_eq!((verifier.algorithm(), verifier.kid()), (algorithm, algorithm.name()));
        assert_eq!(verifier.can_sign(), key.is_symmetric());
        assert!(verifier.verify(b"message", &signature), "{algorithm}");
        assert!(!verifier.verify(b"massage", &signature), "{algorithm}");
    }
}

/// Making RSA keys takes seconds in debug; one is enough.
#[test]
fn a_made_key_reads_back_from_its_private_jwk_with_its_beginning() {
    for algorithm in [Algorithm::HS512, Algorithm::PS256, Algorithm::ES384, Algorithm::EdDSA] {
        let (key, jwk) = Key::generate("k-1", algorithm, Some(1_800_000_000)).unwrap();
        let again = Key::from_jwk(jwk.as_bytes(), Some("k-1")).unwrap();
        assert_eq!(again.not_before(), Some(1_800_000_000));
        assert_eq!(again.header(), key.header());
        assert!(again.verify(b"m", &key.sign(b"m").unwrap()));
        assert!(key.warnings().is_empty(), "{:?}", key.warnings());
    }
    assert!(is_unreadable(Key::generate("a/b", Algorithm::EdDSA, None).map(|(key, _)| key)));
}

/// Checklist row 53.
#[test]
fn a_secret_shorter_than_the_hash_is_weak() {
    for (algorithm, length) in
        [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        let jwk = parsed(algorithm);
        assert_eq!(bytes(&jwk, "k").len(), length);
        assert!(with(&jwk, "k", text(&vec![7; length])).is_ok());
        assert!(is_weak(with(&jwk, "k", text(&vec![7; length - 1]))), "{algorithm}");
        assert!(is_weak(with(&jwk, "k", Some("".into()))), "{algorithm}");
        assert!(is_weak(with(&jwk, "k", text(b"secret"))), "{algorithm}");
        assert!(is_unreadable(with(&jwk, "k", None)));
        assert!(is_unreadable(with(&jwk, "alg", None)), "a secret says what it is for");
    }
}

/// Checklist row 54.
#[test]
fn an_rsa_key_out_of_bounds_is_weak_or_none() {
    let jwk = public(Algorithm::RS256);
    let n = bytes(&jwk, "n");
    assert_eq!(read(&jwk).unwrap().warnings().len(), 1, "2048 bits are warned of");
    assert!(is_weak(with(&jwk, "n", text(&n[128..]))), "1024 bits");
    let bits_2047 = [&[0x7f], &n[1..]].concat();
    assert!(is_weak(with(&jwk, "n", text(&bits_2047))));
    let even = [&n[..n.len() - 1], &[0]].concat();
    assert!(is_weak(with(&jwk, "n", text(&even))));
    let large = [vec![0xff; 1025 - n.len()], n.clone()].concat();
    assert!(is_unreadable(with(&jwk, "n", text(&large))), "8200 bits");
    assert!(with(&jwk, "n", text(&large[1..])).is_ok(), "8192 bits");
    assert!(is_unreadable(with(&jwk, "n", text(&[&[0], &n[..]].concat()))));
    for e in [&[1][..], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2]] {
        assert!(is_weak(with(&jwk, "e", text(e))), "{e:?}");
    }
    for e in [&[][..], &[0, 1, 0, 1], &[2, 0, 0, 0, 1], &[1; 9]] {
        assert!(is_unreadable(with(&jwk, "e", text(e))), "{e:?}");
    }
    assert!(with(&jwk, "e", text(&[1, 0, 3])).is_ok());
}

/// Checklist row 55.
#[test]
fn an_ec_key_that_is_no_point_of_its_curve_at_full_length_is_none() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384] {
        let jwk = public(algorithm);
        let (x, y) = (bytes(&jwk, "x"), bytes(&jwk, "y"));
        let mut off = y.clone();
        off[5] ^= 1;
        assert!(is_unreadable(with(&jwk, "y", text(&off))));
        assert!(is_unreadable(with(&jwk, "y", text(&x))));
        assert!(is_unreadable(with(&jwk, "x", text(&x[1..]))));
        assert!(is_unreadable(with(&jwk, "x", text(&[&[0], &x[..]].concat()))));
        assert!(is_unreadable(with(&jwk, "x", text(&[]))));
        assert!(is_unreadable(with(&jwk, "y", None)));
        let zeros = vec![0; x.len()];
        assert!(is_unreadable(with(&jwk, "x", text(&zeros))));
        let other = if algorithm == Algorithm::ES256 { "P-384" } else { "P-256" };
        assert!(is_unreadable(with(&jwk, "crv", Some(other.into()))));
    }
}

/// Checklist row 55: under a point of small order one signature passes for every message.
#[test]
fn an_ed25519_point_of_small_order_is_weak_and_a_second_form_is_none() {
    let jwk = public(Algorithm::EdDSA);
    let eight = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for hex in eight {
        let mut point: Vec<u8> =
            (0..32).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
        assert!(is_weak(with(&jwk, "x", text(&point))), "{hex}");
        point[31] |= 0x80;
        assert!(is_weak(with(&jwk, "x", text(&point))), "{hex} with the sign");
    }
    let mut above = vec![0xff; 32];
    above[0] = 0xef;
    assert!(is_unreadable(with(&jwk, "x", text(&above))));
    let x = bytes(&jwk, "x");
    assert!(is_unreadable(with(&jwk, "x", text(&x[1..]))));
    assert!(is_unreadable(with(&jwk, "x", text(&[&x[..], &[0]].concat()))));
}

/// Checklist row 56.
#[test]
fn members_that_disagree_or_allow_no_signatures_make_no_key() {
    for algorithm in Algorithm::ALL {
        let jwk = parsed(algorithm);
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let read = with(&jwk, "alg", Some(other.name().into()));
            match algorithm.family() == other.family() && algorithm.family() != Family::Ec {
                // Another hash with the same key; a longer one may need a longer secret.
                true => assert!(!is_unreadable(read), "{algorithm} {other}"),
                false => assert!(is_unreadable(read), "{algorithm} {other}"),
            }
        }
        for alg in [json!("none"), json!("RSA-OAEP"), json!("ES512"), json!(5), json!(null)] {
            assert!(is_unreadable(with(&jwk, "alg", Some(alg.clone()))), "{algorithm} {alg}");
        }
        for value in [json!("enc"), json!("SIG"), json!(""), json!(1), json!(null), json!(["sig"])]
        {
            assert!(is_unreadable(with(&jwk, "use", Some(value.clone()))), "{algorithm} {value}");
        }
        for value in [
            json!("sign"),
            json!([]),
            json!(null),
            json!([1]),
            json!(["encrypt"]),
            json!(["sign", "encrypt"]),
            json!(["sign", "sign"]),
            json!(["sign", "verify", "sign"]),
        ] {
            let read = with(&jwk, "key_ops", Some(value.clone()));
            assert!(is_unreadable(read), "{algorithm} {value}");
        }
        for kty in [json!("AKP"), json!("rsa"), json!("OCT"), json!(1), json!(null)] {
            assert!(is_unreadable(with(&jwk, "kty", Some(kty.clone()))), "{algorithm} {kty}");
        }
        assert!(is_unreadable(with(&jwk, "kty", None)));
        assert!(with(&jwk, "use", None).is_ok());
        assert!(with(&jwk, "key_ops", Some(json!(["sign", "verify"]))).is_ok());
        assert!(with(&jwk, "unknown", Some(json!({"a": [1.5]}))).is_ok());
    }
}

/// Checklist row 56: RFC 7517 section 4.3.
#[test]
fn the_operations_of_a_key_are_those_of_its_part() {
    let (sign, verify) = (Some(json!(["sign"])), Some(json!(["verify"])));
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        assert!(with(&parsed(algorithm), "key_ops", sign.clone()).unwrap().can_sign());
        assert!(is_unreadable(with(&parsed(algorithm), "key_ops", verify.clone())));
        assert!(with(&public(algorithm), "key_ops", verify.clone()).is_ok());
        assert!(is_unreadable(with(&public(algorithm), "key_ops", sign.clone())));
    }
    let secret = parsed(Algorithm::HS256);
    assert!(with(&secret, "key_ops", sign).unwrap().can_sign());
    assert!(!with(&secret, "key_ops", verify).unwrap().can_sign());
}

/// `alg` may be left out where the rest of the key says it.
#[test]
fn an_algorithm_follows_from_type_and_curve_where_it_is_left_out() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        let read = with(&public(algorithm), "alg", None).unwrap();
        assert_eq!(read.algorithm(), algorithm);
    }
    // Checklist row 64.
    let named = with(&public(Algorithm::EdDSA), "alg", Some("Ed25519".into())).unwrap();
    assert_eq!(named.public_jwk().unwrap()["alg"], "EdDSA");
    for curve in ["Ed448", "X25519", "P-256", "ed25519"] {
        assert!(is_unreadable(with(&public(Algorithm::EdDSA), "crv", Some(curve.into()))));
    }
    for curve in ["P-521", "secp256k1", "Ed25519"] {
        assert!(is_unreadable(with(&public(Algorithm::ES256), "crv", Some(curve.into()))));
    }
}

#[test]
fn a_private_part_that_is_another_keys_makes_no_key() {
    for (algorithm, members) in [
        (Algorithm::ES256, &["d", "x"][..]),
        (Algorithm::ES384, &["d", "x"]),
        (Algorithm::EdDSA, &["d", "x"]),
    ] {
        let (jwk, other) = (parsed(algorithm), parsed(algorithm));
        for name in members {
            let read = with(&jwk, name, Some(other[name].clone()));
            assert!(is_unreadable(read), "{algorithm} {name}");
        }
        let short = bytes(&jwk, "d")[1..].to_vec();
        assert!(is_unreadable(with(&jwk, "d", text(&short))), "{algorithm}");
        assert!(is_unreadable(with(&jwk, "d", Some(json!(7)))), "{algorithm}");
    }
    let jwk = parsed(Algorithm::RS256);
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        assert!(is_unreadable(with(&jwk, name, None)), "{name} is left out");
        let mut changed = bytes(&jwk, name);
        *changed.last_mut().unwrap() ^= 2;
        assert!(is_unreadable(with(&jwk, name, text(&changed))), "{name} is changed");
    }
    assert!(is_unreadable(with(&jwk, "oth", Some(json!([])))));
    assert!(is_unreadable(with(&public(Algorithm::RS256), "p", Some(jwk["p"].clone()))));
}

/// Checklist row 42, for keys.
#[test]
fn a_jwk_with_two_members_of_one_name_or_another_spelling_of_its_bytes_is_none() {
    let good = private(Algorithm::HS256);
    let read = |text: &str| Key::from_jwk(text.as_bytes(), None);
    assert!(read(&good).is_ok());
    for member in [
        r#""alg":"HS256""#,
        r#""\u0061lg":"HS384""#,
        r#""x":1,"x":2"#,
        r#""x":{"y":[{"z":1,"z":2}]}"#,
    ] {
        assert!(is_unreadable(read(&good.replacen('{', &format!("{{{member},"), 1))), "{member}");
    }
    let jwk = parsed(Algorithm::HS256);
    let k = jwk["k"].as_str().unwrap();
    // 32 bytes are 43 characters, the last of which has two bits to spare.
    let (rest, last) = k.split_at(42);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let twin = &alphabet[alphabet.find(last).unwrap() + 1..][..1];
    for text in [format!("{rest}{twin}"), format!("{k}="), format!(" {k}"), format!("{k}\n")] {
        assert!(is_unreadable(with(&jwk, "k", Some(text.clone().into()))), "{text}");
    }
    for text in ["", "[]", "null", "7", "\"x\"", "{}", "{", "\u{feff}{}"] {
        assert!(is_unreadable(read(text)), "{text}");
    }
    let long = good.replacen('{', &format!("{{\"x\":\"{}\",", "y".repeat(MAX_FILE)), 1);
    assert!(is_unreadable(read(&long)));
}

/// Checklist row 37: a kid is a file's name and a header's member.
#[test]
fn a_kid_is_plain_text_and_the_same_in_file_and_member() {
    let jwk = parsed(Algorithm::HS256);
    for kid in ["k", "2026-11-24", "a_b~c.d", &"k".repeat(128)] {
        assert_eq!(with(&jwk, "kid", Some(kid.into())).unwrap().kid(), kid);
    }
    for kid in [
        json!(""),
        json!("k".repeat(129)),
        json!("a/b"),
        json!("../x"),
        json!(".hidden"),
        json!("a b"),
        json!("a\"b"),
        json!("a\n"),
        json!("é"),
        json!("a\u{0}"),
        json!("a+b="),
        json!(7),
        json!(null),
    ] {
        assert!(is_unreadable(with(&jwk, "kid", Some(kid.clone()))), "{kid}");
    }
    assert!(is_unreadable(with(&jwk, "kid", None)));
    let text = jwk.to_string();
    assert!(Key::from_jwk(text.as_bytes(), Some("HS256")).is_ok());
    assert!(is_unreadable(Key::from_jwk(text.as_bytes(), Some("other"))));
    let without = text.replace("\"kid\":\"HS256\"", "\"nbf\":5");
    assert_eq!(Key::from_jwk(without.as_bytes(), Some("file")).unwrap().kid(), "file");
}

#[test]
fn the_times_of_a_key_are_whole_seconds_in_their_order() {
    let jwk = parsed(Algorithm::HS256);
    let read = with(&jwk, "nbf", Some(json!(5))).unwrap();
    assert_eq!((read.not_before(), read.expires()), (Some(5), None));
    assert_eq!(with(&jwk, "exp", Some(json!(9))).unwrap().expires(), Some(9));
    assert_eq!(read.with_not_before(6).not_before(), Some(6));
    for name in ["nbf", "exp"] {
        for value in
            [json!("5"), json!(5.5), json!(5.0), json!(-5), json!(null), json!(253_402_300_800u64)]
        {
            assert!(is_unreadable(with(&jwk, name, Some(value.clone()))), "{name} {value}");
        }
    }
    let mut both = jwk;
    both["nbf"] = json!(5);
    assert!(is_unreadable(with(&both, "exp", Some(json!(5)))));
    assert!(with(&both, "exp", Some(json!(6))).is_ok());
}

/// Checklist rows 58 and 63.
#[test]
fn no_error_and_no_debug_of_a_key_shows_any_of_its_material() {
    for algorithm in Algorithm::ALL {
        let jwk = parsed(algorithm);
        let secrets: Vec<_> = ["d", "k", "p", "q", "dp", "dq", "qi"]
            .iter()
            .filter_map(|name| jwk[*name].as_str())
            .map(|value| value[..value.len().min(16)].to_owned())
            .collect();
        let mut texts = vec![format!("{:?}", read(&jwk).unwrap())];
        for name in ["kty", "alg", "use", "kid", "crv", "x", "y", "n", "e", "d", "k", "p", "qi"] {
            for value in [None, Some(jwk["d"].clone()), Some(jwk["k"].clone()), Some(json!(1))] {
                if let Err(error) = with(&jwk, name, value) {
                    texts.push(format!("{error} {error:?}"));
                }
            }
        }
        let node = Node::read(jwk.to_string().as_bytes()).unwrap();
        texts.push(format!("{node:?}"));
        assert!(texts.len() > 8, "{algorithm}");
        for text in texts {
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{algorithm}: {text}");
        }
    }
}
