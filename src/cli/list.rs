//! src/cli/list.rs: what each key does now.

use std::path::Path;

use serde_json::{Value, json};

use super::folder::Folder;
use super::{Outcome, Said};
use crate::jwt::key::Key;
use crate::jwt::source::advice::{self, shown, written};
use crate::jwt::source::files::KeyFile;

struct Row {
    kid: String,
    file: String,
    algorithm: Option<&'static str>,
    state: &'static str,
    private: bool,
    not_before: Option<u64>,
    expires: Option<u64>,
    problems: Vec<String>,
}

pub fn run(directory: &Path) -> Outcome {
    let folder = Folder::open(directory)?;
    let signs = folder.set.signer(folder.now).map(|key| key.kid().to_owned());
    let next = advice::next_signer(&folder.set, folder.now).map(|(key, _)| key.kid().to_owned());
    let rows: Vec<_> = folder
        .look
        .files
        .iter()
        .map(|file| row(&folder, file, signs.as_deref(), next.as_deref()))
        .collect();
    let ignored: Vec<_> = folder.look.strangers.iter().map(|path| shown(path)).collect();
    let directory_itself = advice::of_directory(&folder.look, directory);
    let problems: Vec<_> = directory_itself.into_iter().map(|finding| finding.text).collect();
    let json = json!({
        "directory": shown(directory),
        "signs": signs,
        "next": next,
        "keys": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "ignored": ignored,
        "problems": problems,
    });
    let mut text = table(&rows);
    if signs.is_none() {
        text.push_str("\nno key signs now\n");
    }
    for problem in rows.iter().flat_map(|row| &row.problems).chain(&problems) {
        text.push_str(&format!("\n! {problem}\n"));
    }
    for file in &ignored {
        text.push_str(&format!("\n! {file} is ignored: no key by its name\n"));
    }
    Ok(Said::new(text, json, Vec::new()))
}

fn row(folder: &Folder, file: &KeyFile, signs: Option<&str>, next: Option<&str>) -> Row {
    let mut row = Row {
        kid: shown(Path::new(&file.kid)),
        file: shown(&file.path),
        algorithm: None,
        state: "bad",
        private: false,
        not_before: None,
        expires: None,
        problems: Vec::new(),
    };
    match file.key() {
        Err(error) => row.problems.push(advice::flaw(&row.file, &error).text),
        Ok(key) => {
            row.algorithm = Some(key.algorithm().name());
            row.private = key.can_sign();
            (row.not_before, row.expires) = (key.not_before(), key.expires());
            let advice = advice::of_key(&key, file).into_iter().map(|finding| finding.text);
            row.problems.extend(advice);
            let twins = folder.twins(file);
            let names: Vec<_> = twins.iter().map(|twin| shown(&twin.path)).collect();
            match folder.files(&file.kid).len() {
                1 if !twins.is_empty() => row.problems.push(format!(
                    "{} holds the same key as {}: one key has one name; remove one",
                    row.file,
                    names.join(" and ")
                )),
                1 => row.state = state(&key, folder.seconds(), signs, next),
                _ => row.problems.push(format!(
                    "{}: another file has the same name; rename or remove one",
                    row.file
                )),
            }
        }
    }
    row
}

fn state(key: &Key, now: u64, signs: Option<&str>, next: Option<&str>) -> &'static str {
    if key.expires().is_some_and(|end| end <= now) {
        "expired"
    } else if signs == Some(key.kid()) {
        "signs"
    } else if next == Some(key.kid()) {
        "next"
    } else if key.can_sign() && key.not_before().is_some_and(|start| start > now) {
        "upcoming"
    } else {
        "verifies"
    }
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "kid": self.kid,
            "file": self.file,
            "alg": self.algorithm,
            "state": self.state,
            "private": self.private,
            "nbf": self.not_before,
            "exp": self.expires,
            "problems": self.problems,
        })
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.kid.chars().count()).chain([3]).max().unwrap_or(3);
    let time = |seconds: Option<u64>| seconds.map_or_else(|| "-".to_owned(), written);
    let mut text = format!(
        "{:<width$}  {:<6}  {:<8}  {:<20}  {}\n",
        "KID", "ALG", "NOW", "SIGNS FROM", "ENDS"
    );
    for row in rows {
        let mark = if row.problems.is_empty() { "" } else { "  !" };
        text.push_str(&format!(
            "{:<width$}  {:<6}  {:<8}  {:<20}  {}{mark}\n",
            row.kid,
            row.algorithm.unwrap_or("-"),
            row.state,
            time(row.not_before.filter(|_| row.private)),
            time(row.expires),
        ));
    }
    text
}
