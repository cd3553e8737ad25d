//! src/jwt/source/sift.rs: which files of a look are keys to use, and what to say of the others.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::files::{KeyFile, Look};
use crate::clock::Time;
use crate::config::doctor::{Finding, Severity};
use crate::jwt::key::{Key, KeyError};
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
    pub digest: Digest,
    /// The moment from which it signs, where the file has none and the process was running.
    pub given: Option<u64>,
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

/// What was known before a look.
#[derive(Clone, Copy)]
pub enum Before<'h> {
    /// Nothing: the process is being launched, and what is dangerous refuses.
    Launch,
    /// These keys: the process runs on, and what is dangerous is skipped.
    Running(&'h Held),
}

/// Reads every key of `look`; blocks for as long as that takes.
pub fn sift(look: &Look, before: Before<'_>, directory: &Path, now: Time) -> Sifted {
    let (mut good, mut found) = (Vec::new(), Vec::new());
    for file in &look.files {
        match file.key() {
            Ok(key) => good.push((file, key)),
            Err(error) => found.push(of_file(flaw(&shown(&file.path), &error), file)),
        }
    }
    found.extend(
        look.strangers.iter().map(|path| Found { finding: stranger(&shown(path)), about: None }),
    );
    drop_duplicates(&mut good, &mut found, before);
    let (mut keys, mut held) = (Vec::new(), Held::new());
    for (file, key) in good {
        found.extend(advice(&key, file).into_iter().map(|finding| of_file(finding, file)));
        let given = given(&key, file, before, now);
        let kid = file.kid.clone();
        held.insert(file.path.clone(), Holding { kid, digest: file.digest, given });
        keys.push(match given {
            Some(seconds) => key.with_not_before(seconds),
            None => key,
        });
    }
    let set = KeySet::new(keys).unwrap_or_else(|error| {
        found.push(Found { finding: flaw(&shown(directory), &error), about: None });
        KeySet::default()
    });
    let refused = matches!(before, Before::Launch)
        && found.iter().any(|found| found.finding.severity == Severity::Refuse);
    if !refused && !is_usable(&set, now) {
        found.push(Found { finding: nothing_usable(directory, &set), about: None });
    }
    if matches!(before, Before::Running(_)) {
        found.iter_mut().for_each(|found| found.finding.severity = Severity::Warn);
    }
    Sifted { set, held, found }
}

/// What a bad key is worth a report: a dangerous one refuses the launch, another costs itself.
pub fn flaw(place: &str, error: &KeyError) -> Finding {
    match error {
        KeyError::Weak(text) => Finding::refuse("RI028", format!("{place} is not used: {text}")),
        KeyError::Unreadable(text) => Finding::warn("RI029", format!("{place} is skipped: {text}")),
    }
}

/// Whether a key of the set verifies now.
pub fn is_usable(set: &KeySet, now: Time) -> bool {
    let seconds = now.millis() / 1000;
    set.iter().any(|key| key.expires().is_none_or(|end| seconds < end))
}

/// The key that signs after the present one, and from when.
pub fn next_signer(set: &KeySet, now: Time) -> Option<(&Key, u64)> {
    let seconds = now.millis() / 1000;
    set.iter()
        .filter(|key| key.can_sign())
        .filter_map(|key| Some((&**key, key.not_before()?)))
        .filter(|(key, start)| *start > seconds && key.expires().is_none_or(|end| end > *start))
        // Of two that begin together the one with the greater name signs.
        .reduce(|next, other| if other.1 <= next.1 { other } else { next })
}

/// A path for people: a name may hold anything, and a line of a log must stay one.
pub fn shown(path: &Path) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    path.display().to_string().chars().map(plain).collect()
}

fn of_file(finding: Finding, file: &KeyFile) -> Found {
    Found { finding, about: Some(file.digest) }
}

fn stranger(place: &str) -> Finding {
    let text = format!(
        "{place} is ignored: key files are named <kid>.jwk or <kid>.pem; move it elsewhere, or put \
         a dot in front of its name"
    );
    Finding::warn("RI029", text)
}

/// Two files of one name: the one that was in use stays, or neither is taken.
fn drop_duplicates(good: &mut Vec<(&KeyFile, Key)>, found: &mut Vec<Found>, before: Before<'_>) {
    // In the order of their names, so that reports come in one order.
    let mut count = BTreeMap::<_, Vec<_>>::new();
    for (file, _) in &*good {
        count.entry(file.kid.clone()).or_default().push(*file);
    }
    for (kid, twins) in count.into_iter().filter(|(_, files)| files.len() > 1) {
        let stays = twins.iter().find(|file| holding(file, before).is_some());
        good.retain(|(file, _)| {
            file.kid != kid || stays.is_some_and(|stays| stays.path == file.path)
        });
        let names: Vec<_> = twins.iter().map(|file| shown(&file.path)).collect();
        let outcome = match stays {
            Some(stays) => format!("{} was there before and stays", shown(&stays.path)),
            None => "none of them is used".to_owned(),
        };
        let text = format!(
            "{} have one name, {kid}: {outcome}; a `kid` names one key: rename or remove one",
            names.join(" and ")
        );
        let finding = Finding::refuse("RI028", text);
        let digests: Vec<_> = twins.iter().flat_map(|file| *file.digest.as_bytes()).collect();
        found.push(Found { finding, about: Some(Digest::of(&digests)) });
    }
}

fn holding<'h>(file: &KeyFile, before: Before<'h>) -> Option<&'h Holding> {
    let Before::Running(held) = before else { return None };
    held.get(&file.path).filter(|holding| holding.digest == file.digest)
}

/// The moment that a private key without `nbf` is given: none at launch, and once it has one it
/// keeps it for as long as its content is the same.
fn given(key: &Key, file: &KeyFile, before: Before<'_>, now: Time) -> Option<u64> {
    let Before::Running(_) = before else { return None };
    if key.not_before().is_some() || !key.can_sign() {
        return None;
    }
    match holding(file, before) {
        Some(holding) => holding.given,
        None => Some(now.millis() / 1000 + FIRST_SEEN),
    }
}

pub fn advice(key: &Key, file: &KeyFile) -> Vec<Finding> {
    let place = shown(&file.path);
    let mut findings = Vec::new();
    if file.open_to_all && (key.can_sign() || key.is_symmetric()) {
        let text = format!(
            "every user of this machine can read {place}, and whoever reads it can log in as \
             anybody; run `chmod o-rwx {place}` (a Kubernetes volume: defaultMode 0400)"
        );
        findings.push(Finding::warn("RI031", text));
    }
    let warnings = key.warnings().into_iter();
    findings.extend(warnings.map(|text| Finding::warn("RI034", format!("{place}: {text}"))));
    findings
}

fn nothing_usable(directory: &Path, set: &KeySet) -> Finding {
    let place = shown(directory);
    let what = match set.is_empty() {
        true => "holds no usable key",
        false => "holds no key that is not past its `exp`",
    };
    let text = format!(
        "{place} {what}: no token can be signed or verified; make one with `identity-keys \
         generate --dir {place}`"
    );
    Finding::refuse("RI030", text)
}
