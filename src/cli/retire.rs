//! src/cli/retire.rs: the emergency brake.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::folder::{Folder, Made};
use super::{Outcome, Refused, Said, disk, refused};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::key::Key;
use crate::jwt::source::sift::shown;

/// Takes a leaked key out of use, for ever: the emergency brake
///
/// Makes a new key first where this one is needed to sign, then removes its file. Every process that
/// reads the directory refuses the key's tokens within 30 s. The file is not overwritten before it
/// is removed: on a file system with a journal, copies or snapshots that destroys nothing.
#[derive(Args, Debug)]
pub struct Options {
    /// The key's name, as `list` shows it
    kid: String,
    /// The algorithm of a key that is made in its place; otherwise the same
    #[arg(long, value_parser = super::algorithm)]
    alg: Option<Algorithm>,
}

pub fn run(directory: &Path, options: &Options) -> Outcome {
    let folder = Folder::open_alone(directory)?;
    let files = folder.files(&options.kid);
    if files.is_empty() {
        return refused(format!(
            "{} holds no key named {}; `identity-keys list --dir {0}` shows the names",
            shown(directory),
            options.kid.escape_debug()
        ));
    }
    let made = replacement(&folder, options)?;
    let mut notes = Vec::new();
    for file in &files {
        if let Ok(target) = std::fs::read_link(&file.path) {
            notes.push(format!(
                "{} was a link to {}, which is still there: remove it too",
                shown(&file.path),
                shown(&target)
            ));
        }
        disk::remove(&file.path)?;
    }
    Ok(report(&folder, &options.kid, made.as_ref(), notes))
}

/// A new key, on the disk, where without the retired one no key would sign, or only one that is on
/// its way out: tokens that such a key signs may outlive it.
fn replacement(folder: &Folder, options: &Options) -> Result<Option<Made>, Refused> {
    let without = folder.set_without(&options.kid);
    let left = without.signer(folder.now);
    let needed = match folder.set.signer(folder.now) {
        Some(signer) if signer.kid() != options.kid => false,
        Some(_) => left.is_none_or(|left| left.expires().is_some()),
        // It was to sign later, and no other is.
        None => {
            folder.key(&options.kid).is_some_and(Key::can_sign)
                && !without.iter().any(|key| key.can_sign())
        }
    };
    if !needed {
        return Ok(None);
    }
    let own = folder.key(&options.kid).map(Key::algorithm);
    let algorithm = options.alg.or(own).unwrap_or(Algorithm::EdDSA);
    let like = folder.about(&options.kid);
    folder.make(None, algorithm, folder.seconds(), like.as_ref()).map(Some)
}

fn report(folder: &Folder, kid: &str, made: Option<&Made>, notes: Vec<String>) -> Said {
    let removed: Vec<_> = folder.files(kid).iter().map(|file| shown(&file.path)).collect();
    let mut text = made.map(Made::text).unwrap_or_default();
    for file in &removed {
        text.push_str(&format!("removed {file}\n"));
    }
    let without = folder.set_without(kid);
    let signs = match (made, without.signer(folder.now)) {
        (Some(made), _) => Some(made.kid.clone()),
        (None, signer) => signer.map(|key| key.kid().to_owned()),
    };
    let place = shown(&folder.path);
    match &signs {
        Some(signs) => text.push_str(&format!("signs   {signs}\n")),
        None => text.push_str(&format!(
            "no key signs now: `identity-keys generate --dir {place} --nbf now` makes one\n"
        )),
    }
    text.push_str(&format!(
        "\nEvery process that reads {place} refuses the tokens of {kid} within 30 s, for ever.\n\
         Next:\n\
         - Users with such a token log in again; there is nothing to do for them.\n\
         - A process with an inline set (identity.jwt.jwks) needs the new set and a restart.\n\
         - A service that fetches the JWKS may keep the key for 5 minutes, or as long as it caches.\n\
         - Copies of this directory (backups, other machines, images) still hold the key.\n\
         - Find out how it leaked before you trust the next one.\n"
    ));
    let json = json!({
        "retired": kid,
        "removed": removed,
        "made": made.map(Made::json),
        "signs": signs,
        "notes": notes,
    });
    Said { text, json, notes }
}
