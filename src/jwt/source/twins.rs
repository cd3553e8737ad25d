//! src/jwt/source/twins.rs: two keys of one name, and one key of two names.
//!
//! A `kid` names one key, or it is chance which one verifies. And one key has one `kid` and one
//! algorithm (RFC 8725 section 3.1), or retiring it under one name leaves it in use under the other.

use std::collections::BTreeMap;

use super::advice::shown;
use super::sift::{Before, Found, Good};
use crate::config::doctor::Finding;
use crate::jwt::key::Key;
use crate::secret::Digest;

/// Of two files of one name or of one key, the one that was in use stays, or neither is taken.
pub fn drop_twins(good: &mut Vec<Good<'_>>, found: &mut Vec<Found>, before: Before<'_>) {
    let by_name = |one: &Good<'_>| Digest::of(one.file.kid.as_bytes());
    drop_by(good, found, before, by_name, |files, outcome, kid| {
        format!(
            "{files} have one name, {kid}: {outcome}; a `kid` names one key: rename or remove one"
        )
    });
    let by_material = |one: &Good<'_>| one.key.fingerprint();
    drop_by(good, found, before, by_material, |files, outcome, _| {
        format!(
            "{files} hold one key under two names: {outcome}; to retire one name would leave the key \
             in use under the other: remove one file, and where both names are needed make a new \
             key for one with `identity-keys generate`"
        )
    });
}

/// The same of a set, whose keys have distinct names.
pub fn of_set<'k>(place: &str, keys: impl Iterator<Item = &'k Key>) -> Vec<Finding> {
    let mut names = BTreeMap::<_, Vec<_>>::new();
    for key in keys {
        names.entry(key.fingerprint()).or_default().push(key.kid());
    }
    let twins = names.into_values().filter(|names| names.len() > 1);
    let text = |names: Vec<&str>| {
        format!(
            "{place} holds one key under two names, {}: none of them is used; to retire one name \
             would leave the key in use under the other: remove one, and where both names are \
             needed make a new key for one with `identity-keys generate`",
            names.join(" and ")
        )
    };
    twins.map(|names| Finding::refuse("RI028", text(names))).collect()
}

fn drop_by(
    good: &mut Vec<Good<'_>>,
    found: &mut Vec<Found>,
    before: Before<'_>,
    what: impl Fn(&Good<'_>) -> Digest,
    text: impl Fn(&str, &str, &str) -> String,
) {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for one in &*good {
        groups.entry(what(one)).or_default().push(one.file);
    }
    let mut groups: Vec<_> = groups.into_iter().filter(|(_, files)| files.len() > 1).collect();
    // In the order of their names, so that reports come in one order.
    groups.sort_by(|(_, a), (_, b)| a[0].path.cmp(&b[0].path));
    for (shared, twins) in groups {
        let was_there = |one: &&Good<'_>| what(one) == shared && before.held(one);
        let stays = good.iter().find(was_there).map(|one| one.file.path.clone());
        good.retain(|one| what(one) != shared || stays.as_ref() == Some(&one.file.path));
        let outcome = match &stays {
            Some(stays) => format!("{} was there before and stays", shown(stays)),
            None => "none of them is used".to_owned(),
        };
        let names: Vec<_> = twins.iter().map(|file| shown(&file.path)).collect();
        let finding = Finding::refuse("RI028", text(&names.join(" and "), &outcome, &twins[0].kid));
        let digests: Vec<_> = twins.iter().flat_map(|file| *file.digest.as_bytes()).collect();
        found.push(Found { finding, about: Some(Digest::of(&digests)) });
    }
}
