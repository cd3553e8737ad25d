//! src/jwt/source/tests/signers.rs: who signs after a change, and from when.

use serde_json::Value;

use super::*;

fn with(key: &str, name: &str, value: Value) -> String {
    let mut key: Value = serde_json::from_str(key).unwrap();
    key[name] = value;
    key.to_string()
}

#[tokio::test]
async fn a_key_without_nbf_whose_file_was_edited_is_the_same_key_and_goes_on_signing() {
    for edited in [
        |key: &str| format!(" {key}\n"),
        |key: &str| with(key, "exp", 9_000_000.into()),
        |key: &str| with(key, "key_ops", serde_json::json!(["sign", "verify"])),
    ] {
        let (folder, key) = (Folder::new(), private("a", None));
        folder.write("a.jwk", &key);
        let mut run = folder.run();
        folder.write("b.jwk", private("b", None));
        run.settle().await;
        run.clock.advance(Duration::from_secs(30));
        folder.write("a.jwk", edited(&key));
        let lines = run.settle().await;
        assert!(lines.len() == 1 && lines[0].contains("changed: changed a;"), "{lines:?}");
        assert_eq!((run.signer(), run.not_before("a")), (Some("a".into()), None));
        assert_eq!(run.not_before("b"), Some(1060), "and this one is still waited for");
        let expires = run.keys.current().iter().next().unwrap().expires();
        assert_eq!(expires.is_some(), edited("{}").contains("exp"), "what was changed counts");
    }
}

#[tokio::test]
async fn a_key_without_nbf_whose_file_gets_another_name_for_the_same_kid_is_the_same_key() {
    let folder = Folder::new();
    folder.write("a.pem", include_str!("../../../../tests/keys/ed25519.pem"));
    let mut run = folder.run();
    let look = files::look(&folder.0).unwrap();
    let public = look.files[0].key().unwrap().public_jwk().unwrap();
    folder.remove("a.pem");
    folder.write("a.jwk", public.to_string());
    run.settle().await;
    assert_eq!(run.not_before("a"), None);
    folder.remove("a.jwk");
    folder.write("a.pem", include_str!("../../../../tests/keys/ed25519.pem"));
    run.settle().await;
    assert_eq!((run.signer(), run.not_before("a")), (Some("a".into()), None));
}

#[tokio::test]
async fn where_no_other_key_signs_a_new_one_without_nbf_signs_at_once() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    let mut run = folder.run();
    folder.write("a.jwk", private("a", None));
    assert!(run.look().await.is_empty());
    run.look().await;
    assert_eq!((run.signer(), run.not_before("a")), (Some("a".into()), Some(1000)));
    // One that was waiting need not wait any longer either.
    folder.write("b.jwk", private("b", None));
    run.settle().await;
    run.clock.advance(Duration::from_secs(20));
    assert_eq!(run.signer().as_deref(), Some("a"));
    folder.remove("a.jwk");
    run.settle().await;
    assert_eq!((run.signer(), run.not_before("b")), (Some("b".into()), Some(1020)));
    assert!(run.settle().await.is_empty());
    assert_eq!(run.not_before("b"), Some(1020), "it keeps that moment");
    // A key with a beginning of its own is never brought forward.
    folder.remove("b.jwk");
    folder.write("c.jwk", private("c", Some(5000)));
    let lines = run.settle().await;
    assert_eq!(run.signer(), None);
    assert!(lines[0].starts_with("RI030 ") && lines[0].contains("when c begins"), "{lines:?}");
}
