//! tests/walls.rs: the five floors of `src/`. A file uses its own room and lower floors, never a
//! higher one, never another slice; only the web floor and `testing` know Rocket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with its floor; a room that is not here has no floor, and the test says so.
const ROOMS: &[(&str, u8)] = &[
    ("claims", 0),
    ("clock", 0),
    ("error", 0),
    ("secret", 0),
    ("ticket", 0),
    ("user", 0),
    ("config", 1),
    ("event", 1),
    ("jwt", 2),
    ("password", 2),
    ("session", 2),
    ("throttle", 2),
    ("memory", 3),
    ("redis", 3),
    ("web", 4),
    ("cli", 5),
    ("testing", 5),
    ("bin", 6),
    ("lib", 6),
];

fn floor(room: &str) -> u8 {
    let found = ROOMS.iter().find(|(name, _)| *name == room);
    found.unwrap_or_else(|| panic!("src/{room}.rs stands on no floor: add it to ROOMS")).1
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false if path.extension().is_some_and(|ending| ending == "rs") => into.push(path),
            false => {}
        }
    }
}

/// Every source file: its path below `src/`, its room and its lines of code.
fn files() -> Vec<(String, String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let room = name.split(['/', '.']).next().unwrap().to_owned();
            let text = fs::read_to_string(path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            (name, room, code.map(str::to_owned).collect())
        })
        .collect()
}

/// The rooms of this crate that a line names: `crate::room` and `crate::{a, b}` are the only forms.
fn rooms_named(line: &str) -> Vec<&str> {
    let parts = line.split("crate::").skip(1);
    parts
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
        .collect()
}

#[test]
fn imports_point_down_and_never_into_another_slice() {
    let mut seen = 0;
    for (name, room, code) in files().iter().filter(|(_, room, _)| room != "lib") {
        for line in code {
            assert!(!line.contains("super::super::"), "{name}: say crate::room: {line}");
            assert!(
                !line.contains("crate::{"),
                "{name}: name each room on a line of its own: {line}"
            );
            for other in rooms_named(line).into_iter().filter(|other| other != room) {
                seen += 1;
                let (own, used) = (floor(room), floor(other));
                let slice_to_slice = own == 2 && used == 2;
                assert!(used <= own && !slice_to_slice, "{name} reaches up or sideways: {line}");
            }
        }
    }
    assert!(seen > 30, "only {seen} imports were seen: does the reader still read?");
}

#[test]
fn only_the_web_floor_and_testing_know_rocket() {
    for (name, room, code) in files() {
        let forms = ["rocket::", "use rocket ", "use rocket;", "extern crate rocket"];
        let knows = code.iter().any(|line| forms.iter().any(|form| line.contains(form)));
        assert!(!knows || ["web", "testing"].contains(&&*room), "src/{name} names Rocket");
        assert!(knows || name != "web/fairing.rs", "the reader no longer reads");
    }
}

#[test]
fn only_the_rooms_of_a_key_and_of_the_codec_know_the_token_library() {
    for (name, _, code) in files() {
        let knows = code.iter().any(|line| {
            // Redis names the provider of TLS, which has the same library under it.
            let line = line.replace("rustls::crypto::aws_lc_rs", "");
            line.contains("jsonwebtoken") || line.contains("aws_lc_rs")
        });
        let may = ["jwt/key.rs", "jwt/key/", "jwt/codec.rs", "jwt/codec/", "jwt/tests/"];
        assert!(!knows || may.iter().any(|room| name.starts_with(room)), "src/{name} names it");
        assert!(knows || name != "jwt/key/material.rs", "the reader no longer reads");
    }
}

#[test]
fn only_two_rooms_of_passwords_know_the_hashing_library() {
    for (name, _, code) in files() {
        let knows = code.iter().any(|line| line.contains("argon2::"));
        let may = ["password/stored.rs", "password/work.rs"].contains(&&*name);
        assert!(!knows || may, "src/{name} names it");
        assert!(knows || name != "password/work.rs", "the reader no longer reads");
    }
}

#[test]
fn the_user_type_of_the_application_appears_in_the_web_floor_alone() {
    for (name, room, code) in files() {
        let generic = code.iter().any(|line| line.contains("<U: User") || line.contains("<U>"));
        let may = ["web", "testing"].contains(&&*room);
        assert!(!generic || may, "src/{name} knows the application's user type");
    }
}

#[test]
fn every_file_says_in_its_first_line_which_one_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, room, _) in files() {
        let first = fs::read_to_string(root.join("src").join(&name)).unwrap();
        let first = first.lines().next().unwrap_or_default().to_owned();
        let says = first.starts_with(&format!("//! src/{name}: "));
        assert!(says || room == "lib", "src/{name}: {first}");
    }
}
