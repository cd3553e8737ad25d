//! src/jwt/jwks.rs: a JSON Web Key Set (RFC 7517 section 5): read from settings, written for others.

use serde_json::json;

use super::key::{Key, KeyError, Node};
use super::keyset::KeySet;
use crate::clock::Time;

/// Bytes of a whole set.
const MAX_SET: usize = 256 * 1024;

/// The keys that could be read, and of each other its name (or place) and what is wrong with it. An
/// error is one of the whole document.
pub type Parsed = Result<(Vec<Key>, Vec<(String, KeyError)>), KeyError>;

/// Reads a set; one bad key costs itself and no other.
pub fn parse_jwks(json: &str) -> Parsed {
    let whole = |text: &str| Err(KeyError::Unreadable(text.to_owned()));
    if json.len() > MAX_SET {
        return whole("the key set is longer than 256 KiB; remove keys whose tokens are dead");
    }
    let set = Node::read(json.as_bytes())?;
    let Some(members) = set.object() else {
        return whole("the key set is no JSON object; write {\"keys\":[..]}");
    };
    if members.are_ambiguous() {
        return whole("a member of the key set comes twice; keep the right one");
    }
    let Some(list) = members.find("keys").and_then(Node::list) else {
        return whole("the key set has no list `keys`; write {\"keys\":[..]}");
    };
    let (mut keys, mut bad) = (Vec::new(), Vec::new());
    for (place, piece) in list.iter().enumerate() {
        match Key::from_jwk_node(piece, None) {
            Ok(key) => keys.push(key),
            Err(error) => bad.push((format!("keys[{place}]"), error)),
        }
    }
    Ok((keys, bad))
}

impl KeySet {
    /// The set that others verify with: public members only, upcoming keys included.
    pub fn published(&self, now: Time) -> String {
        let keys: Vec<_> = self.public(now).filter_map(|key| key.public_jwk()).collect();
        json!({ "keys": keys }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::jwt::algorithm::Algorithm;
    use crate::jwt::tests::jwk;

    fn good() -> Value {
        serde_json::from_str(&jwk(Algorithm::ES256)).unwrap()
    }

    fn with(name: &str, value: Value) -> Value {
        let mut key = good();
        key["kid"] = "bad".into();
        key[name] = value;
        key
    }

    /// Checklist row 60 (section 2.6): the good key is read whatever stands beside it.
    #[test]
    fn one_bad_key_costs_itself_and_never_the_set() {
        let mut without = good();
        without.as_object_mut().unwrap().remove("kty");
        for bad in [
            with("use", 1.into()),
            with("use", Value::Null),
            with("kid", 1.into()),
            with("key_ops", "verify".into()),
            with("alg", 5.into()),
            with("alg", "unknown".into()),
            with("kty", "AKP".into()),
            with("nbf", "1".into()),
            without,
            Value::Null,
            json!([]),
            json!("key"),
            json!(7.5),
            json!({}),
        ] {
            let set = json!({ "keys": [bad, good()] }).to_string();
            let (keys, reports) = parse_jwks(&set).unwrap();
            assert_eq!(keys.len(), 1, "{set}");
            assert_eq!(keys[0].kid(), "ES256");
            assert_eq!(reports.len(), 1, "{set}");
            assert_eq!(reports[0].0, "keys[0]");
        }
        // A member that is not for us, of whatever type, is passed over.
        for other in [with("x5c", "not a list".into()), with("ext", json!({"a": 1.5}))] {
            let (keys, bad) = parse_jwks(&json!({ "keys": [other, good()] }).to_string()).unwrap();
            assert_eq!((keys.len(), bad.len()), (2, 0));
        }
    }

    /// Checklist row 60.
    #[test]
    fn a_member_that_comes_twice_within_a_key_costs_that_key_alone() {
        let twice = good().to_string().replacen('{', "{\"use\":\"sig\",", 1);
        let (keys, bad) = parse_jwks(&format!("{{\"keys\":[{twice},{}]}}", good())).unwrap();
        assert_eq!((keys.len(), bad.len()), (1, 1));
        let text = bad[0].1.to_string();
        assert!(text.contains("comes twice"), "{text}");
    }

    #[test]
    fn a_document_that_is_no_set_is_an_error_of_the_whole() {
        assert!(parse_jwks(&json!({ "keys": [good()], "x": 1.5 }).to_string()).is_ok());
        assert!(parse_jwks("{\"keys\":[]}").unwrap().0.is_empty());
        let good = good();
        for text in [
            "",
            "[]",
            "null",
            "{}",
            "{\"keys\":{}}",
            "{\"keys\":null}",
            "{\"Keys\":[]}",
            &format!("{{\"keys\":[{good}],\"keys\":[]}}"),
            &format!("{{\"keys\":[{good}],\"key\\u0073\":[]}}"),
            &format!("{{\"keys\":[{good}]}} x"),
            &format!("{{\"keys\":[{good}]"),
            &good.to_string(),
            &format!("{{\"keys\":[\"{}\"]}}", "x".repeat(MAX_SET)),
        ] {
            assert!(parse_jwks(text).is_err(), "{text:.80}");
        }
    }

    /// Checklist rows 57 and 58.
    #[test]
    fn the_published_set_has_no_private_member_and_no_symmetric_key_and_no_dead_one() {
        let mut sets: Vec<Value> =
            Algorithm::ALL.iter().map(|a| serde_json::from_str(&jwk(*a)).unwrap()).collect();
        let (mut dead, mut upcoming) = (with("exp", 100.into()), with("nbf", 900.into()));
        dead["kid"] = "dead".into();
        upcoming["kid"] = "upcoming".into();
        sets.extend([dead, upcoming]);
        let (keys, bad) = parse_jwks(&json!({ "keys": sets }).to_string()).unwrap();
        assert!(bad.is_empty(), "{bad:?}");
        let text = KeySet::new(keys).unwrap().published(Time::from_millis(100_000));
        let published: Value = serde_json::from_str(&text).unwrap();
        let keys = published["keys"].as_array().unwrap();
        let names: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
        let rsa = ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
        assert_eq!(names, [&["ES256", "ES384", "EdDSA"][..], &rsa, &["upcoming"]].concat());
        for key in keys {
            for (name, _) in key.as_object().unwrap() {
                let public = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "nbf", "exp"];
                assert!(public.contains(&&**name), "{name}");
            }
            assert_eq!(key["use"], "sig");
        }
        assert_eq!(keys.last().unwrap()["nbf"], 900);
        // What is published is a set that verifies.
        let (others, bad) = parse_jwks(&text).unwrap();
        assert_eq!((others.len(), bad.len()), (10, 0));
        assert!(others.iter().all(|key| !key.can_sign()));
    }
}
