//! src/jwt/source/sift.rs: which files of a look are keys to use, and what to say of the others.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::advice;
use super::files::{KeyFile, Look};
use super::twins::drop_twins;
use crate::clock::Time;
use crate::config::doctor::{Finding, Severity};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::key::Key;
use crate::jwt::keyset::KeySet;
use crate::secret::Digest;

/// A key that appears in a running process without `nbf` signs after so many seconds: by then every
/// other process has read it too.
const FIRST_SEEN: u64 = 60;

/// The keys that are in use, by file.
pub type Held = HashMap<PathBuf, Holding>;

/// A key in use: what it was read from, and what it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct Holding {
    pub kid: String,
    algorithm: Algorithm,
    /// Of the key, whatever else is in its file.
    material: Digest,
    /// Of the file.
    pub digest: Digest,
    /// The moment from which it signs, where the file has none and the process was running.
    given: Option<u64>,
}

/// A look that was understood.
pub struct Sifted {
    pub set: KeySet,
    pub held: Held,
    pub found: Vec<Found>,
}

/// A finding and the content that it is about: the same is reported once.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    pub finding: Finding,
    pub about: Option<Digest>,
}

/// A file and the key in it.
pub struct Good<'l> {
    pub file: &'l KeyFile,
    pub key: Arc<Key>,
    holding: Holding,
}

/// What was known before a look.
#[derive(Clone, Copy)]
pub enum Before<'h> {
    /// Nothing: the process is being launched, and what is dangerous refuses.
    Launch,
    /// These keys, in this set: the process runs on, and what is dangerous is skipped.
    Running(&'h Held, &'h KeySet),
}

/// Reads every key of `look`; blocks for as long as that takes.
pub fn sift(look: &Look, before: Before<'_>, directory: &Path, now: Time) -> Sifted {
    let seconds = now.millis() / 1000;
    let Sifted { mut set, mut held, mut found } =
        take(look, before, directory, seconds + FIRST_SEEN);
    let waits = |held: &Held| held.values().any(|holding| holding.given > Some(seconds));
    if set.signer(now).is_none() && waits(&held) {
        // Nobody else signs: for a minute no login at all would be worse than a token that a process
        // which reads the directory a little later refuses.
        Sifted { set, held, found } = take(look, before, directory, seconds);
    }
    let refused = matches!(before, Before::Launch)
        && found.iter().any(|found| found.finding.severity == Severity::Refuse);
    if !refused {
        let finding = match is_usable(&set, now) {
            true => advice::nobody_signs(&advice::shown(directory), directory, &set, now),
            false => Some(advice::nothing_usable(directory, &set)),
        };
        found.extend(finding.map(|finding| Found { finding, about: None }));
    }
    if matches!(before, Before::Running(..)) {
        found.iter_mut().for_each(|found| found.finding.severity = Severity::Warn);
    }
    Sifted { set, held, found }
}

/// Whether a key of the set verifies now.
pub fn is_usable(set: &KeySet, now: Time) -> bool {
    let seconds = now.millis() / 1000;
    set.iter().any(|key| key.expires().is_none_or(|end| seconds < end))
}

/// The keys of `look`; a new one without `nbf` signs from `latest` on.
fn take(look: &Look, before: Before<'_>, directory: &Path, latest: u64) -> Sifted {
    let (mut good, mut found) = (Vec::new(), Vec::new());
    for file in &look.files {
        match file.key() {
            Ok(key) => good.push(Good::new(file, key, before, latest)),
            Err(error) => match Good::kept(file, before) {
                Some(kept) => {
                    found.push(of_file(advice::kept(&file.path), file));
                    good.push(kept);
                }
                None => {
                    let place = advice::shown(&file.path);
                    found.push(of_file(advice::flaw(&place, &error), file));
                }
            },
        }
    }
    let strangers = look.strangers.iter().map(|path| advice::stranger(path));
    let of_no_file = |finding| Found { finding, about: None };
    found.extend(strangers.map(of_no_file));
    drop_twins(&mut good, &mut found, before);
    found.extend(advice::of_directory(look, directory).map(of_no_file));
    for Good { file, key, .. } in &good {
        found.extend(advice::of_key(key, file).into_iter().map(|finding| of_file(finding, file)));
    }
    let held = good.iter().map(|one| (one.file.path.clone(), one.holding.clone())).collect();
    let set = KeySet::new(good.into_iter().map(|one| one.key)).unwrap_or_else(|error| {
        found.push(of_no_file(advice::flaw(&advice::shown(directory), &error)));
        KeySet::default()
    });
    Sifted { set, held, found }
}

fn of_file(finding: Finding, file: &KeyFile) -> Found {
    Found { finding, about: Some(file.digest) }
}

impl<'l> Good<'l> {
    fn new(file: &'l KeyFile, key: Key, before: Before<'_>, latest: u64) -> Self {
        let mut holding = Holding {
            kid: file.kid.clone(),
            algorithm: key.algorithm(),
            material: key.fingerprint(),
            digest: file.digest,
            given: None,
        };
        // At launch a key without `nbf` counts as 0. While running it is given a moment, which it
        // keeps for as long as it is the same key, whatever else changes in its file.
        if let Before::Running(held, _) = before
            && key.not_before().is_none()
            && key.can_sign()
        {
            let mut same = held.values().filter(|other| other.is_same_key(&holding));
            holding.given = match same.next() {
                Some(other) => other.given.map(|given| given.min(latest)),
                None => Some(latest),
            };
        }
        let key = match holding.given {
            Some(seconds) => key.with_not_before(seconds),
            None => key,
        };
        Good { file, key: Arc::new(key), holding }
    }

    /// The key that was read from a file which is there and may not be read any more. A key is
    /// retired by removing its file: rights that were set wrong must not log everybody out.
    fn kept(file: &'l KeyFile, before: Before<'_>) -> Option<Self> {
        let Before::Running(held, set) = before else { return None };
        let holding = held.get(&file.path).filter(|_| file.is_denied())?.clone();
        let key = set.iter().find(|key| key.kid() == holding.kid)?.clone();
        Some(Good { file, key, holding })
    }
}

impl Before<'_> {
    /// Whether this file was in use with this key.
    pub fn held(self, one: &Good<'_>) -> bool {
        let Before::Running(held, _) = self else { return false };
        held.get(&one.file.path).is_some_and(|holding| holding.is_same_key(&one.holding))
    }
}

impl Holding {
    fn is_same_key(&self, other: &Holding) -> bool {
        (&self.kid, self.algorithm, self.material) == (&other.kid, other.algorithm, other.material)
    }
}
