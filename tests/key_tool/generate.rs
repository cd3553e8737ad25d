//! tests/key_tool/generate.rs: keys that are made, and their files.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use super::*;

#[test]
fn a_key_is_a_file_that_its_owner_alone_can_read_and_no_other_file_is_left() {
    let folder = Folder::new();
    let made = folder.json("generate");
    let kid = made["kid"].as_str().unwrap();
    assert_eq!(made["file"], format!("keys/{kid}.jwk"));
    assert_eq!(folder.names(), [format!("{kid}.jwk")]);
    assert_eq!(folder.mode("keys"), 0o700);
    assert_eq!(folder.mode(&format!("keys/{kid}.jwk")), 0o600);
    let (day, tail) = kid.split_at(11);
    assert!(day.starts_with("20") && day.ends_with('-') && tail.len() == 4, "{kid}");
    assert!(made["nbf"].as_u64().unwrap().abs_diff(now()) < 60, "the first key signs now");
    assert_eq!((folder.state(kid), made["published"].clone()), ("signs".into(), true.into()));
    let second = folder.json("generate");
    assert!(second["nbf"].as_u64().unwrap().abs_diff(now() + 600) < 60, "others must read it");
}

#[test]
fn each_algorithm_makes_a_key_that_signs() {
    for name in ["HS256", "HS384", "HS512", "ES256", "ES384", "EdDSA", "Ed25519", "PS256"] {
        let folder = Folder::new();
        let made = folder.json(&format!("generate --kid a --alg {name}"));
        assert_eq!(folder.state("a"), "signs", "{name}");
        assert_eq!(made["published"], !name.starts_with("HS"), "{name}");
        let set = folder.json("jwks");
        assert_eq!(set["keys"].as_array().unwrap().len(), usize::from(!name.starts_with("HS")));
    }
}

#[test]
fn a_moment_is_now_or_seconds_or_a_time_in_utc() {
    let folder = Folder::new();
    for (number, (text, seconds)) in
        [("1700000000", 1_700_000_000), ("2026-11-24T08:00:00Z", 1_795_507_200), ("now", now())]
            .into_iter()
            .enumerate()
    {
        let made = folder.json(&format!("generate --kid k{number} --nbf {text}"));
        assert!(made["nbf"].as_u64().unwrap().abs_diff(seconds) < 60, "{text}: {made}");
    }
    for text in ["tomorrow", "-1", "2026-11-24", "253402300800", "1.5"] {
        assert_eq!(folder.run(&format!("generate --nbf={text}")).code, 2, "{text}");
    }
}

#[test]
fn no_key_is_overwritten_whatever_its_ending() {
    let folder = Folder::new();
    folder.json("generate --kid a");
    let before = fs::read(folder.path("keys/a.jwk")).unwrap();
    let error = folder.refused("generate --kid a");
    assert!(error.contains("keys/a.jwk exists") && error.contains("--kid"), "{error}");
    assert_eq!(fs::read(folder.path("keys/a.jwk")).unwrap(), before);
    fs::write(folder.path("keys/b.pem"), "").unwrap();
    assert!(folder.refused("generate --kid b").contains("keys/b.pem exists"));
    symlink("nowhere", folder.path("keys/c.jwk")).unwrap();
    assert!(folder.refused("generate --kid c").contains("keys/c.jwk exists"));
    assert_eq!(folder.names(), ["a.jwk", "b.pem", "c.jwk"]);
}

#[test]
fn the_new_files_belong_to_whom_the_directory_or_the_old_key_belongs_to() {
    let folder = Folder::new();
    if !is_root(&folder) {
        return; // only root may give files away
    }
    fs::create_dir(folder.path("keys")).unwrap();
    chown(folder.path("keys"), Some(4242), Some(4243)).unwrap();
    folder.json("generate --kid a");
    let about = |kid: &str| fs::metadata(folder.path(&format!("keys/{kid}.jwk"))).unwrap();
    assert_eq!(about("a").uid(), 4242);
    chown(folder.path("keys/a.jwk"), Some(0), Some(4244)).unwrap();
    fs::set_permissions(folder.path("keys/a.jwk"), fs::Permissions::from_mode(0o640)).unwrap();
    let made = folder.json("rotate");
    for kid in ["a", made["made"]["kid"].as_str().unwrap()] {
        let about = about(kid);
        assert_eq!((about.uid(), about.gid(), about.mode() & 0o777), (0, 4244, 0o640), "{kid}");
    }
}

#[test]
fn a_name_that_reads_like_an_option_is_not_given() {
    let folder = Folder::new();
    for name in ["-x", "-", "--json", "-2026"] {
        let error = folder.refused(&format!("generate --kid={name}"));
        assert!(error.contains("does not start with -"), "{error}");
    }
    assert!(folder.names().is_empty());
    // One that came from elsewhere can be retired all the same.
    folder.json("generate --kid x");
    folder.change("x", |key| drop(key.insert("kid".into(), "-x".into())));
    fs::rename(folder.path("keys/x.jwk"), folder.path("keys/-x.jwk")).unwrap();
    assert_eq!(folder.run("retire -- -x").code, 0);
}
