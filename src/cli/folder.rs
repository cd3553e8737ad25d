//! src/cli/folder.rs: a key directory as the tool sees it: as a launch would, and file by file.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use super::{Refused, disk, refused};
use crate::clock::{Clock, Time};
use crate::jwt::algorithm::Algorithm;
use crate::jwt::key::Key;
use crate::jwt::keyset::KeySet;
use crate::jwt::source::files::{self, KeyFile, Look};
use crate::jwt::source::sift::{self, Before, shown};
use crate::secret;

pub struct Folder {
    pub path: PathBuf,
    pub look: Look,
    /// What a process that is launched now would use.
    pub set: KeySet,
    pub now: Time,
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
        let set = sift::sift(&look, Before::Launch, path, now).set;
        Ok(Folder { path: path.to_owned(), look, set, now, _lock: lock })
    }

    pub fn seconds(&self) -> u64 {
        self.now.millis() / 1000
    }

    /// The set as it is without a name.
    pub fn set_without(&self, kid: &str) -> KeySet {
        let others = self.look.files.iter().filter(|file| file.kid != kid);
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
        let day: String = super::written(self.seconds()).chars().take(10).collect();
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
            super::written(self.not_before),
            shown(&self.path)
        )
    }
}
