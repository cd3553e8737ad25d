//! src/jwt/source/tests/launch.rs: what a launch takes, reports and refuses.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

#[tokio::test]
async fn jwk_and_pem_files_are_keys_and_dot_files_and_directories_are_not_looked_at() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", Some(5)));
    folder.write("b.c.jwk", public("b.c"));
    // A PEM (RFC 8410 section 10.3): a private Ed25519 key.
    let pem = "-----BEGIN PRIVATE KEY-----\n\
               MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
               -----END PRIVATE KEY-----\n";
    folder.write("d.pem", pem);
    folder.write(".e.jwk", "half");
    fs::create_dir(folder.path("f.jwk")).unwrap();
    let opened = folder.open(1000).await.unwrap();
    assert_eq!(kids(&opened.keys), ["a", "b.c", "d"]);
    assert!(opened.findings.is_empty(), "{:?}", opened.findings);
    let set = opened.keys.current();
    assert_eq!(set.signer(Time::from_millis(1_000_000)).unwrap().kid(), "a");
    assert_eq!(set.iter().last().unwrap().not_before(), None, "at launch it counts as 0");
    assert!(opened.watch.is_some());
}

#[tokio::test]
async fn any_other_file_is_ignored_with_one_warning_that_names_it() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    folder.write("notes\n.txt", "");
    folder.write("b.JWK", private("b", None));
    let _socket = UnixListener::bind(folder.path("c.jwk")).unwrap();
    let opened = folder.open(1000).await.unwrap();
    assert_eq!(kids(&opened.keys), ["a"]);
    assert_eq!(codes(&opened.findings), ["RI029", "RI029", "RI029"]);
    for (finding, name) in opened.findings.iter().zip(["b.JWK", "c.jwk", "notes\u{fffd}.txt"]) {
        assert!(finding.text.contains(&format!("/{name} is ignored")), "{finding}");
    }
}

#[tokio::test]
async fn links_are_followed_and_one_that_leads_nowhere_is_skipped() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    elsewhere.write("key", private("a", None));
    symlink(elsewhere.path("key"), folder.path("a.jwk")).unwrap();
    symlink(elsewhere.path("gone"), folder.path("b.jwk")).unwrap();
    let opened = folder.open(1000).await.unwrap();
    assert_eq!(kids(&opened.keys), ["a"]);
    assert_eq!(codes(&opened.findings), ["RI029"]);
    assert!(opened.findings[0].text.contains("b.jwk is skipped: it cannot be read"));
    elsewhere.chmod("key", 0o644);
    assert_eq!(codes(&folder.findings().await), ["RI029", "RI031"]);
}

/// Checklist row 53.
#[tokio::test]
async fn a_weak_key_refuses_the_launch_beside_a_good_one() {
    let folder = Folder::new();
    folder.write("good.jwk", private("good", None));
    assert!(folder.open(1000).await.is_ok());
    folder.write("short.jwk", WEAK);
    let findings = folder.open(1000).await.unwrap_err();
    assert_eq!(codes(&findings), ["RI028!"]);
    let text = &findings[0].text;
    assert!(text.contains("/short.jwk is not used: the secret is 5 bytes long"), "{text}");
    assert!(text.contains("make a new one"), "{text}");
}

