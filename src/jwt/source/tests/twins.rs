//! src/jwt/source/tests/twins.rs: one key under two names.

use serde_json::Value;

use super::*;

/// The same key under another name, and with other members besides.
fn named(key: &str, kid: &str, members: &[(&str, Value)]) -> String {
    let mut key: Value = serde_json::from_str(key).unwrap();
    key["kid"] = kid.into();
    for (name, value) in members {
        key[*name] = value.clone();
    }
    key.to_string()
}

/// One modulus by two algorithms, one secret by two, and so on: each pair is one key.
fn twins() -> Vec<(&'static str, String, String)> {
    let (okp, oct) = (private("a", None), secret_key("a"));
    let (_, long) = Key::generate("a", Algorithm::HS512, None).unwrap();
    let (half, ec) = Key::generate("a", Algorithm::ES256, None).unwrap();
    let half = half.public_jwk().unwrap().to_string();
    let rsa = include_str!("../../../../tests/keys/rsa.jwk");
    let (rs, ps) = ([("alg", "RS256".into())], [("alg", "PS256".into())]);
    let nine = [("nbf", 9.into())];
    vec![
        ("okp", okp.clone(), named(&okp, "b", &nine)),
        ("oct", oct.clone(), named(&oct, "b", &nine)),
        ("oct alg", long.to_string(), named(&long, "b", &[("alg", "HS256".into())])),
        ("public half", ec.to_string(), named(&half, "b", &[])),
        ("rsa alg", named(rsa, "a", &rs), named(rsa, "b", &ps)),
    ]
}

/// Checklist row 57 (RFC 8725 section 3.1: one key, one algorithm).
#[tokio::test]
async fn one_key_under_two_names_refuses_the_launch_and_both_files_are_named() {
    for (kind, a, b) in twins() {
        let folder = Folder::new();
        folder.write("a.jwk", &a);
        folder.write("c.jwk", private("c", None));
        assert!(folder.open(1000).await.is_ok(), "{kind}");
        folder.write("b.jwk", &b);
        let findings = folder.open(1000).await.unwrap_err();
        let refusals: Vec<_> = findings.iter().filter(|f| f.code == "RI028").collect();
        assert_eq!(refusals.len(), 1, "{kind}: {findings:?}");
        let [one, other] = ["a.jwk", "b.jwk"].map(|name| folder.path(name).display().to_string());
        let start = format!("{one} and {other} hold one key under two names: none of them is used");
        let text = &refusals[0].text;
        assert!(text.starts_with(&start) && text.contains("remove one"), "{kind}: {text}");
        folder.remove("a.jwk");
        assert!(folder.open(1000).await.is_ok(), "{kind}");

        let open = async |keys: &[&str]| {
            let text = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
            Source::Inline(Zeroizing::new(text)).open(Clock::system()).await
        };
        let c = private("c", None);
        assert!(open(&[&a, &c]).await.is_ok(), "{kind}");
        let findings = open(&[&a, &c, &b]).await.unwrap_err();
        let text = &findings.iter().find(|f| f.code == "RI028").unwrap().text;
        assert!(text.contains("one key under two names, a and b"), "{kind}: {text}");
    }
}

#[tokio::test]
async fn a_pem_and_a_jwk_of_one_key_are_twins() {
    let folder = Folder::new();
    folder.write("a.pem", PEM);
    folder.write("c.jwk", private("c", None));
    let look = files::look(&folder.0).unwrap();
    let public = look.files[0].key().unwrap().public_jwk().unwrap().to_string();
    assert!(folder.open(1000).await.is_ok());
    folder.write("b.jwk", named(&public, "b", &[]));
    assert_eq!(codes(&folder.open(1000).await.unwrap_err()), ["RI028!"]);
}

#[tokio::test]
async fn of_one_key_under_two_names_the_one_that_was_there_stays() {
    for (kind, a, b) in twins() {
        let folder = Folder::new();
        folder.write("z.jwk", private("z", Some(1)));
        folder.write("b.jwk", &b);
        let mut run = folder.run();
        folder.write("a.jwk", &a);
        let lines = run.settle().await;
        assert!(lines.len() == 1 && lines[0].starts_with("RI028 "), "{kind}: {lines:?}");
        assert!(lines[0].contains("b.jwk was there before and stays"), "{lines:?}");
        assert_eq!(run.kids(), ["b", "z"], "{kind}");
        // The file of the one that stays says something else, and the key is the same.
        folder.write("b.jwk", format!(" {b}"));
        run.settle().await;
        assert_eq!(run.kids(), ["b", "z"], "{kind}");
        folder.remove("b.jwk");
        run.settle().await;
        assert_eq!(run.kids(), ["a", "z"], "{kind}");
    }
    let folder = Folder::new();
    folder.write("z.jwk", private("z", Some(1)));
    let mut run = folder.run();
    let key = private("a", Some(7));
    folder.write("a.jwk", &key);
    folder.write("b.jwk", named(&key, "b", &[]));
    let lines = run.settle().await;
    assert!(lines.len() == 1 && lines[0].contains("none of them is used"), "{lines:?}");
    assert_eq!(run.kids(), ["z"], "both are new: chance must not decide");
}
