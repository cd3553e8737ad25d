//! src/jwt/source.rs: where keys come from: a directory that is read again while the process runs,
//! or one inline set.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::jwks::parse_jwks;
use super::key::{Key, KeyError};
use super::keyset::{KeySet, Keys};
use crate::clock::{Clock, Time};
use crate::config::doctor::{Finding, Severity};
use crate::secret;

pub mod advice;
pub mod files;
mod reader;
pub mod sift;
mod twins;
mod watch;

#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use watch::Watch;

use reader::Reader;
use sift::{Before, Sifted};
use watch::{LOOK_EVERY, Watcher};

/// One of two; `Debug` prints no key.
pub enum Source {
    /// Files `<kid>.jwk` and `<kid>.pem`.
    Directory(PathBuf),
    /// A JWKS (RFC 7517 section 5) as text, for secrets that come by the environment.
    Inline(Zeroizing<String>),
}

/// Keys in use, and what to say about them at launch; none of it refuses.
#[derive(Debug)]
pub struct Opened {
    pub keys: Arc<Keys>,
    pub findings: Vec<Finding>,
    /// Reads a directory again for as long as it is kept.
    pub watch: Option<Watch>,
}

impl Source {
    /// Reads the keys, and begins to watch a directory. An error has every finding, of which at least
    /// one refuses the launch.
    pub async fn open(self, clock: Clock) -> Result<Opened, Vec<Finding>> {
        match self {
            Source::Directory(directory) => open_directory(directory, clock).await,
            Source::Inline(text) => open_inline(&text, clock.now()),
        }
    }
}

/// A key that ends with the process, for a launch in debug without keys.
pub fn ephemeral() -> Result<Opened, Vec<Finding>> {
    let failed = |text: String| vec![Finding::refuse("RI030", text)];
    // A name of its own for each process: a token of the last one names a key that is gone.
    let random = secret::random_bytes::<6>().map_err(|error| failed(error.to_string()))?;
    let kid = format!("ephemeral-{}", secret::encode(&random));
    let made = Key::ephemeral(&kid).and_then(|key| KeySet::new([key]));
    let set = made.map_err(|error| failed(error.to_string()))?;
    Ok(Opened { keys: Arc::new(Keys::new(set)), findings: Vec::new(), watch: None })
}

async fn open_directory(directory: PathBuf, clock: Clock) -> Result<Opened, Vec<Finding>> {
    let (now, mut reader) = (clock.now(), Reader::new(directory.clone()));
    let unread = |error: String| vec![away(&directory, &error)];
    let look = reader.look().await.map_err(|error| unread(error.to_string()))?;
    let (digest, place) = (look.digest, directory.clone());
    let sifted = spawn_blocking(move || sift::sift(&look, Before::Launch, &place, now)).await;
    let Sifted { set, held, found } = sifted.map_err(|error| unread(error.to_string()))?;
    let findings = unless_refused(found.iter().map(|found| found.finding.clone()).collect())?;
    let keys = Arc::new(Keys::new(set));
    let watcher = Watcher::new(reader, keys.clone(), clock, digest, (held, found));
    Ok(Opened { keys, findings, watch: Some(watcher.every(LOOK_EVERY)) })
}

fn open_inline(text: &str, now: Time) -> Result<Opened, Vec<Finding>> {
    const PLACE: &str = "identity.jwt.jwks";
    let nothing = |what: &str| {
        let text = format!(
            "{PLACE} {what}: no token can be signed or verified; make a key with `identity-keys \
             generate --dir DIR` and the set with `identity-keys jwks --dir DIR --private \
             --yes-print-secrets`"
        );
        vec![Finding::refuse("RI030", text)]
    };
    let (keys, bad) =
        parse_jwks(text).map_err(|error| nothing(&format!("is not read ({error})")))?;
    let mut findings: Vec<_> =
        bad.iter().map(|(place, error)| advice::flaw(&format!("{PLACE} {place}"), error)).collect();
    for text in keys.iter().flat_map(Key::warnings) {
        findings.push(Finding::warn("RI034", format!("{PLACE}: {text}")));
    }
    let set = KeySet::new(keys).unwrap_or_else(|error: KeyError| {
        findings.push(advice::flaw(PLACE, &error));
        KeySet::default()
    });
    findings.extend(twins::of_set(PLACE, set.iter().map(|key| &**key)));
    let mut findings = unless_refused(findings)?;
    if !sift::is_usable(&set, now) {
        return Err([findings, nothing("holds no usable key")].concat());
    }
    findings.extend(advice::nobody_signs(PLACE, Path::new("DIR"), &set, now));
    Ok(Opened { keys: Arc::new(Keys::new(set)), findings, watch: None })
}

fn unless_refused(findings: Vec<Finding>) -> Result<Vec<Finding>, Vec<Finding>> {
    match findings.iter().any(|finding| finding.severity == Severity::Refuse) {
        true => Err(findings),
        false => Ok(findings),
    }
}

fn away(directory: &Path, reason: &str) -> Finding {
    let text = format!(
        "the key directory {} cannot be read: {reason}; correct identity.jwt.keys, or make it with \
         `identity-keys generate --dir {}`",
        advice::shown(directory),
        advice::quoted(directory)
    );
    Finding::refuse("RI030", text)
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Directory(path) => f.debug_tuple("Directory").field(path).finish(),
            Source::Inline(_) => f.write_str("Inline(..)"),
        }
    }
}
