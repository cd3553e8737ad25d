//! src/jwt/source/advice.rs: what to say of keys, their files and their directory, and how to put it
//! right.

use std::path::Path;
use std::time::SystemTime;

use super::files::{KeyFile, Look};
use crate::clock::Time;
use crate::config::doctor::Finding;
use crate::jwt::key::{Key, KeyError};
use crate::jwt::keyset::KeySet;

/// What a bad key is worth a report: a dangerous one refuses the launch, another costs itself.
pub fn flaw(place: &str, error: &KeyError) -> Finding {
    match error {
        KeyError::Weak(text) => Finding::refuse("RI028", format!("{place} is not used: {text}")),
        KeyError::Unreadable(text) => Finding::warn("RI029", format!("{place} is skipped: {text}")),
    }
}

pub fn stranger(path: &Path) -> Finding {
    let text = format!(
        "{} is ignored: key files are named <kid>.jwk or <kid>.pem; move it elsewhere, or put a dot \
         in front of its name",
        shown(path)
    );
    Finding::warn("RI029", text)
}

/// A file whose key is in use, and which may not be read any more.
pub fn kept(path: &Path) -> Finding {
    let text = format!(
        "{} may not be read any more: the key that was read from it stays in use until the process \
         ends; let the application read it, or remove the file to retire its key",
        shown(path)
    );
    Finding::warn("RI029", text)
}

/// Of a good key.
pub fn of_key(key: &Key, file: &KeyFile) -> Vec<Finding> {
    let (place, mut findings) = (shown(&file.path), Vec::new());
    if file.rights.all_read() && (key.can_sign() || key.is_symmetric()) {
        let text = format!(
            "every user of this machine can read {place}, and whoever reads it can log in as \
             anybody; run `chmod o-rwx {}` (a Kubernetes volume: defaultMode 0400)",
            quoted(&file.path)
        );
        findings.push(Finding::warn("RI031", text));
    }
    if let Some(who) = writers(file.rights) {
        let text = format!(
            "{who} can write {place}, and whoever puts a key of their own there can log in as \
             anybody; run `chmod go-w {}`",
            quoted(&file.path)
        );
        findings.push(Finding::warn("RI031", text));
    }
    let warnings = key.warnings().into_iter();
    findings.extend(warnings.map(|text| Finding::warn("RI034", format!("{place}: {text}"))));
    findings
}

pub fn of_directory(look: &Look, directory: &Path) -> Option<Finding> {
    let text = format!(
        "{} can make files in {}, and whoever puts a key of their own there can log in as anybody; \
         run `chmod go-w {}`",
        writers(look.rights)?,
        shown(directory),
        quoted(directory)
    );
    Some(Finding::warn("RI031", text))
}

fn writers(rights: super::files::Rights) -> Option<&'static str> {
    match (rights.all_write(), rights.group_writes()) {
        (true, _) => Some("every user of this machine"),
        (false, true) => Some("every user of its group"),
        (false, false) => None,
    }
}

pub fn nothing_usable(directory: &Path, set: &KeySet) -> Finding {
    let what = match set.is_empty() {
        true => "holds no usable key",
        false => "holds no key that is not past its `exp`",
    };
    let text = format!(
        "{} {what}: no token can be signed or verified; make one with `identity-keys generate \
         --dir {}`",
        shown(directory),
        quoted(directory)
    );
    Finding::refuse("RI030", text)
}

/// Keys that verify, and none that signs: it may be meant, where tokens are made elsewhere.
pub fn nobody_signs(place: &str, directory: &Path, set: &KeySet, now: Time) -> Option<Finding> {
    if set.signer(now).is_some() {
        return None;
    }
    let until = match next_signer(set, now) {
        Some((key, start)) => format!("until {}, when {} begins", written(start), key.kid()),
        None => "until there is a private key (public ones alone are enough where another \
                 application makes the tokens)"
            .to_owned(),
    };
    let text = format!(
        "no key in {place} signs: logins fail {until}; `identity-keys generate --dir {} --nbf now` \
         makes one that signs at once",
        quoted(directory)
    );
    Some(Finding::warn("RI030", text))
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

/// A path as one word of a command for a shell.
pub fn quoted(path: &Path) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    match shown(path) {
        word if !word.is_empty() && word.chars().all(plain) => word,
        word => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// For people: UTC (RFC 3339).
pub fn written(seconds: u64) -> String {
    let moment = SystemTime::from(Time::from_millis(seconds.saturating_mul(1000)));
    humantime::format_rfc3339_seconds(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_command_whatever_is_in_it() {
        for (path, word) in [
            ("/srv/app/keys", "/srv/app/keys"),
            ("my keys", "'my keys'"),
            ("a$(b)`c`;d", "'a$(b)`c`;d'"),
            ("it's", r"'it'\''s'"),
            ("a\nb", "'a\u{fffd}b'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
