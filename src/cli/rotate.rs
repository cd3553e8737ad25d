//! src/cli/rotate.rs: the next key, and an end for the present one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::folder::Folder;
use super::{Outcome, Refused, Said, disk, refused};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::key::Key;
use crate::jwt::source::advice::{next_signer, quoted, shown, written};
use crate::jwt::source::files::{Form, KeyFile};

mod spans;

use spans::Spans;

/// Makes the next key, and gives the present one an end: nobody is logged out
///
/// The new key is read by every process before it signs (--lead). The old one verifies until its
/// last token is dead (--overlap), by an `exp` in its file; then the file can go (--prune).
#[derive(Args, Debug)]
pub struct Options {
    /// The new key's algorithm; otherwise the present one's
    #[arg(long, value_parser = super::algorithm)]
    alg: Option<Algorithm>,
    /// How long from now the new key begins to sign: at least 30 s, for processes that share the
    /// directory, and over 5 min more for those that fetch the JWKS
    #[arg(long, default_value = "10m", value_parser = super::span)]
    lead: Duration,
    /// How long after that the old key still verifies: at least the longest life of a token, which is
    /// `access_ttl` (24h where --access-ttl does not say it) and a minute of `leeway`
    #[arg(long, default_value = "25h", value_parser = super::span)]
    overlap: Duration,
    /// The `access_ttl` of the application, by which --overlap is judged
    #[arg(long, value_parser = super::span)]
    access_ttl: Option<Duration>,
    /// Removes the files of keys that are past their end
    #[arg(long)]
    prune: bool,
    /// Makes a key though one is waiting already, or though these spans log users out
    #[arg(long)]
    force: bool,
}

/// What becomes of the keys that sign until then.
#[derive(Default)]
struct Old<'f> {
    /// Whose file gets an end.
    to_end: Vec<&'f KeyFile>,
    /// Whose file cannot have one.
    pems: Vec<&'f KeyFile>,
    notes: Vec<String>,
}

pub fn run(directory: &Path, options: &Options) -> Outcome {
    let folder = Folder::open_alone(directory)?;
    let signer = present(&folder, directory, options.force)?;
    let Spans { not_before, end, notes } = Spans::of(&folder, options)?;
    // Before anything is written: what cannot be finished is not begun.
    let mut old = old_keys(&folder, signer, not_before, end)?;
    old.notes.extend(notes);
    let algorithm = options.alg.unwrap_or(signer.algorithm());
    let like = folder.about(signer.kid());
    let made = folder.make(None, algorithm, not_before, like.as_ref())?;
    for file in &old.to_end {
        give_end(file, end)?;
    }
    let expired = expired(&folder);
    if options.prune {
        expired.iter().try_for_each(|path| disk::remove(path))?;
    }
    Ok(report(&Done { made: &made, old: &old, end, expired: &expired, pruned: options.prune }))
}

/// The key that signs now, where it can be rotated.
fn present<'f>(folder: &'f Folder, directory: &Path, force: bool) -> Result<&'f Key, Refused> {
    let place = shown(directory);
    if let Some((next, start)) = next_signer(&folder.set, folder.now).filter(|_| !force) {
        return refused(format!(
            "{} in {place} is waiting already and signs from {}; wait until then, or say --force",
            next.kid(),
            written(start)
        ));
    }
    match folder.set.signer(folder.now) {
        Some(signer) => Ok(signer),
        None => refused(format!(
            "no key in {place} signs now, so there is none to rotate; make one with `identity-keys \
             generate --dir {0}`, and see `identity-keys list --dir {0}`",
            quoted(directory)
        )),
    }
}

