//! src/cli/folder.rs: a key directory as the tool sees it: as a launch would, and file by file.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use super::{Refused, disk, refused};
use crate::clock::{Clock, Time};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::key::Key;
use crate::jwt::keyset::KeySet;
use crate::jwt::source::advice::{shown, written};
use crate::jwt::source::files::{self, KeyFile, Look};
use crate::jwt::source::sift::{self, Before, Found};
use crate::secret::{self, Digest};

pub struct Folder {
    pub path: PathBuf,
    pub look: Look,
    /// What a process that is launched now would use.
    pub set: KeySet,
    /// What it would say.
    pub found: Vec<Found>,
    pub now: Time,
    /// Of each file, what its key is made of.
    fingerprints: Vec<Option<Digest>>,
    _lock: Option<File>,
}

/// A key that was made.
pub struct Made {
    pub kid: String,
    pub algorithm: Algorithm,
    pub path: PathBuf,
    pub not_before: u64,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self, Refused> {
        Self::read(path, None)
    }

    /// For a command that writes.
    pub fn open_alone(path: &Path) -> Result<Self, Refused> {
        Self::read(path, disk::lock(path))
    }

    fn read(path: &Path, lock: Option<File>) -> Result<Self, Refused> {
        let look = files::look(path).map_err(|e| disk::failed(path, "cannot be read", &e))?;
        let now = Clock::system().now();
        let sift::Sifted { set, found, .. } = sift::sift(&look, Before::Launch, path, now);
        let of = |file: &KeyFile| file.key().ok().map(|key| key.fingerprint());
        let fingerprints = look.files.iter().map(of).collect();
        Ok(Folder { path: path.to_owned(), look, set, found, now, fingerprints, _lock: lock })
    }

    pub fn seconds(&self) -> u64 {
        self.now.millis() / 1000
    }

    /// The set as it is without these files.
    pub fn set_without(&self, files: &[&KeyFile]) -> KeySet {
        let gone = |file: &KeyFile| files.iter().any(|other| other.path == file.path);
        let others = self.look.files.iter().filter(|file| !gone(file));
        let used = others.filter(|file| self.key(&file.kid).is_some());
        KeySet::new(used.filter_map(|file| file.key().ok())).unwrap_or_default()
    }

    /// A key that is in use, or would be at a launch.
    pub fn key(&self, kid: &str) -> Option<&Key> {
        self.set.iter().find(|key| key.kid() == kid).map(|key| &**key)
    }

    pub fn files(&self, kid: &str) -> Vec<&KeyFile> {
        self.look.files.iter().filter(|file| file.kid == kid).collect()
    }

    /// Files of other names with the key of `file`: it would live on in them.
    pub fn twins(&self, file: &KeyFile) -> Vec<&KeyFile> {
        let each = || self.look.files.iter().zip(&self.fingerprints);
        let own = each().find(|(other, _)| other.path == file.path).and_then(|(_, own)| *own);
        let same = each().filter(|(_, other)| own.is_some() && **other == own);
        same.map(|(other, _)| other).filter(|other| other.kid != file.kid).collect()
    }

    /// Makes a private key and its file, with the owner and group of `like`.
    pub fn make(
        &self,
        kid: Option<String>,
        algorithm: Algorithm,
        not_before: u64,
        like: Option<&Metadata>,
    ) -> Result<Made, Refused> {
        let kid = match kid {
            Some(kid) => kid,
            None => self.fresh_kid()?,
        };
        if kid.starts_with('-') {
            return refused(format!(
                "a name such as {} reads like an option of every command; choose a --kid that does \
                 not start with -",
                kid.escape_debug()
            ));
        }
        if let Some(file) = self.files(&kid).first() {
            return Err(disk::exists(&file.path));
        }
        let made = Key::generate(&kid, algorithm, Some(not_before));
        let (_, mut jwk) = made.or_else(|error| refused(format!("no key is made: {error}")))?;
        jwk.push('\n');
        let path = self.path.join(format!("{kid}.jwk"));
        disk::create(&path, jwk.as_bytes(), like)?;
        Ok(Made { kid, algorithm, path, not_before })
    }

    /// The day, for people, and four characters, so that two of a day differ.
    fn fresh_kid(&self) -> Result<String, Refused> {
        const CHARACTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let random = secret::random_bytes::<4>().or_else(|error| refused(error.to_string()))?;
        let day: String = written(self.seconds()).chars().take(10).collect();
        let tail = random.map(|byte| char::from(CHARACTERS[usize::from(byte) % CHARACTERS.len()]));
        Ok(format!("{day}-{}", tail.iter().collect::<String>()))
    }

    /// About the file of a key, to make another like it.
    pub fn about(&self, kid: &str) -> Option<Metadata> {
        fs::metadata(&self.files(kid).first()?.path).ok()
    }
}

impl Made {
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "kid": self.kid,
            "alg": self.algorithm.name(),
            "file": shown(&self.path),
            "nbf": self.not_before,
        })
    }

    /// Two lines.
    pub fn text(&self) -> String {
        format!(
            "made    {} ({}), which signs from {}\nfile    {}\n",
            self.kid,
            self.algorithm,
            written(self.not_before),
            shown(&self.path)
        )
    }
}
