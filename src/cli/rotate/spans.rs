//! src/cli/rotate/spans.rs: from when the next key signs and until when the present one verifies, so
//! that at no moment no key signs, and no good token is refused.

use std::time::Duration;

use super::Options;
use crate::cli::folder::Folder;
use crate::cli::{Refused, refused};
use crate::config::jwt::MAX_TTL;
use crate::jwt::END_OF_TIME;
use crate::jwt::keyset::KeySet;
use crate::jwt::source::advice::{quoted, shown, written};

/// Every process has read the directory again.
const READ: u64 = 30;

/// Those who fetch the JWKS have it too: its max-age is 5 minutes.
const FETCHED: u64 = READ + 300;

/// The most `identity.jwt.leeway` that there is.
const LEEWAY: u64 = 60;

pub struct Spans {
    pub not_before: u64,
    /// Of the present key.
    pub end: u64,
    pub notes: Vec<String>,
}

impl Spans {
    pub fn of(folder: &Folder, options: &Options) -> Result<Self, Refused> {
        let (now, mut notes) = (folder.seconds(), Vec::new());
        let mut lead = options.lead.as_secs();
        if lead < READ {
            let text = format!(
                "a --lead under {READ} s: the new key signs before every process has read it, and \
                 those that have not refuse its tokens"
            );
            unless_forced(options, text, "make it 10m", &mut notes)?;
        }
        check_overlap(options, &mut notes)?;
        if let Some(last) =
            last_moment(&folder.set, now).filter(|last| *last < now.saturating_add(lead))
        {
            lead = last.saturating_sub(now);
            if lead < READ && !options.force {
                return too_late(folder, last);
            }
            notes.push(format!(
                "the keys in {} sign until {} and no longer: the new one begins then, which is \
                 sooner than --lead says",
                shown(&folder.path),
                written(last)
            ));
        }
        if lead < FETCHED {
            let text = "the new key begins in less than 5m30s: services that fetch the JWKS may \
                        meet it before they know it";
            notes.push(text.to_owned());
        }
        let not_before = now.saturating_add(lead);
        let end = not_before.saturating_add(options.overlap.as_secs());
        match end > END_OF_TIME {
            true => refused("--lead and --overlap reach past the year 9999; make them shorter"),
            false => Ok(Spans { not_before, end, notes }),
        }
    }
}

/// The old key must outlive the last token that it signs.
fn check_overlap(options: &Options, notes: &mut Vec<String>) -> Result<(), Refused> {
    let life = options.access_ttl.unwrap_or(MAX_TTL).as_secs().saturating_add(LEEWAY);
    if options.overlap.as_secs() >= life {
        return Ok(());
    }
    let hours = humantime::format_duration(Duration::from_secs(life));
    let text = format!(
        "an --overlap under {hours}, for which a token may live: the old key ends before its last \
         tokens, and their users must log in again"
    );
    let fix = match options.access_ttl {
        Some(_) => "make it longer",
        None => {
            "make it longer, or say by --access-ttl how long tokens live (identity.jwt.access_ttl)"
        }
    };
    unless_forced(options, text, fix, notes)
}

fn unless_forced(
    options: &Options,
    text: String,
    fix: &str,
    notes: &mut Vec<String>,
) -> Result<(), Refused> {
    if !options.force {
        return refused(format!("{text}; {fix}, or say --force"));
    }
    notes.push(text);
    Ok(())
}

fn too_late<T>(folder: &Folder, last: u64) -> Result<T, Refused> {
    refused(format!(
        "the keys in {} sign until {} and no longer, and by then not every process has read a new \
         one; `identity-keys generate --dir {} --nbf now` makes one that signs at once, whose tokens \
         are refused for up to {READ} s where it was not read yet, or say --force",
        shown(&folder.path),
        written(last),
        quoted(&folder.path)
    ))
}

/// Until when keys sign without a gap from `now` on, one after the other; `None` is for ever.
fn last_moment(set: &KeySet, now: u64) -> Option<u64> {
    let mut last = now;
    loop {
        let at_last = set.iter().filter(|key| key.can_sign());
        let at_last = at_last.filter(|key| key.not_before().unwrap_or(0) <= last);
        let mut ends = at_last.map(|key| key.expires()).filter(|end| end.is_none_or(|e| e > last));
        let Some(first) = ends.next() else { return Some(last) };
        let longest = ends.try_fold(first?, |longest, end| end.map(|end| end.max(longest)));
        last = longest?;
    }
}