/// Checklist row 57.
#[tokio::test]
async fn two_files_of_one_kid_refuse_the_launch() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    folder.write("a.pem", PEM);
    folder.write("a-b.jwk", private("a-b", None));
    let findings = folder.open(1000).await.unwrap_err();
    assert_eq!(codes(&findings), ["RI028!"]);
    let text = &findings[0].text;
    assert!(text.contains("a.jwk and ") && text.contains("a.pem have one name, a"), "{text}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_as_a_key_is_skipped_and_reported() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    folder.write("b.jwk", "{");
    folder.write("c.pem", "no key");
    folder.write("d.jwk", private("other", None));
    folder.write("e.jwk", vec![b' '; MAX_FILE_AND_MORE]);
    let opened = folder.open(1000).await.unwrap();
    assert_eq!(kids(&opened.keys), ["a"]);
    assert_eq!(codes(&opened.findings), ["RI029"; 4]);
    assert!(opened.findings[3].text.contains("e.jwk is skipped: longer than 16384 bytes"));
}

const MAX_FILE_AND_MORE: usize = crate::jwt::key::MAX_FILE + 100;

#[tokio::test]
async fn without_a_usable_key_the_launch_is_refused_with_the_command_that_makes_one() {
    let folder = Folder::new();
    let make = format!("identity-keys generate --dir {}", folder.0.display());
    let findings = folder.open(1000).await.unwrap_err();
    assert_eq!(codes(&findings), ["RI030!"]);
    assert!(findings[0].text.contains(&make), "{}", findings[0]);
    folder.write("a.jwk", "{");
    assert_eq!(codes(&folder.findings().await), ["RI029", "RI030!"]);
    let ended = private("a", None).replacen('{', r#"{"exp":1000,"#, 1);
    folder.write("a.jwk", &ended);
    assert_eq!(codes(&folder.findings().await), ["RI030!"]);
    assert!(folder.open(999).await.is_ok());

    let gone = folder.path("gone");
    let clock = Clock::system();
    let findings = Source::Directory(gone.clone()).open(clock.clone()).await.unwrap_err();
    assert_eq!(codes(&findings), ["RI030!"]);
    assert!(findings[0].text.contains(&format!("{} cannot be read", gone.display())));
    let file = folder.path("a.jwk");
    assert_eq!(codes(&Source::Directory(file).open(clock).await.unwrap_err()), ["RI030!"]);
}

#[tokio::test]
async fn a_private_key_that_others_can_read_is_warned_of_with_the_chmod_to_run() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    folder.write("b.jwk", secret_key("b"));
    folder.write("c.jwk", public("c"));
    for (mode, expected) in [(0o600, 0), (0o640, 0), (0o644, 2), (0o604, 2)] {
        ["a.jwk", "b.jwk", "c.jwk"].iter().for_each(|name| folder.chmod(name, mode));
        let findings = folder.findings().await;
        assert_eq!(codes(&findings), vec!["RI031"; expected], "{mode:o}");
        let name = |name| format!("chmod o-rwx {}", folder.path(name).display());
        let named = ["a.jwk", "b.jwk"].map(name);
        assert!(findings.iter().zip(named).all(|(finding, fix)| finding.text.contains(&fix)));
    }
}

#[tokio::test]
async fn files_and_a_directory_that_others_can_write_are_warned_of_with_the_chmod_to_run() {
    let (folder, mut spaced) = (Folder::new(), Folder::new());
    folder.write("a.jwk", private("a", None));
    folder.write("b.jwk", public("b"));
    for (mode, who) in [(0o620, "of its group"), (0o602, "of this machine")] {
        for name in ["a.jwk", "b.jwk"] {
            folder.chmod(name, mode);
            let findings = folder.findings().await;
            assert_eq!(codes(&findings), ["RI031"], "{name} {mode:o}: a public key verifies too");
            let fix = format!("run `chmod go-w {}`", folder.path(name).display());
            assert!(findings[0].text.ends_with(&fix), "{}", findings[0]);
            assert!(findings[0].text.contains(who), "{}", findings[0]);
            folder.chmod(name, 0o600);
        }
        folder.chmod("", mode | 0o100);
        let findings = folder.findings().await;
        assert_eq!(codes(&findings), ["RI031"], "{mode:o}");
        assert!(findings[0].text.contains("can make files in"), "{}", findings[0]);
        folder.chmod("", 0o755);
        assert!(folder.findings().await.is_empty());
    }
    // A volume of Kubernetes, which is read-only whatever its mode says.
    folder.chmod("", 0o1777);
    assert_eq!(codes(&folder.findings().await), ["RI031"]);
    symlink("..1", folder.path("..data")).unwrap();
    assert!(folder.findings().await.is_empty());

    let name = spaced.0.with_extension("it's here");
    fs::rename(&spaced.0, &name).unwrap();
    spaced.0 = name;
    spaced.write("a.jwk", private("a", None));
    spaced.chmod("", 0o777);
    let place = spaced.0.display().to_string().replace('\'', r"'\''");
    let text = &spaced.findings().await[0].text;
    assert!(text.ends_with(&format!("run `chmod go-w '{place}'`")), "{text}");
}

#[tokio::test]
async fn a_set_in_which_no_key_signs_launches_with_a_warning_that_logins_fail() {
    let folder = Folder::new();
    folder.write("a.jwk", public("a"));
    let warning = async || {
        let opened = folder.open(1000).await.unwrap();
        assert_eq!(codes(&opened.findings), ["RI030"]);
        opened.findings[0].text.clone()
    };
    let text = warning().await;
    assert!(text.contains("signs: logins fail until there is a private key"), "{text}");
    folder.write("b.jwk", private("b", Some(1060)));
    let text = warning().await;
    assert!(text.contains("logins fail until 1970-01-01T00:17:40Z, when b begins"), "{text}");
    assert!(text.contains(&format!("generate --dir {} --nbf now", folder.0.display())), "{text}");
    folder.write("c.jwk", private("c", Some(1000)));
    assert!(folder.findings().await.is_empty());
    let inline = format!(r#"{{"keys":[{}]}}"#, public("a"));
    let opened = Source::Inline(Zeroizing::new(inline)).open(Clock::system()).await.unwrap();
    assert_eq!(codes(&opened.findings), ["RI030"]);
}

/// Checklist row 54.
#[tokio::test]
async fn rsa_under_3072_bits_is_warned_of() {
    let folder = Folder::new();
    let rsa = |bytes| format!(r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#, secret::encode(bytes));
    folder.write("signer.jwk", private("signer", None));
    folder.write("a.jwk", rsa(&[0xff; 384]));
    assert!(folder.findings().await.is_empty());
    folder.write("b.jwk", rsa(&[0xff; 256]));
    assert_eq!(codes(&folder.findings().await), ["RI034"]);
    folder.write("c.jwk", rsa(&[0xff; 128]));
    assert_eq!(codes(&folder.findings().await), ["RI028!", "RI034"]);
}

#[tokio::test]
async fn a_directory_of_more_than_a_thousand_files_is_not_a_key_directory() {
    let folder = Folder::new();
    folder.write("a.jwk", private("a", None));
    (1..1000).for_each(|n| folder.write(&format!("{n}.txt"), ""));
    (0..100).for_each(|n| folder.write(&format!(".{n}.txt"), ""));
    assert!(folder.open(1000).await.is_ok());
    folder.write("1000.txt", "");
    let findings = folder.open(1000).await.unwrap_err();
    assert!(findings[0].text.contains("more than 1000 files"), "{}", findings[0]);
}

#[tokio::test]
async fn an_inline_set_is_held_to_the_same_rules_and_names_the_place() {
    let clock = Clock::stopped_at(Time::from_millis(1_000_000));
    let open = async |keys: &[&str]| {
        let text = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        Source::Inline(Zeroizing::new(text)).open(clock.clone()).await
    };
    let (a, b) = (private("a", None), secret_key("b"));
    let opened = open(&[&a, &b]).await.unwrap();
    assert!(opened.findings.is_empty() && opened.watch.is_none());
    assert_eq!(kids(&opened.keys), ["a", "b"]);
    let opened = open(&[&a, &b, "null"]).await.unwrap();
    assert_eq!(codes(&opened.findings), ["RI029"]);
    assert!(opened.findings[0].text.starts_with("identity.jwt.jwks keys[2] is skipped: "));
    let weak = WEAK.replacen('{', r#"{"kid":"w","#, 1);
    let findings = open(&[&weak, &a]).await.unwrap_err();
    assert_eq!(codes(&findings), ["RI028!"]);
    assert!(findings[0].text.starts_with("identity.jwt.jwks keys[0] is not used: "));
    assert_eq!(codes(&open(&[&a, &a]).await.unwrap_err()), ["RI028!"]);
    assert_eq!(codes(&open(&[]).await.unwrap_err()), ["RI030!"]);
    let whole = Source::Inline(Zeroizing::new("[]".to_owned())).open(clock.clone()).await;
    assert_eq!(codes(&whole.unwrap_err()), ["RI030!"]);
}

/// Checklist row 63.
#[tokio::test]
async fn neither_findings_nor_debug_hold_key_material() {
    let folder = Folder::new();
    let (key, secret) = (private("a", None), secret_key("b"));
    let material = |jwk: &str, member: &str| {
        let jwk: serde_json::Value = serde_json::from_str(jwk).unwrap();
        jwk[member].as_str().unwrap().to_owned()
    };
    let hidden = [material(&key, "d"), material(&secret, "k"), "c2hvcnQ".to_owned()];
    folder.write("a.jwk", &key);
    folder.write("b.jwk", &secret);
    folder.write("other.jwk", &key);
    folder.write("torn.jwk", &key[..key.len() - 1]);
    folder.write("broken.jwk", key.replace("OKP", "RSA"));
    folder.write("weak.jwk", WEAK);
    ["a.jwk", "b.jwk"].iter().for_each(|name| folder.chmod(name, 0o644));
    let findings = folder.open(1000).await.unwrap_err();
    assert_eq!(findings.len(), 6, "{findings:?}");
    folder.remove("weak.jwk");
    let opened = folder.open(1000).await.unwrap();
    let inline = Source::Inline(Zeroizing::new(key.clone()));
    let printed = format!("{findings:?} {opened:?} {:?} {inline:?}", opened.keys.current());
    assert!(hidden.iter().all(|secret| !printed.contains(&**secret)), "{printed}");
}

#[tokio::test]
async fn an_ephemeral_key_signs_and_has_a_name_of_its_own() {
    let (one, other) = (ephemeral().unwrap(), ephemeral().unwrap());
    let kid = |opened: &Opened| {
        opened.keys.current().signer(Clock::system().now()).unwrap().kid().to_owned()
    };
    assert!(kid(&one).starts_with("ephemeral-"));
    assert_ne!(kid(&one), kid(&other));
}
