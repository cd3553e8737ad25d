//! src/cli/retire.rs: the emergency brake.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::folder::{Folder, Made};
use super::{Outcome, Refused, Said, disk, refused};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::key::Key;
use crate::jwt::keyset::KeySet;
use crate::jwt::source::advice::{quoted, shown};
use crate::jwt::source::files::KeyFile;

/// Takes a leaked key out of use, for ever: the emergency brake
///
/// Makes a new key first where this one is needed to sign, then removes its file, and every file of
/// another name that holds the same key. Every process that reads the directory refuses the key's
/// tokens within 30 s. The file is not overwritten before it
/// is removed: on a file system with a journal, copies or snapshots that destroys nothing.
#[derive(Args, Debug)]
pub struct Options {
    /// The key's name, as `list` shows it
    kid: String,
    /// The algorithm of a key that is made in its place; otherwise the same
    #[arg(long, value_parser = super::algorithm)]
    alg: Option<Algorithm>,
}

/// The new key's `nbf` lies so many seconds back: clocks differ.
const BACK: u64 = 60;

pub fn run(directory: &Path, options: &Options) -> Outcome {
    let folder = Folder::open_alone(directory)?;
    let files = folder.files(&options.kid);
    if files.is_empty() {
        return refused(format!(
            "{} holds no key named {}; `identity-keys list --dir {}` shows the names",
            shown(directory),
            options.kid.escape_debug(),
            quoted(directory)
        ));
    }
    let doomed = doomed(&folder, &files);
    let made = replacement(&folder, options, &doomed)?;
    let mut notes = Vec::new();
    for file in &doomed {
        if let Ok(target) = std::fs::read_link(&file.path) {
            notes.push(format!(
                "{} was a link to {}, which is still there: remove it too",
                shown(&file.path),
                shown(&target)
            ));
        }
        disk::remove(&file.path)?;
    }
    let unread = folder.look.files.iter().filter(|file| file.key().is_err());
    for file in unread.filter(|file| !is_in(&doomed, file)) {
        notes.push(format!(
            "{} holds no key that can be read: see that it is not a copy of the retired one",
            shown(&file.path)
        ));
    }
    Ok(report(&Done { folder: &folder, kid: &options.kid, doomed, made, notes }))
}

/// The files of the name, and those of other names with the same key: in them it would live on.
fn doomed<'f>(folder: &'f Folder, named: &[&'f KeyFile]) -> Vec<&'f KeyFile> {
    let mut all = named.to_vec();
    for twin in named.iter().flat_map(|file| folder.twins(file)) {
        if !is_in(&all, twin) {
            all.push(twin);
        }
    }
    all
}

fn is_in(files: &[&KeyFile], file: &KeyFile) -> bool {
    files.iter().any(|other| other.path == file.path)
}

/// A new key, on the disk, where without the retired one no key would sign, or only one that is on
/// its way out: tokens that such a key signs may outlive it.
fn replacement(
    folder: &Folder,
    options: &Options,
    doomed: &[&KeyFile],
) -> Result<Option<Made>, Refused> {
    // One by one, for a launch would take none of two that are the same.
    let keys: Vec<_> = doomed.iter().filter_map(|file| file.key().ok()).map(Arc::new).collect();
    let alone = |key: &Arc<Key>| KeySet::new([key.clone()]).ok()?.signer(folder.now).cloned();
    let rank = |key: &Arc<Key>| (key.not_before().unwrap_or(0), key.kid().to_owned());
    let retired = keys.iter().filter_map(alone).max_by_key(rank);
    let without = folder.set_without(doomed);
    let left = without.signer(folder.now);
    let needed = match (&retired, left) {
        (Some(retired), Some(left)) => rank(retired) > rank(left) && left.expires().is_some(),
        (Some(_), None) => true,
        (None, Some(_)) => false,
        // It was to sign later, and no other is.
        (None, None) => {
            keys.iter().any(|key| key.can_sign()) && !without.iter().any(|key| key.can_sign())
        }
    };
    if !needed {
        return Ok(None);
    }
    let own = retired.as_ref().or(keys.first()).map(|key| key.algorithm());
    let algorithm = options.alg.or(own).unwrap_or(Algorithm::EdDSA);
    let like = folder.about(&options.kid);
    // A process whose clock is behind must sign with it too, and not with the one on its way out.
    let after_left = left.map_or(0, |left| left.not_before().unwrap_or(0) + 1);
    let not_before = folder.seconds().saturating_sub(BACK).max(after_left).min(folder.seconds());
    folder.make(None, algorithm, not_before, like.as_ref()).map(Some)
}

struct Done<'d> {
    folder: &'d Folder,
    kid: &'d str,
    doomed: Vec<&'d KeyFile>,
    made: Option<Made>,
    notes: Vec<String>,
}

fn report(done: &Done<'_>) -> Said {
    let Done { folder, kid, doomed, made, notes } = done;
    let mut text = made.as_ref().map(Made::text).unwrap_or_default();
    let (mut removed, mut names) = (Vec::new(), vec![(*kid).to_owned()]);
    for file in doomed {
        text.push_str(&format!("removed {}", shown(&file.path)));
        if file.kid != *kid {
            text.push_str(", the same key under another name");
            if !names.contains(&file.kid) {
                names.push(file.kid.clone());
            }
        }
        text.push('\n');
        removed.push(shown(&file.path));
    }
    let without = folder.set_without(doomed);
    let signs = match (made, without.signer(folder.now)) {
        (Some(made), _) => Some(made.kid.clone()),
        (None, signer) => signer.map(|key| key.kid().to_owned()),
    };
    match &signs {
        Some(signs) => text.push_str(&format!("signs   {signs}\n")),
        None => text.push_str(&format!(
            "no key signs now: `identity-keys generate --dir {} --nbf now` makes one\n",
            quoted(&folder.path)
        )),
    }
    text.push_str(&format!(
        "\nEvery process that reads {} refuses the tokens of {} within 30 s, for ever.\n\
         Next:\n\
         - Users with such a token log in again; there is nothing to do for them.\n\
         - A process with an inline set (identity.jwt.jwks) needs the new set and a restart.\n\
         - A service that fetches the JWKS may keep the key for 5 minutes, or as long as it caches.\n\
         - Copies of this directory (backups, other machines, images) still hold the key.\n\
         - Find out how it leaked before you trust the next one.\n",
        shown(&folder.path),
        names.join(" and ")
    ));
    let json = json!({
        "retired": kid,
        "names": names,
        "removed": removed,
        "made": made.as_ref().map(Made::json),
        "signs": signs,
        "notes": notes,
    });
    Said::new(text, json, notes.clone())
}
