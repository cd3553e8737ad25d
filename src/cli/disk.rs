//! src/cli/disk.rs: files with keys, written so that no reader ever sees a half of one, nobody but
//! their owner may read them, and none is overwritten unasked.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::Refused;
use crate::jwt::source::advice::shown;
use crate::secret;

/// Makes a directory that only its owner may enter.
pub fn make_directory(path: &Path) -> Result<(), Refused> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).map_err(|error| failed(path, "cannot be made", &error))
}

/// One tool at a time, for as long as the file is open; without locks (some network file systems)
/// whoever runs two at once must look.
pub fn lock(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    file.lock().ok().map(|()| file)
}

/// Writes a file that must not exist yet. It belongs to whom `like` belongs to, and its group may
/// read it where `like`'s may; without, to the directory's owner alone.
pub fn create(path: &Path, content: &[u8], like: Option<&Metadata>) -> Result<(), Refused> {
    let directory = fs::metadata(parent(path)).map_err(|error| unwritten(path, &error))?;
    let mode = like.map_or(0o600, |like| mode(like) & 0o640 | 0o600);
    let temporary = write_aside(path, content, mode, like.unwrap_or(&directory))?;
    let placed = place_new(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match placed {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(path)),
        placed => placed.and_then(|()| settle(path)).map_err(|error| unwritten(path, &error)),
    }
}

/// Puts new content in the place of a file at once; owner, group and rights stay.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Refused> {
    let like = fs::metadata(path).map_err(|error| unwritten(path, &error))?;
    let temporary = write_aside(path, content, mode(&like), &like)?;
    fs::rename(&temporary, path).and_then(|()| settle(path)).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        unwritten(path, &error)
    })
}

/// Removes a file, for good once this returns.
pub fn remove(path: &Path) -> Result<(), Refused> {
    let removed = fs::remove_file(path).and_then(|()| settle(path));
    removed.map_err(|error| failed(path, "cannot be removed", &error))
}

pub fn exists(path: &Path) -> Refused {
    let text = format!(
        "{} exists, and no key is overwritten; choose another --kid, or retire that key first",
        shown(path)
    );
    Refused { code: 1, text }
}

pub fn failed(path: &Path, what: &str, error: &io::Error) -> Refused {
    let fix = match error.kind() {
        ErrorKind::PermissionDenied => "; run this as the user that owns it",
        ErrorKind::ReadOnlyFilesystem => "; change the keys where this directory is made from",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room",
        ErrorKind::NotFound => "; name it with --dir, or make it with `identity-keys generate`",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "; name a directory with --dir",
        _ => "",
    };
    Refused { code: 1, text: format!("{} {what}: {error}{fix}", shown(path)) }
}

fn unwritten(path: &Path, error: &io::Error) -> Refused {
    failed(path, "cannot be written", error)
}

/// The content in a dot-file of the same directory, on the disk.
fn write_aside(
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: &Metadata,
) -> Result<PathBuf, Refused> {
    let failed = |error| unwritten(path, &error);
    let random = secret::random_bytes::<9>().map_err(|error| failed(io::Error::other(error)))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", secret::encode(&random)));
    let temporary = path.with_file_name(name);
    let written = write_new(&temporary, content, mode, owner);
    written.map(|()| temporary.clone()).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}

fn write_new(path: &Path, content: &[u8], mode: u32, owner: &Metadata) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    give_to(&file, mode, owner)?;
    file.write_all(content)?;
    file.sync_all()
}

/// The application, which is to read the key, need not be the user that runs the tool.
#[cfg(unix)]
fn give_to(file: &File, mode: u32, owner: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let own = file.metadata()?;
    let group_reads = mode & 0o040 != 0;
    if own.uid() != owner.uid() || (group_reads && own.gid() != owner.gid()) {
        fchown(file, Some(owner.uid()), Some(owner.gid())).map_err(|error| {
            let text = format!("it must belong to user {}, who reads it: {error}", owner.uid());
            io::Error::new(error.kind(), text)
        })?;
    }
    // Not by the mode of `open`, from which the umask takes away.
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn give_to(_: &File, _: u32, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn mode(about: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(about) & 0o777
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0o600
}

/// A rename that overwrites nothing: a second name for the file fails where the name is taken.
fn place_new(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => place_reserved(temporary, path),
        linked => linked,
    }
}

/// For file systems without second names: an empty file keeps the place.
fn place_reserved(temporary: &Path, path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    fs::rename(temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

/// A name is on the disk when its directory is.
fn settle(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(parent(path))?.sync_all()?;
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_overwritten_by_either_way() {
        let name = format!("rocket-identity-disk-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let (new, taken) = (folder.join("new"), folder.join("taken"));
        fs::write(&taken, "old").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join("link")).unwrap();
        for place in [place_new, place_reserved] {
            for name in ["taken", "link"] {
                fs::write(&new, "new").unwrap();
                let error = place(&new, &folder.join(name)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{name}");
            }
            let free = folder.join("free");
            place(&new, &free).unwrap();
            assert_eq!(fs::read_to_string(&free).unwrap(), "new");
            fs::remove_file(&free).unwrap();
        }
        assert_eq!(fs::read_to_string(&taken).unwrap(), "old");
        let refused = create(&taken, b"new", None).unwrap_err();
        assert!(refused.text.contains("exists"), "{}", refused.text);
        fs::remove_dir_all(&folder).unwrap();
    }
}
