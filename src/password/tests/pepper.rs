//! src/password/tests/pepper.rs: a secret beside the hash, and its rotation.

use serde_json::{Value, json};

use super::*;
use crate::config::password::Pepper;
use crate::password::Unusable;

const OLD: &str = "b2xkLXBlcHBlci1vZi0zMi1ieXRlcy0wMDAwMDAwMDA";

fn peppered(settings: Hashing, pepper: Value) -> Passwords {
    let pepper: Option<Pepper> = serde_json::from_value(pepper).unwrap();
    Passwords::new(&Hashing { pepper, ..settings }, Hooks::new())
}

/// Checklist row 86.
#[tokio::test]
async fn a_pepper_is_the_secret_of_argon2_and_its_version_stands_before_the_hash() {
    let settings = Hashing { at_once: Some(1), ..Hashing::default() };
    let keys = json!({ "current": "a", "keys": { "a": theirs::PEPPER } });
    let passwords = peppered(settings, keys);
    let stored = format!("$pepper$a{}", theirs::PEPPERED);
    let verdict = passwords.verify("correct horse", &stored).await.unwrap();
    assert!(verdict.is_right() && verdict.new_hash().is_none());
    // Its version is not to be left out: then it is another hash.
    let verdict = passwords.verify("correct horse", theirs::PEPPERED).await.unwrap();
    assert!(!verdict.is_right() && verdict.unusable().is_none());
}

/// Checklist row 86: rotation is one login.
#[tokio::test]
async fn a_hash_without_a_pepper_or_under_an_old_one_is_checked_and_brings_one_under_the_new() {
    let none = passwords();
    let one = peppered(cheap(), json!({ "current": "1", "keys": { "1": OLD } }));
    let keys = json!({ "1": OLD, "2": theirs::PEPPER });
    let two = peppered(cheap(), json!({ "current": "2", "keys": keys }));
    for old in [none.hash("x").await.unwrap(), one.hash("x").await.unwrap()] {
        let verdict = two.verify("x", &old).await.unwrap();
        let new = verdict.new_hash().expect("a new hash").to_owned();
        assert!(new.starts_with("$pepper$2$argon2id$v=19$m=32,t=1,p=1$"), "{new}");
        let verdict = two.verify("x", &new).await.unwrap();
        assert!(verdict.is_right() && verdict.new_hash().is_none());
        assert!(!two.verify("y", &old).await.unwrap().is_right());
        // Those that lack the version cannot say whether it is right.
        for lacking in [&none, &one] {
            let verdict = lacking.verify("x", &new).await.unwrap();
            assert!(!verdict.is_right());
            assert_eq!(verdict.unusable(), Some(Unusable::UnknownPepper));
        }
    }
}

#[tokio::test]
async fn another_secret_under_the_same_version_opens_nothing() {
    let one = peppered(cheap(), json!({ "current": "1", "keys": { "1": OLD } }));
    let other = peppered(cheap(), json!({ "current": "1", "keys": { "1": theirs::PEPPER } }));
    let stored = one.hash("x").await.unwrap();
    let verdict = other.verify("x", &stored).await.unwrap();
    assert!(!verdict.is_right() && verdict.unusable().is_none());
}
