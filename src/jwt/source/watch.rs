//! src/jwt/source/watch.rs: a key directory that is read again while the process runs.
//!
//! A change counts when two looks in a row agree on it: a file that is half written, or a directory
//! of links that is half swapped, then costs no good token a 401.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time;

use super::advice;
use super::files::Look;
use super::reader::Reader;
use super::sift::{self, Before, Found, Held, Sifted};
use crate::clock::{Clock, Time};
use crate::config::doctor::Finding;
use crate::jwt::keyset::{KeySet, Keys};
use crate::secret::Digest;

/// Between two looks. Within 30 s a change must count.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// So many whole looks in a row that find something new and never the same: the last one counts.
const PATIENCE: u32 = 5;

/// The task that reads a directory again; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub struct Watcher {
    reader: Reader,
    keys: Arc<Keys>,
    clock: Clock,
    /// The look that counts.
    counted: Digest,
    held: Held,
    /// What was said about it.
    reported: Vec<Found>,
    /// The last look, where it differs from the one that counts.
    pending: Option<Digest>,
    /// How many whole ones in a row did.
    unsettled: u32,
    /// The directory cannot be read, and that was reported.
    away: bool,
}

impl Watcher {
    /// Watches what was read at launch: `keys` are those of a look with the digest `counted`.
    pub fn new(
        reader: Reader,
        keys: Arc<Keys>,
        clock: Clock,
        counted: Digest,
        (held, reported): (Held, Vec<Found>),
    ) -> Self {
        let (pending, unsettled, away) = (None, 0, false);
        Watcher { reader, keys, clock, counted, held, reported, pending, unsettled, away }
    }

    /// Looks again and again.
    pub fn every(mut self, pause: Duration) -> Watch {
        Watch(tokio::spawn(async move {
            loop {
                time::sleep(pause).await;
                for line in self.look().await {
                    line.say();
                }
            }
        }))
    }

    /// Looks once, and says what there is to say.
    pub async fn look(&mut self) -> Vec<Line> {
        match self.reader.look().await {
            Ok(look) => self.take(look).await,
            Err(error) => self.keep_last(&error.to_string()),
        }
    }

    async fn take(&mut self, look: Look) -> Vec<Line> {
        let mut lines = Vec::new();
        if std::mem::take(&mut self.away) {
            let text = format!("{} can be read again", self.place());
            lines.push(Line::Info(text));
        }
        if look.digest == self.counted {
            (self.pending, self.unsettled) = (None, 0);
            return lines;
        }
        let agrees = self.pending == Some(look.digest);
        self.pending = Some(look.digest);
        // A torn look counts if the next one finds the same, and never because patience ends.
        self.unsettled += u32::from(!look.torn);
        if agrees || (self.unsettled >= PATIENCE && !look.torn) {
            lines.extend(self.count(look).await);
        }
        lines
    }

    /// Puts the keys of `look` in use.
    async fn count(&mut self, look: Look) -> Vec<Line> {
        let (directory, now) = (self.reader.directory.clone(), self.clock.now());
        let (held, present) = (self.held.clone(), self.keys.current());
        let digest = look.digest;
        let sifted = spawn_blocking(move || {
            sift::sift(&look, Before::Running(&held, &present), &directory, now)
        });
        let Sifted { set, held, found } = match sifted.await {
            Ok(sifted) => sifted,
            Err(error) => return self.keep_last(&error.to_string()),
        };
        let mut lines: Vec<_> = found
            .iter()
            .filter(|found| !self.reported.contains(found))
            .map(|found| Line::Warn(found.finding.clone()))
            .collect();
        if held != self.held {
            let (changes, signs) = (changes(&self.held, &held), signs(&set, now));
            let place = self.place();
            lines.push(Line::Info(format!("the keys in {place} changed: {changes}; {signs}")));
            self.keys.replace(set);
        }
        (self.counted, self.held, self.reported) = (digest, held, found);
        (self.pending, self.unsettled) = (None, 0);
        lines
    }

    /// The last good set stays; this is said once until the directory can be read again.
    fn keep_last(&mut self, reason: &str) -> Vec<Line> {
        (self.pending, self.unsettled) = (None, 0);
        if std::mem::replace(&mut self.away, true) {
            return Vec::new();
        }
        let place = self.place();
        let text = format!(
            "the key directory {place} cannot be read: {reason}; the keys that were read last stay \
             in use until it can"
        );
        vec![Line::Warn(Finding::warn("RI030", text))]
    }

    fn place(&self) -> String {
        advice::shown(&self.reader.directory)
    }
}

/// A line for the log.
#[derive(PartialEq, Eq, Debug)]
pub enum Line {
    Warn(Finding),
    Info(String),
}

impl Line {
    fn say(&self) {
        match self {
            Line::Warn(finding) => tracing::warn!(target: "rocket_identity", "{finding}"),
            Line::Info(text) => tracing::info!(target: "rocket_identity", "{text}"),
        }
    }
}

fn changes(old: &Held, new: &Held) -> String {
    let by_kid = |held: &Held| -> BTreeMap<_, _> {
        held.iter().map(|(path, h)| (h.kid.clone(), (path.clone(), h.digest))).collect()
    };
    let (old, new) = (by_kid(old), by_kid(new));
    let added: Vec<_> = new.keys().filter(|kid| !old.contains_key(*kid)).cloned().collect();
    let removed: Vec<_> = old.keys().filter(|kid| !new.contains_key(*kid)).cloned().collect();
    let differs = |kid: &&String| old.get(*kid).is_some_and(|other| new.get(*kid) != Some(other));
    let changed: Vec<_> = new.keys().filter(differs).cloned().collect();
    let kinds = [("added", added), ("removed", removed), ("changed", changed)];
    let kinds = kinds.into_iter().filter(|(_, kids)| !kids.is_empty());
    kinds.map(|(kind, kids)| format!("{kind} {}", kids.join(", "))).collect::<Vec<_>>().join("; ")
}

fn signs(set: &KeySet, now: Time) -> String {
    let present = match set.signer(now) {
        Some(key) => format!("{} signs now", key.kid()),
        None => "no key signs now".to_owned(),
    };
    match advice::next_signer(set, now) {
        Some((key, start)) => {
            format!("{present}, {} from {}", key.kid(), advice::written(start))
        }
        None => present,
    }
}
