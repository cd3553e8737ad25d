//! tests/key_tool.rs: the key tool as a process, on real directories.
#![cfg(all(feature = "cli", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "the tool writes real times")]

#[path = "key_tool/generate.rs"]
mod generate;
#[path = "key_tool/retire.rs"]
mod retire;
#[path = "key_tool/rotate.rs"]
mod rotate;
#[path = "key_tool/shows.rs"]
mod shows;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
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