fn old_keys<'f>(
    folder: &'f Folder,
    signer: &Key,
    not_before: u64,
    end: u64,
) -> Result<Old<'f>, Refused> {
    let mut old = Old::default();
    for file in &folder.look.files {
        let Some(key) = folder.key(&file.kid).filter(|key| key.can_sign()) else { continue };
        let begins = key.not_before().unwrap_or(0);
        match (key.expires(), file.form) {
            // With --force: a key that follows the new one.
            (None, _) if begins > not_before => {}
            (None, Form::Pem) => old.pems.push(file),
            (None, Form::Jwk) if is_link(&file.path) => {
                return refused(format!(
                    "{} is a link, so its content is made elsewhere (a Kubernetes secret?); rotate \
                     there",
                    shown(&file.path)
                ));
            }
            (None, Form::Jwk) => old.to_end.push(file),
            (Some(own), _) if own < end && key.kid() == signer.kid() => old.notes.push(format!(
                "{} has an `exp` of its own, {}, which is before {}: its last tokens end with it",
                file.kid,
                written(own),
                written(end)
            )),
            (Some(_), _) => {}
        }
        if file.rights.all_read() && key.kid() == signer.kid() {
            old.notes.push(format!(
                "every user can read {}, and not the new file; see that the application can",
                shown(&file.path)
            ));
        }
    }
    Ok(old)
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink())
}

/// Writes `exp` in front of the other members. A key without `nbf` gets 0, which it counts as in a
/// process that is launched.
fn give_end(file: &KeyFile, end: u64) -> Result<(), Refused> {
    let damaged = || format!("{} cannot be given an `exp`; write it in by hand", shown(&file.path));
    let content = file.content.as_ref().map(|content| std::str::from_utf8(content));
    let Some(rest) = content.ok().and_then(Result::ok).and_then(|t| t.trim().strip_prefix('{'))
    else {
        return refused(damaged());
    };
    let begins = file.key().ok().and_then(|key| key.not_before());
    let nbf = if begins.is_none() { r#""nbf":0,"# } else { "" };
    let mut jwk = Zeroizing::new(String::with_capacity(rest.len() + 64));
    jwk.push_str(&format!(r#"{{"exp":{end},{nbf}"#));
    jwk.push_str(rest);
    jwk.push('\n');
    match Key::from_jwk(jwk.as_bytes(), Some(&file.kid)) {
        Ok(key) if key.expires() == Some(end) => disk::replace(&file.path, jwk.as_bytes()),
        _ => refused(damaged()),
    }
}

/// The files of keys that are past their end.
fn expired(folder: &Folder) -> Vec<PathBuf> {
    let past = |file: &&KeyFile| {
        let end = folder.key(&file.kid).and_then(Key::expires);
        end.is_some_and(|end| end <= folder.seconds())
    };
    folder.look.files.iter().filter(past).map(|file| file.path.clone()).collect()
}

struct Done<'d> {
    made: &'d super::folder::Made,
    old: &'d Old<'d>,
    end: u64,
    expired: &'d [PathBuf],
    pruned: bool,
}

fn report(done: &Done<'_>) -> Said {
    let (end, mut text) = (written(done.end), done.made.text());
    for file in &done.old.to_end {
        text.push_str(&format!("ends    {} verifies until {end}\n", file.kid));
    }
    for file in &done.old.pems {
        text.push_str(&format!(
            "remove  {} by hand after {end}: a PEM file cannot hold an `exp`\n",
            shown(&file.path)
        ));
    }
    let word = if done.pruned { "pruned " } else { "can go " };
    for path in done.expired {
        text.push_str(&format!("{word} {}, past its `exp`\n", shown(path)));
    }
    let ends = done.old.to_end.iter().map(|file| json!({ "kid": file.kid, "exp": done.end }));
    let by_hand = done.old.pems.iter();
    let by_hand = by_hand.map(|file| json!({ "file": shown(&file.path), "after": done.end }));
    let json = json!({
        "made": done.made.json(),
        "ends": ends.collect::<Vec<_>>(),
        "remove_by_hand": by_hand.collect::<Vec<_>>(),
        "expired": done.expired.iter().map(|path| shown(path)).collect::<Vec<_>>(),
        "pruned": done.pruned,
        "notes": done.old.notes,
    });
    Said::new(text, json, done.old.notes.clone())
}
