//! src/jwt/source/files.rs: the files of a key directory as one look finds them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::jwt::key::{Key, KeyError, MAX_FILE};
use crate::secret::Digest;

/// Files of one directory.
const MAX_FILES: usize = 1000;

/// So often a directory is listed in one look while files vanish under it.
const TRIES: usize = 3;

/// What one look found.
pub struct Look {
    /// In the order of their names.
    pub files: Vec<KeyFile>,
    /// Files that are no keys by their name, or no files.
    pub strangers: Vec<PathBuf>,
    /// Of names, contents and rights: two looks that agree found the same.
    pub digest: Digest,
}

/// `<kid>.jwk` or `<kid>.pem`.
pub struct KeyFile {
    pub path: PathBuf,
    pub kid: String,
    pub form: Form,
    /// What is in it, or why that cannot be known.
    pub content: Result<Zeroizing<Vec<u8>>, String>,
    /// Any user of this machine may read it.
    pub open_to_all: bool,
    /// Of the content.
    pub digest: Digest,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Jwk,
    Pem,
}

/// Reads a directory; blocks. Links are followed, directories and dot-files are nobody's business.
pub fn look(directory: &Path) -> io::Result<Look> {
    until_whole(|| look_once(directory))
}

/// A launch has one look, so what it found in the middle of a change it looks at again.
fn until_whole<L>(mut look: impl FnMut() -> io::Result<(L, bool)>) -> io::Result<L> {
    let mut tries = 1;
    loop {
        match look()? {
            (_, true) if tries < TRIES => tries += 1,
            (found, _) => return Ok(found),
        }
    }
}

impl KeyFile {
    /// The key in it.
    pub fn key(&self) -> Result<Key, KeyError> {
        match (&self.content, self.form) {
            (Err(reason), _) => Err(KeyError::Unreadable(reason.clone())),
            (Ok(content), Form::Jwk) => Key::from_jwk(content, Some(&self.kid)),
            (Ok(content), Form::Pem) => Key::from_pem(content, &self.kid),
        }
    }
}

/// The look, and whether a file vanished between its name and its content: then the directory was
/// in the middle of a change.
fn look_once(directory: &Path) -> io::Result<(Look, bool)> {
    let (mut files, mut strangers, mut torn) = (Vec::new(), Vec::new(), false);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let about = fs::metadata(&path);
        if about.as_ref().is_ok_and(fs::Metadata::is_dir) {
            continue;
        }
        if files.len() + strangers.len() == MAX_FILES {
            return Err(io::Error::other(format!("it holds more than {MAX_FILES} files")));
        }
        let stands_apart = about.as_ref().is_ok_and(|about| !about.is_file());
        let named = name.to_str().and_then(named).map(|(kid, form)| (kid.to_owned(), form));
        let Some((kid, form)) = named.filter(|_| !stands_apart) else {
            strangers.push(path);
            continue;
        };
        let found = about.and_then(|about| Ok((read(&path)?, is_open_to_all(&about))));
        torn |= found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let (content, open_to_all) = match found {
            Ok((content, open)) => (Ok(content), open),
            Err(error) => (Err(format!("it cannot be read: {error}")), false),
        };
        let digest = match &content {
            Ok(content) => Digest::of(content),
            Err(reason) => Digest::of(reason.as_bytes()),
        };
        files.push(KeyFile { path, kid, form, content, open_to_all, digest });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    strangers.sort();
    let digest = digest(&files, &strangers);
    Ok((Look { files, strangers, digest }, torn))
}

fn named(name: &str) -> Option<(&str, Form)> {
    let jwk = name.strip_suffix(".jwk").map(|kid| (kid, Form::Jwk));
    jwk.or_else(|| name.strip_suffix(".pem").map(|kid| (kid, Form::Pem)))
}

/// At most one byte more than a key may have, which the key's reader then refuses.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it at once: growing would leave a copy behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE + 64));
    File::open(path)?.take(MAX_FILE as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(unix)]
fn is_open_to_all(about: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o004 != 0
}

#[cfg(not(unix))]
fn is_open_to_all(_: &fs::Metadata) -> bool {
    false
}

fn digest(files: &[KeyFile], strangers: &[PathBuf]) -> Digest {
    let mut all = Vec::new();
    let mut add = |path: &Path, rest: &[u8]| {
        let name = path.as_os_str().as_encoded_bytes();
        all.extend_from_slice(&(name.len() as u64).to_le_bytes());
        all.extend_from_slice(name);
        all.extend_from_slice(rest);
    };
    for file in files {
        add(&file.path, &[file.open_to_all.into()]);
        add(Path::new(""), file.digest.as_bytes());
    }
    for path in strangers {
        add(path, &[2]);
    }
    Digest::of(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_directory_in_the_middle_of_a_change_is_taken_again_but_not_for_ever() {
        for (torn_looks, taken) in [(0, 1), (1, 2), (2, 3), (9, 3)] {
            let mut count = 0;
            let found = until_whole(|| {
                count += 1;
                Ok((count, count <= torn_looks))
            });
            assert_eq!(found.unwrap(), taken);
        }
        assert!(until_whole::<()>(|| Err(ErrorKind::NotFound.into())).is_err());
    }
}
