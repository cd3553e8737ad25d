//! tests/key_tool.rs: the key tool as a process, on real directories.
#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use serde_json::Value;

const TOOL: &str = env!("CARGO_BIN_EXE_identity-keys");

/// An empty folder, removed at the end, in which the tool runs.
struct Folder(PathBuf);

#[derive(Debug)]
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (count, process) = (COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
        let path = std::env::temp_dir().join(format!("identity-keys-{process}-{count}"));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn run(&self, line: &str) -> Answer {
        let mut command = Command::new(TOOL);
        let output = command.args(line.split_whitespace()).current_dir(&self.0).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// The answer of a command that must succeed.
    fn json(&self, line: &str) -> Value {
        let answer = self.run(&format!("{line} --json"));
        assert_eq!(answer.code, 0, "{line}: {answer:?}");
        serde_json::from_str(&answer.out).unwrap()
    }

    fn refused(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!((answer.code, &*answer.out), (1, ""), "{line}: {answer:?}");
        answer.err
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn key(&self, kid: &str) -> Value {
        let content = fs::read(self.path(&format!("keys/{kid}.jwk"))).unwrap();
        serde_json::from_slice(&content).unwrap()
    }

    /// Writes a key's members as a test wants them.
    fn change(&self, kid: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
        let mut key = self.key(kid);
        change(key.as_object_mut().unwrap());
        fs::write(self.path(&format!("keys/{kid}.jwk")), key.to_string()).unwrap();
    }

    /// What `list` says of each key's state.
    fn states(&self) -> BTreeMap<String, String> {
        let list = self.json("list");
        let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
        let keys = list["keys"].as_array().unwrap();
        keys.iter().map(|key| (text(key, "kid"), text(key, "state"))).collect()
    }

    fn state(&self, kid: &str) -> String {
        self.states()[kid].clone()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("keys")).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[expect(clippy::disallowed_methods, reason = "the tool is another process, on the system's clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn is_root(folder: &Folder) -> bool {
    fs::metadata(&folder.0).unwrap().uid() == 0
}

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
    let pem = include_str!("keys/ed25519.pem");
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
        assert!(answer["made"]["nbf"].as_u64().unwrap().abs_diff(now()) < 60);
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
    let names: Vec<_> = list["keys"][0].as_object().unwrap().keys().cloned().collect();
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

    fs::write(folder.path("keys/d.pem"), include_str!("keys/ed25519-public.pem")).unwrap();
    assert_eq!(folder.run("jwks --private --yes-print-secrets").code, 0);
    fs::write(folder.path("keys/d.pem"), include_str!("keys/ed25519.pem")).unwrap();
    assert!(
        folder.refused("jwks --private --yes-print-secrets").contains("keys/d.pem is a private")
    );
}

#[test]
fn a_wrong_command_line_is_2_and_help_is_0() {
    let folder = Folder::new();
    for line in ["", "bogus", "generate --alg none", "retire", "rotate --lead soon", "list extra"] {
        let answer = folder.run(line);
        assert_eq!((answer.code, &*answer.out), (2, ""), "{line}: {answer:?}");
    }
    for line in ["--help", "generate --help", "retire --help", "--version"] {
        let answer = folder.run(line);
        assert_eq!((answer.code, &*answer.err), (0, ""), "{line}: {answer:?}");
    }
    assert!(folder.run("retire --help").out.contains("journal"));
    assert_eq!(folder.names_or_none(), None, "nothing was made");
    let error = folder.refused("generate --kid ../x");
    assert!(error.contains("`kid`"), "{error}");
    fs::write(folder.path("file"), "").unwrap();
    for line in ["list --dir file", "generate --dir file", "jwks --dir none", "retire a --dir none"]
    {
        let error = folder.refused(line);
        let place = line.split_whitespace().last().unwrap();
        assert!(error.contains(place) && error.contains(';'), "{line}: {error}");
    }
}

impl Folder {
    fn names_or_none(&self) -> Option<Vec<String>> {
        self.path("keys").exists().then(|| self.names())
    }
}

#[test]
fn the_commands_of_the_page_work_in_its_order() {
    let page = include_str!("../docs/keys.md");
    let blocks: Vec<_> = page
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert!(blocks.len() >= 4, "the reader no longer reads");
    let folder = Folder::new();
    let tools = Path::new(TOOL).parent().unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.arg("-euc").arg(blocks.concat()).current_dir(&folder.0).env("PATH", path);
    let output = shell.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.is_empty(), "{err}");
    let states = folder.states();
    assert!(!states.contains_key("first"), "retired: {states:?}");
    let mut left: Vec<_> = states.into_values().collect();
    left.sort();
    assert_eq!(left, ["next", "signs"]);
    let inline = fs::read_to_string(folder.path("jwks.json")).unwrap();
    assert_eq!(inline.lines().count(), 1);
}
