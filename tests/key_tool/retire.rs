//! tests/key_tool/retire.rs: the emergency brake.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

#[test]
fn to_retire_the_only_signer_makes_another_first() {
    let folder = Folder::new();
    for turn in 0..5 {
        folder.json(&format!("generate --kid leaked{turn} --alg ES256 --nbf 1000"));
        let (keys, stop) = (folder.path("keys"), Arc::new(AtomicBool::new(false)));
        let done = stop.clone();
        let watching = std::thread::spawn(move || {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                // Names of whole files: a listing may miss one that comes while it is read.
                let listed = || fs::read_dir(&keys).unwrap().any(|entry| is_key(&entry.unwrap()));
                assert!(listed() || listed(), "for a moment there was no key");
                looks += 1;
            }
            looks
        });
        let answer = folder.json(&format!("retire leaked{turn}"));
        stop.store(true, Ordering::Relaxed);
        assert!(watching.join().unwrap() > 0);
        let made = answer["made"]["kid"].as_str().unwrap();
        assert_eq!(answer["made"]["alg"], "ES256");
        let back = now() - answer["made"]["nbf"].as_u64().unwrap();
        assert!((50..100).contains(&back), "a clock that is behind must sign with it: {back} s");
        assert_eq!(folder.states(), BTreeMap::from([(made.to_owned(), "signs".to_owned())]));
        fs::remove_file(folder.path(&format!("keys/{made}.jwk"))).unwrap();
    }
}

fn is_key(entry: &fs::DirEntry) -> bool {
    !entry.file_name().to_string_lossy().starts_with('.')
}

#[test]
fn to_retire_a_key_makes_another_only_where_none_is_left_that_may_go_on_signing() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000");
    folder.json("generate --kid b --nbf 2000");
    let answer = folder.json("retire b");
    assert_eq!((&answer["made"], &answer["signs"]), (&Value::Null, &"a".into()));
    // `a` is on its way out: what it signs now would outlive it.
    folder.json("rotate --lead 10m");
    folder.json("generate --kid c --nbf 3000");
    let answer = folder.json("retire c");
    assert_eq!(answer["signs"], answer["made"]["kid"]);
    let answer = folder.json("retire a");
    assert_eq!(answer["made"], Value::Null, "it did not sign");
    let error = folder.refused("retire a");
    assert!(error.contains("keys holds no key named a") && error.contains("list"), "{error}");
    assert_eq!(folder.run("retire ../keys/x").code, 1);
}

#[test]
fn a_file_that_is_damaged_can_be_retired_too() {
    let folder = Folder::new();
    folder.json("generate --kid a");
    fs::write(folder.path("keys/bad.jwk"), "{").unwrap();
    let answer = folder.json("retire bad");
    assert_eq!(answer["removed"], serde_json::json!(["keys/bad.jwk"]));
    assert_eq!(folder.names(), ["a.jwk"]);
}

/// A copy of a key's file under another name, as people make them.
fn copy(folder: &Folder, from: &str, to: &str, nbf: u64) {
    let mut key = folder.key(from);
    (key["kid"], key["nbf"]) = (to.into(), nbf.into());
    fs::write(folder.path(&format!("keys/{to}.jwk")), key.to_string()).unwrap();
}

#[test]
fn to_retire_a_key_removes_the_files_of_every_name_that_it_has() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000 --alg ES256");
    copy(&folder, "a", "b", 2000);
    let list = folder.json("list");
    let problem = list["keys"][1]["problems"][1].as_str().unwrap();
    assert!(problem.starts_with("keys/b.jwk holds the same key as keys/a.jwk"), "{list}");
    assert_eq!((folder.state("a"), folder.state("b")), ("bad".into(), "bad".into()));
    for line in ["jwks --private --yes-print-secrets", "jwks"] {
        assert!(folder.run(line).err.contains("one key under two names"), "{line}");
    }
    let answer = folder.run("retire a");
    assert_eq!(answer.code, 0, "{answer:?}");
    for text in [
        "removed keys/a.jwk\n",
        "removed keys/b.jwk, the same key under another name\n",
        "refuses the tokens of a and b within 30 s, for ever",
    ] {
        assert!(answer.out.contains(text), "{}", answer.out);
    }
    let states = folder.states();
    assert_eq!(states.into_values().collect::<Vec<_>>(), ["signs"], "one was made first");

    folder.json("generate --kid c --nbf 3000");
    copy(&folder, "c", "d", 4000);
    folder.json("generate --kid e");
    let answer = folder.json("retire d");
    assert_eq!(answer["names"], serde_json::json!(["d", "c"]));
    assert_eq!(answer["removed"], serde_json::json!(["keys/d.jwk", "keys/c.jwk"]));
    fs::write(folder.path("keys/torn.jwk"), "{").unwrap();
    let notes = &folder.json("retire e")["notes"][0];
    assert!(notes.as_str().unwrap().contains("keys/torn.jwk holds no key that can be read"));
}

#[test]
fn the_key_that_is_made_signs_before_one_that_is_on_its_way_out() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000");
    let start = now() - 10;
    folder.json(&format!("generate --kid b --nbf {start}"));
    folder.change("b", |key| drop(key.insert("exp".into(), (start + 9000).into())));
    folder.json("generate --kid c --nbf now");
    fs::remove_file(folder.path("keys/a.jwk")).unwrap();
    let answer = folder.json("retire c");
    assert_eq!(answer["made"]["nbf"], start + 1);
    assert_eq!(folder.state(answer["made"]["kid"].as_str().unwrap()), "signs");
}
