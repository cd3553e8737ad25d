//! tests/key_tool/shows.rs: what is printed of keys, and what is not.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn the_table_marks_who_signs_and_who_is_next_and_says_what_is_wrong() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1700000000");
    folder.json("generate --kid b --nbf 2100-01-01T00:00:00Z");
    folder.json("generate --kid c --nbf 2200-01-01T00:00:00Z --alg HS256");
    folder.json("generate --kid d --nbf 1600000000");
    fs::set_permissions(folder.path("keys/d.jwk"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.path("keys/e.jwk"), "{").unwrap();
    fs::write(folder.path("keys/README"), "").unwrap();
    let table = folder.run("list").out;
    let rows: Vec<Vec<&str>> =
        table.lines().take(6).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["KID", "ALG", "NOW", "SIGNS", "FROM", "ENDS"]);
    assert_eq!(rows[1], ["a", "EdDSA", "signs", "2023-11-14T22:13:20Z", "-"]);
    assert_eq!(rows[2], ["b", "EdDSA", "next", "2100-01-01T00:00:00Z", "-"]);
    assert_eq!(rows[3], ["c", "HS256", "upcoming", "2200-01-01T00:00:00Z", "-"]);
    assert_eq!(rows[4], ["d", "EdDSA", "verifies", "2020-09-13T12:26:40Z", "-", "!"]);
    assert_eq!(rows[5], ["e", "-", "bad", "-", "-", "!"]);
    assert!(table.contains("chmod o-rwx keys/d.jwk"), "{table}");
    assert!(table.contains("keys/e.jwk is skipped"), "{table}");
    assert!(table.contains("keys/README is ignored"), "{table}");
    let list = folder.json("list");
    assert_eq!((&list["signs"], &list["next"]), (&"a".into(), &"b".into()));
    let mut names: Vec<_> = list["keys"][0].as_object().unwrap().keys().cloned().collect();
    // A build may keep members in the order in which they were written.
    names.sort_unstable();
    assert_eq!(
        names,
        ["alg", "exp", "file", "kid", "nbf", "private", "problems", "state"],
        "scripts rely on these names"
    );
}

/// Checklist rows 58 and 63.
#[test]
fn no_command_prints_a_private_member() {
    let folder = Folder::new();
    let lines = [
        "generate --kid a --nbf 1000",
        "generate --kid h --alg HS256 --nbf 900",
        "generate --kid r --alg RS256 --nbf 800",
        "generate --kid e --alg ES384 --nbf 700 --json",
        "generate --kid a",
        "list",
        "list --json",
        "jwks",
        "jwks --json",
        "jwks --private",
        "jwks --yes-print-secrets",
        "rotate",
        "rotate --json",
        "rotate --force --json",
        "retire a",
        "retire h --json",
        "retire nobody",
        "list",
    ];
    let (mut printed, mut secrets) = (String::new(), Vec::new());
    for line in lines {
        let answer = folder.run(line);
        printed += &format!("{} {}", answer.out, answer.err);
        for name in folder.names() {
            let key = folder.key(name.strip_suffix(".jwk").unwrap());
            let members = ["d", "k", "p", "q", "dp", "dq", "qi"];
            secrets.extend(members.iter().filter_map(|m| Some(key[m].as_str()?.to_owned())));
        }
    }
    assert!(secrets.len() > 40 && secrets.iter().all(|secret| secret.len() > 20));
    assert!(secrets.iter().all(|secret| !printed.contains(secret)), "{printed}");
    for name in ["\"d\"", "\"k\"", "\"p\"", "\"q\"", "\"dp\"", "\"dq\"", "\"qi\"", "\"oth\""] {
        assert!(!printed.contains(name), "{name} in {printed}");
    }
}

#[test]
fn the_private_set_needs_two_flags_and_is_one_line_that_holds_every_living_key() {
    let folder = Folder::new();
    folder.json("generate --kid a --nbf 1000");
    folder.json("generate --kid b --nbf 1000 --alg HS256");
    folder.json("generate --kid c --nbf 1000");
    folder.change("a", |key| drop(key.remove("kid")));
    folder.change("c", |key| drop(key.insert("exp".into(), 2000.into())));
    let spread = serde_json::to_string_pretty(&folder.key("b")).unwrap();
    fs::write(folder.path("keys/b.jwk"), spread).unwrap();
    for half in ["jwks --private", "jwks --yes-print-secrets"] {
        let answer = folder.run(half);
        assert_eq!((answer.code, &*answer.out), (2, ""), "{half}");
    }
    let answer = folder.run("jwks --private --yes-print-secrets");
    assert_eq!((answer.code, answer.out.lines().count()), (0, 1));
    let set: Value = serde_json::from_str(&answer.out).unwrap();
    let keys = set["keys"].as_array().unwrap();
    let kids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids, ["a", "b"]);
    assert!(keys[0]["d"].is_string() && keys[1]["k"].is_string());

    fs::write(folder.path("keys/d.pem"), include_str!("../keys/ed25519-public.pem")).unwrap();
    assert_eq!(folder.run("jwks --private --yes-print-secrets").code, 0);
    fs::write(folder.path("keys/d.pem"), include_str!("../keys/ed25519.pem")).unwrap();
    assert!(
        folder.refused("jwks --private --yes-print-secrets").contains("keys/d.pem is a private")
    );
}

#[test]
fn a_directory_or_a_file_that_others_can_write_is_a_problem_with_its_chmod() {
    let folder = Folder::new();
    folder.json("generate --kid a");
    assert_eq!(folder.json("list")["problems"], serde_json::json!([]));
    let chmod = |name, mode| {
        fs::set_permissions(folder.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("keys/a.jwk", 0o620);
    chmod("keys", 0o770);
    let list = folder.json("list");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert!(text(&list["keys"][0]["problems"][0]).ends_with("run `chmod go-w keys/a.jwk`"));
    assert!(text(&list["problems"][0]).ends_with("run `chmod go-w keys`"));
    let table = folder.run("list").out;
    assert!(table.contains("chmod go-w keys/a.jwk") && table.contains("chmod go-w keys`"));
}
