//! src/jwt/source/files.rs: the files of a key directory as one look finds them.
//!
//! What is wrong with one file costs that file. What is wrong with the machine (no descriptor is
//! left, the disk or the network fails) says nothing about the keys, so it fails the whole look.

use std::fs::{self, File, Metadata};
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
    /// Who may do what with the directory itself.
    pub rights: Rights,
    /// A file vanished between its name and its content: the directory was in the middle of a change.
    pub torn: bool,
    /// Of names, contents and rights: two looks that agree found the same.
    pub digest: Digest,
}

/// `<kid>.jwk` or `<kid>.pem`.
pub struct KeyFile {
    pub path: PathBuf,
    pub kid: String,
    pub form: Form,
    /// What is in it, or why that cannot be known.
    pub content: io::Result<Zeroizing<Vec<u8>>>,
    pub rights: Rights,
    /// Of the content.
    pub digest: Digest,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Jwk,
    Pem,
}

/// What others than the owner may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rights(u32);

/// Reads a directory; blocks. Links are followed, directories and dot-files are nobody's business.
pub fn look(directory: &Path) -> io::Result<Look> {
    until_whole(|| look_once(directory))
}

/// A launch has one look, so what it found in the middle of a change it looks at again.
fn until_whole(mut look: impl FnMut() -> io::Result<Look>) -> io::Result<Look> {
    let mut tries = 1;
    loop {
        match look()? {
            found if found.torn && tries < TRIES => tries += 1,
            found => return Ok(found),
        }
    }
}

impl KeyFile {
    /// The key in it.
    pub fn key(&self) -> Result<Key, KeyError> {
        match (&self.content, self.form) {
            (Err(error), _) => Err(KeyError::Unreadable(format!("it cannot be read: {error}"))),
            (Ok(content), Form::Jwk) => Key::from_jwk(content, Some(&self.kid)),
            (Ok(content), Form::Pem) => Key::from_pem(content, &self.kid),
        }
    }

    /// It is there, and we may not read it.
    pub fn is_denied(&self) -> bool {
        self.content.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }
}

impl Rights {
    /// Any user of this machine.
    pub fn all_read(self) -> bool {
        self.0 & 0o004 != 0
    }

    pub fn all_write(self) -> bool {
        self.0 & 0o002 != 0
    }

    pub fn group_writes(self) -> bool {
        self.0 & 0o020 != 0
    }

    #[cfg(unix)]
    fn of(about: &Metadata) -> Self {
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
        Rights(mode & 0o026)
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Rights(0)
    }
}

fn look_once(directory: &Path) -> io::Result<Look> {
    let (mut files, mut strangers, mut torn) = (Vec::new(), Vec::new(), false);
    let mut rights = Rights::of(&fs::metadata(directory)?);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if name == "..data" {
            // Kubernetes mounts such a volume read-only, and leaves all rights on its mode.
            rights = Rights::default();
        }
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let about = of_this_file(&path, fs::metadata(&path))?;
        if about.as_ref().is_ok_and(Metadata::is_dir) {
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
        let (content, rights) = match about {
            Ok(about) => (of_this_file(&path, read(&path))?, Rights::of(&about)),
            Err(error) => (Err(error), Rights::default()),
        };
        torn |= content.as_ref().is_err_and(|error| has_vanished(&path, error));
        let digest = match &content {
            Ok(content) => Digest::of(content),
            Err(error) => Digest::of(error.to_string().as_bytes()),
        };
        files.push(KeyFile { path, kid, form, content, rights, digest });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    strangers.sort();
    let digest = digest(&files, &strangers, rights);
    Ok(Look { files, strangers, rights, torn, digest })
}

/// An error of one file stays with it: it is gone, a link that leads nowhere, or not ours to read.
/// Any other (no descriptor, no memory, a disk or a server that fails) would retire every good key.
fn of_this_file<T>(path: &Path, found: io::Result<T>) -> io::Result<io::Result<T>> {
    // No stable `ErrorKind` has it: too many links, as in one that leads to itself.
    const ELOOP: i32 = if cfg!(any(target_os = "linux", target_os = "android")) { 40 } else { 62 };
    let Err(error) = found else { return Ok(found) };
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => Ok(Err(error)),
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => {
            Ok(Err(error))
        }
        _ if error.raw_os_error() == Some(ELOOP) => Ok(Err(error)),
        kind => Err(io::Error::new(kind, format!("{}: {error}", path.display()))),
    }
}

/// Not a link that leads nowhere, which stays so.
fn has_vanished(path: &Path, error: &io::Error) -> bool {
    let gone =
        |about: io::Result<Metadata>| about.is_err_and(|error| error.kind() == ErrorKind::NotFound);
    error.kind() == ErrorKind::NotFound
        && (gone(fs::symlink_metadata(path)) || !gone(fs::metadata(path)))
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

fn digest(files: &[KeyFile], strangers: &[PathBuf], rights: Rights) -> Digest {
    let mut all = Vec::new();
    let mut add = |path: &Path, rest: &[u8]| {
        let name = path.as_os_str().as_encoded_bytes();
        all.extend_from_slice(&(name.len() as u64).to_le_bytes());
        all.extend_from_slice(name);
        all.extend_from_slice(rest);
    };
    add(Path::new(""), &rights.0.to_le_bytes());
    for file in files {
        add(&file.path, &file.rights.0.to_le_bytes());
        add(Path::new(""), file.digest.as_bytes());
    }
    for path in strangers {
        add(path, b"stranger");
    }
    Digest::of(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_directory_in_the_middle_of_a_change_is_taken_again_but_not_for_ever() {
        let found = |number: usize, torn| Look {
            files: Vec::new(),
            strangers: vec![PathBuf::from(number.to_string())],
            rights: Rights::default(),
            torn,
            digest: Digest::of(b""),
        };
        for (torn_looks, taken) in [(0, "1"), (1, "2"), (2, "3"), (9, "3")] {
            let mut count = 0;
            let look = until_whole(|| {
                count += 1;
                Ok(found(count, count <= torn_looks))
            });
            assert_eq!(look.unwrap().strangers, [Path::new(taken)]);
        }
        assert!(until_whole(|| Err(ErrorKind::NotFound.into())).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_what_is_wrong_with_the_file_itself_costs_that_file_alone() {
        let costs_one = |number| {
            of_this_file::<()>(Path::new("a.jwk"), Err(io::Error::from_raw_os_error(number)))
        };
        for (name, number) in [
            ("ENOENT", 2),
            ("EACCES", 13),
            ("EPERM", 1),
            ("ENOTDIR", 20),
            ("ENAMETOOLONG", 36),
            ("ELOOP", 40),
        ] {
            assert!(costs_one(number).is_ok_and(|kept| kept.is_err()), "{name}");
        }
        for (name, number) in [
            ("EIO", 5),
            ("ENXIO", 6),
            ("EAGAIN", 11),
            ("ENOMEM", 12),
            ("ENFILE", 23),
            ("EMFILE", 24),
            ("ENOTCONN", 107),
            ("ETIMEDOUT", 110),
            ("ESTALE", 116),
        ] {
            let error = costs_one(number).unwrap_err().to_string();
            assert!(error.starts_with("a.jwk: "), "{name}: {error}");
        }
        assert!(of_this_file(Path::new("a.jwk"), Ok(())).unwrap().is_ok());
    }
}
