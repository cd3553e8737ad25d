//! src/redis/session/record.rs: records, users and logins that wait, as text.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::session::{Pending, Record, StoredUser};
use crate::ticket::Handle;

/// A record as it lies in Redis, one line of words:
/// `1 <created> <end> <authenticated at> <0, 1: remembered, 2: superseded> <handle> <address or -> [<agent>]`.
///
/// Words and not JSON: each guarded request reads one, and each session pays for its bytes.
pub fn write_record(record: &Record) -> String {
    let Record { handle, created, end, authenticated_at, user_agent, address, .. } = record;
    let (created, end, at) = (created.millis(), end.millis(), authenticated_at.millis());
    let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let kind = match record.superseded {
        true => 2,
        false => u8::from(record.remembered),
    };
    let mut line = format!("1 {created} {end} {at} {kind} {handle} {address}");
    if let Some(agent) = user_agent {
        line.push(' ');
        line.push_str(agent);
    }
    line
}

pub fn read_record(line: &[u8]) -> Option<Record> {
    let mut words = Words(line);
    (words.next()? == b"1").then_some(())?;
    let (created, end, authenticated_at) = (words.time()?, words.time()?, words.time()?);
    let (remembered, superseded) = match words.next()? {
        b"0" => (false, false),
        b"1" => (true, false),
        b"2" => (false, true),
        _ => return None,
    };
    let handle = Handle::parse(words.next()?)?;
    // The address is the last word where there is no agent.
    let (address, agent) = match words.next() {
        Some(address) => (address, Some(words.0)),
        None => (words.0, None),
    };
    let address = match address {
        b"-" => None,
        address => Some(std::str::from_utf8(address).ok()?.parse().ok()?),
    };
    let user_agent = match agent {
        Some(agent) => Some(std::str::from_utf8(agent).ok()?.into()),
        None => None,
    };
    Some(Record {
        handle,
        created,
        end,
        authenticated_at,
        remembered,
        superseded,
        user_agent,
        address,
    })
}

/// A user as it lies in Redis: `<version> <as of> <JSON>`.
pub fn write_user(user: &StoredUser) -> String {
    format!("{} {} {}", user.version, user.as_of.millis(), user.json)
}

pub fn read_user(line: &[u8]) -> Option<StoredUser> {
    let mut words = Words(line);
    let version = u32::try_from(number(words.next()?)?).ok()?;
    let as_of = words.time()?;
    Some(StoredUser { version, as_of, json: std::str::from_utf8(words.0).ok()?.into() })
}

/// A login that waits, as it lies in Redis: `1 <begun> <end> <JSON>`. It is read twice and no more.
pub fn write_pending(pending: &Pending) -> String {
    let wire = Wire {
        version: pending.user.version,
        as_of: pending.user.as_of.millis(),
        user: pending.user.json.as_ref().into(),
        remembered: pending.remembered,
        agent: pending.user_agent.as_deref().map(Into::into),
        address: pending.address,
        step: pending.step.as_ref().into(),
        note: pending.note.as_ref().into(),
        since: pending.since.millis(),
    };
    // Nothing in it can fail to be written.
    let json = serde_json::to_string(&wire).unwrap_or_default();
    format!("1 {} {} {json}", pending.begun.millis(), pending.end.millis())
}

pub fn read_pending(line: &[u8]) -> Option<Pending> {
    let mut words = Words(line);
    (words.next()? == b"1").then_some(())?;
    let (begun, end) = (words.time()?, words.time()?);
    let wire: Wire<'_> = serde_json::from_slice(words.0).ok()?;
    let as_of = Time::from_millis(wire.as_of);
    Some(Pending {
        user: StoredUser { version: wire.version, json: wire.user.into(), as_of },
        remembered: wire.remembered,
        user_agent: wire.agent.map(Into::into),
        address: wire.address,
        step: wire.step.into(),
        note: wire.note.into(),
        since: Time::from_millis(wire.since),
        begun,
        end,
    })
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "t")]
    as_of: u64,
    #[serde(rename = "u")]
    user: Cow<'a, str>,
    #[serde(rename = "r")]
    remembered: bool,
    #[serde(rename = "a")]
    agent: Option<Cow<'a, str>>,
    #[serde(rename = "i")]
    address: Option<IpAddr>,
    #[serde(rename = "s")]
    step: Cow<'a, str>,
    #[serde(rename = "n")]
    note: Cow<'a, str>,
    #[serde(rename = "b")]
    since: u64,
}

/// What is left of a line of words with one space between them.
pub struct Words<'a>(pub &'a [u8]);

impl<'a> Words<'a> {
    /// The next word that has a space behind it.
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let (word, rest) = self.0.split_at(self.0.iter().position(|byte| *byte == b' ')?);
        self.0 = &rest[1..];
        Some(word)
    }

    fn time(&mut self) -> Option<Time> {
        number(self.next()?).map(Time::from_millis)
    }
}

pub fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_and_a_user_read_back_as_they_were_written() {
        for (user_agent, address) in [
            (None, None),
            (Some("Mozilla/5.0 (X11; Linux) - é"), Some([192, 0, 2, 1].into())),
            (Some("-"), Some(std::net::Ipv6Addr::LOCALHOST.into())),
            (Some(""), None),
        ] {
            let record = Record {
                handle: Handle::random().unwrap(),
                created: Time::from_millis(1),
                end: Time::from_millis(u64::MAX),
                authenticated_at: Time::from_millis(3),
                remembered: user_agent.is_some(),
                superseded: user_agent.is_none(),
                user_agent: user_agent.map(Into::into),
                address,
            };
            assert_eq!(read_record(write_record(&record).as_bytes()), Some(record));
        }
        let json = "{\"name\": \"Ada Lovelace\"}".into();
        let user = StoredUser { version: 7, json, as_of: Time::from_millis(5) };
        assert_eq!(read_user(write_user(&user).as_bytes()), Some(user));
    }

    #[test]
    fn what_is_neither_is_not_taken_for_one() {
        let good = "1 1 2 3 0 AAAAAAAAAAAAAAAAAAAAAA - agent";
        assert!(read_record(good.as_bytes()).is_some());
        for bad in [
            "",
            "1",
            "{}",
            &good[2..],
            &good.replacen('1', "2", 1),
            &good.replace(" 0 ", " 3 "),
            &good.replace(" - ", " 1.2.3 "),
            &good.replace("AA ", "A "),
            "1 -1 2 3 0 x -",
        ] {
            assert!(read_record(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(read_record(b"\xff").is_none());
        for bad in ["", "1", "1 2", "x 2 {}", "1 x {}"] {
            assert!(read_user(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_login_that_waits_reads_back_as_it_was_written() {
        let json: Box<str> = "{\"name\": \"Ada \u{1F980}\"}".into();
        let pending = Pending {
            user: StoredUser { version: 7, json, as_of: Time::from_millis(5) },
            remembered: true,
            user_agent: Some("a \"quoted\" agent".into()),
            address: Some([192, 0, 2, 1].into()),
            step: "totp".into(),
            note: "\n\0".into(),
            since: Time::from_millis(4),
            begun: Time::from_millis(6),
            end: Time::from_millis(7),
        };
        assert_eq!(read_pending(write_pending(&pending).as_bytes()), Some(pending));
        for bad in ["", "1", "1 2 3", "1 2 3 {}", "2 2 3 {}", "1 x 3 {}"] {
            assert!(read_pending(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
