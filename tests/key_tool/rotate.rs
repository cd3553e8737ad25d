//! tests/key_tool/rotate.rs: the next key, and an end for the present one.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Checklist row 59.
#[test]
fn a_rotation_makes_the_next_key_and_ends_the_present_one_after_the_overlap() {
    let folder = Folder::new();
    folder.json("generate --kid a --alg ES256 --nbf 1000");
    let answer = folder.json("rotate");
    let made = &answer["made"];
    let (next, start) = (made["kid"].as_str().unwrap(), made["nbf"].as_u64().unwrap());
    assert!(start.abs_diff(now() + 600) < 60);
    assert_eq!(made["alg"], "ES256", "as the present one");
    let old = folder.key("a");
    assert_eq!((old["nbf"].as_u64(), old["exp"].as_u64()), (Some(1000), Some(start + 90_000)));
    assert_eq!(answer["ends"][0]["exp"], start + 90_000);
    assert_eq!(folder.mode("keys/a.jwk"), 0o600);
    assert_eq!((folder.state("a"), folder.state(next)), ("signs".into(), "next".into()));
    let set = folder.json("jwks");
    assert_eq!(set["keys"].as_array().unwrap().len(), 2, "the next key is published before");
    assert_eq!(folder.names().len(), 2, "no temporary file is left");

    let error = folder.refused("rotate");
    assert!(error.contains(&format!("{next} in keys is waiting already")), "{error}");
    let answer = folder.json("rotate --force --alg EdDSA --lead 1h --overlap 90");
    assert_eq!(answer["made"]["alg"], "EdDSA");
    assert_eq!(folder.key("a"), old, "a key that has an end keeps it");
    let later = answer["made"]["nbf"].as_u64().unwrap();
    assert!(later.abs_diff(now() + 3600) < 60);
    assert_eq!(folder.key(next)["exp"], later + 90);
    assert_eq!(folder.state(answer["made"]["kid"].as_str().unwrap()), "upcoming");
}

#[test]
fn of_rotations_at_the_same_time_one_makes_a_key() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000");
    let codes: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| folder.run("rotate").code)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(folder.names().len(), 2);
}

#[test]
fn a_key_without_nbf_is_given_zero_so_that_a_running_process_does_not_wait_for_it() {
    let folder = Folder::new();
    folder.json("generate --kid a");
    folder.change("a", |key| drop(key.remove("nbf")));
    folder.json("rotate");
    assert_eq!(folder.key("a")["nbf"], 0);
    assert_eq!(folder.state("a"), "signs");
}

#[test]
fn a_pem_cannot_end_by_itself_and_the_tool_says_when_to_remove_it() {
    let folder = Folder::new();
    fs::create_dir(folder.path("keys")).unwrap();
    let pem = include_str!("../keys/ed25519.pem");
    fs::write(folder.path("keys/old.pem"), pem).unwrap();
    fs::set_permissions(folder.path("keys/old.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    let answer = folder.json("rotate");
    let after = answer["made"]["nbf"].as_u64().unwrap() + 90_000;
    assert_eq!(answer["remove_by_hand"][0]["file"], "keys/old.pem");
    assert_eq!(answer["remove_by_hand"][0]["after"], after);
    assert_eq!(fs::read_to_string(folder.path("keys/old.pem")).unwrap(), pem);
}

#[test]
fn a_rotation_names_the_keys_that_are_past_their_end_and_prune_removes_them() {
    let folder = Folder::new();
    for kid in ["a", "b"] {
        folder.json(&format!("generate --kid {kid} --nbf 1000"));
    }
    folder.change("a", |key| drop(key.insert("exp".into(), 2000.into())));
    assert_eq!((folder.state("a"), folder.state("b")), ("expired".into(), "signs".into()));
    let answer = folder.json("rotate");
    assert_eq!(answer["expired"], serde_json::json!(["keys/a.jwk"]));
    assert!(folder.path("keys/a.jwk").exists());
    folder.json("rotate --force --prune");
    assert!(!folder.path("keys/a.jwk").exists());
    assert!(folder.path("keys/b.jwk").exists());
}

#[test]
fn what_cannot_be_finished_is_not_begun() {
    let folder = Folder::new();
    let error = folder.refused("rotate");
    assert!(error.contains("keys cannot be read") && error.contains("generate"), "{error}");
    folder.json("generate --kid a");
    fs::rename(folder.path("keys/a.jwk"), folder.path("a.jwk")).unwrap();
    symlink("../a.jwk", folder.path("keys/a.jwk")).unwrap();
    let error = folder.refused("rotate");
    assert!(error.contains("keys/a.jwk is a link"), "{error}");
    assert!(folder.refused("rotate --overlap 9000y").contains("year 9999"));
    assert_eq!(folder.names(), ["a.jwk"]);
    fs::remove_file(folder.path("keys/a.jwk")).unwrap();
    assert!(folder.refused("rotate").contains("no key in keys signs now"));
}

#[test]
fn spans_that_log_users_out_are_refused_unless_forced() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000");
    let before = folder.key("a");
    for (line, text) in [
        ("rotate --lead 29s", "--lead under 30 s"),
        ("rotate --lead 0", "--lead under 30 s"),
        ("rotate --overlap 86459", "an --overlap under 1day 1m"),
        ("rotate --overlap 24h", "say by --access-ttl how long tokens live"),
        ("rotate --access-ttl 10m --overlap 659", "an --overlap under 11m"),
        ("rotate --access-ttl 24h --overlap 24h", "an --overlap under 1day 1m"),
    ] {
        let error = folder.refused(line);
        assert!(error.contains(text) && error.contains("--force"), "{line}: {error}");
        assert_eq!((folder.names().len(), folder.key("a")), (1, before.clone()), "{line}");
    }
    for line in [
        "rotate --lead 30s --overlap 86460",
        "rotate --access-ttl 10m --overlap 660",
        "rotate --lead 1s --overlap 1s --force",
    ] {
        let folder = Folder::new();
        folder.json("generate --kid a --nbf 1000");
        let answer = folder.json(line);
        let notes = answer["notes"].to_string();
        assert_eq!(notes.contains("must log in again"), line.contains("force"), "{line}: {notes}");
    }
}

#[test]
fn a_key_that_ends_before_the_next_one_begins_shortens_the_lead_so_that_one_always_signs() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000");
    let end = now() + 120;
    folder.change("a", |key| drop(key.insert("exp".into(), end.into())));
    let answer = folder.json("rotate");
    assert_eq!(answer["made"]["nbf"], end);
    assert!(answer["notes"].to_string().contains("sooner than --lead says"), "{answer}");

    // Another one goes on, so that there is no gap.
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 2000");
    folder.json("generate --kid b --nbf 1000");
    folder.change("a", |key| drop(key.insert("exp".into(), end.into())));
    let answer = folder.json("rotate");
    assert!(answer["made"]["nbf"].as_u64().unwrap() > end + 300, "{answer}");

    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000");
    folder.change("a", |key| drop(key.insert("exp".into(), (now() + 20).into())));
    let error = folder.refused("rotate");
    assert!(error.contains("generate --dir keys --nbf now"), "{error}");
    assert_eq!(folder.names(), ["a.jwk"]);
    let answer = folder.json("rotate --force");
    assert_eq!(answer["made"]["nbf"], folder.key("a")["exp"]);
}
