//! src/password/tests/typed.rs: what may be a password, and that it is taken as it was typed.

use super::*;
use crate::password::MAX_BYTES;

/// Checklist row 75, ASVS 5.0 11.4.2.
#[tokio::test]
async fn a_new_hash_is_argon2id_with_the_parameters_of_the_settings_and_a_salt_of_its_own() {
    let passwords = production();
    let (one, two) = (passwords.hash("x").await.unwrap(), passwords.hash("x").await.unwrap());
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    assert_eq!(one.len(), "$argon2id$v=19$m=19456,t=2,p=1$".len() + 22 + 1 + 43);
    assert_ne!(one, two);
    let verdict = passwords.verify("x", &one).await.unwrap();
    assert!(verdict.is_right() && verdict.new_hash().is_none() && verdict.unusable().is_none());
}

#[tokio::test]
async fn a_hash_that_another_library_made_is_checked() {
    let passwords = production();
    let verdict = passwords.verify("pässword\0 with NUL", theirs::NUL).await.unwrap();
    assert!(verdict.is_right() && verdict.new_hash().is_none());
    assert!(!passwords.verify("pässword", theirs::NUL).await.unwrap().is_right());
    for stored in [theirs::MORE_ROUNDS, theirs::LANES] {
        let verdict = passwords.verify("correct horse", stored).await.unwrap();
        assert!(verdict.is_right(), "{stored}");
        assert!(!passwords.verify("correct horsf", stored).await.unwrap().is_right());
        let new = verdict.new_hash().unwrap();
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify("correct horse", new).await.unwrap().new_hash().is_none());
    }
}

/// Checklist rows 77 and 78, ASVS 5.0 6.2.8 and 6.2.9: no truncation, no normalising.
#[tokio::test]
async fn passwords_that_differ_anywhere_are_different() {
    let passwords = passwords();
    let long = "a".repeat(MAX_BYTES - 1);
    let alike = [
        "password",
        "Password",
        "password ",
        " password",
        "password\0",
        "password\0x",
        "p\u{e4}ssword",
        "pa\u{308}ssword",
        "\u{ff50}assword",
        "p",
        &format!("{long}x"),
        &format!("{long}y"),
        &long,
    ];
    for chosen in alike {
        let hash = passwords.hash(chosen).await.unwrap();
        for typed in alike {
            let right = passwords.verify(typed, &hash).await.unwrap().is_right();
            assert_eq!(right, typed == chosen, "{typed:?} for {chosen:?}");
        }
    }
}

/// Checklist row 77: one cap on every path.
#[tokio::test]
async fn nothing_and_more_than_1024_bytes_are_no_password() {
    let passwords = passwords();
    let over = "ä".repeat(MAX_BYTES / 2) + "a";
    let cut = &over[..MAX_BYTES];
    for (typed, code) in [("", "password_empty"), (&over, "password_too_long")] {
        let refused = passwords.hash(typed).await.unwrap_err();
        assert!(refused.is_refused() && !refused.is_blocked() && refused.code() == code);
        assert!(passwords.runs().is_empty(), "no work is done for it");
    }
    let hash = passwords.hash(cut).await.unwrap();
    assert!(passwords.verify(cut, &hash).await.unwrap().is_right());
    assert!(!passwords.verify(&over, &hash).await.unwrap().is_right());
    assert!(!passwords.verify(&over.repeat(1_000), &hash).await.unwrap().is_right());
    // As somebody might have written into the table, who knows what is hashed for an empty one.
    let mut output = [0; 32];
    let workshop = passwords.desk.workshop();
    workshop.run(&TODAY, None, "", &[7; 16], &mut output).unwrap();
    let empty = crate::password::stored::write(None, &TODAY, &[7; 16], &output);
    for typed in ["", &over] {
        let verdict = passwords.verify(typed, &empty).await.unwrap();
        assert!(!verdict.is_right() && verdict.new_hash().is_none());
    }
}

#[tokio::test]
async fn no_debug_and_no_error_shows_a_password_or_a_hash() {
    let hooks = Hooks::new().blocklist(|_| panic!("s3cret"));
    let passwords = Passwords::new(&cheap(), hooks);
    let stored = super::passwords().hash("s3cret").await.unwrap();
    let weak = stored.replace("t=1", "t=2");
    let verdict = passwords.verify("s3cret", &stored).await.unwrap();
    let other = passwords.verify("s3cret", &weak).await.unwrap();
    let error = passwords.hash("s3cret").await.unwrap_err();
    let all = format!("{passwords:?} {verdict:?} {other:?} {error:?} {error}");
    assert!(!all.contains("s3cret") && !all.contains('$'), "{all}");
    assert_eq!(error.code(), "password_failed");
}
