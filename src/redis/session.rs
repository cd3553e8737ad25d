//! src/redis/session.rs: the session slice's store: key names, fields, records and scripts.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Cmd, RedisError, Script, Value, from_redis_value};

use super::Link;
use crate::clock::Time;
use crate::secret::Digest;
use crate::session::{Begun, Found, NewSession, Record, Store, StoreError, StoredUser};
use crate::ticket::{Handle, Tag};

/// Loaded on each new connection, so that a request is one round trip.
pub static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| Scripts {
    login: Script::new(include_str!("scripts/login.lua")),
    touch: Script::new(include_str!("scripts/touch.lua")),
    end: Script::new(include_str!("scripts/end.lua")),
    end_all: Script::new(include_str!("scripts/end_all.lua")),
    update_user: Script::new(include_str!("scripts/update_user.lua")),
});

pub struct Scripts {
    login: Script,
    touch: Script,
    end: Script,
    end_all: Script,
    update_user: Script,
}

impl Scripts {
    pub fn all(&self) -> [&Script; 5] {
        [&self.login, &self.touch, &self.end, &self.end_all, &self.update_user]
    }

    /// Login, touch, end and end all.
    pub fn each(&self) -> (&Script, &Script, &Script, &Script) {
        (&self.login, &self.touch, &self.end, &self.end_all)
    }
}

impl Link {
    fn key(&self, tag: &Tag) -> Vec<u8> {
        let prefix = self.prefix().as_bytes();
        let mut key = Vec::with_capacity(prefix.len() + 24);
        key.extend_from_slice(prefix);
        // The braces make the tag alone decide the slot of a Cluster.
        key.push(b'{');
        key.extend_from_slice(crate::secret::encode(tag.as_bytes()).as_bytes());
        key.push(b'}');
        key
    }
}

#[async_trait]
impl Store for Link {
    fn is_away(&self) -> bool {
        Link::is_away(self)
    }

    async fn answers(&self) -> bool {
        // Which our scripts need too, so that it asks for no right of its own.
        let time = async |connection: &mut MultiplexedConnection| {
            Cmd::new().arg("TIME").query_async::<()>(connection).await
        };
        self.run(time).await.is_ok()
    }

    async fn find(&self, tag: &Tag, id: &Digest) -> Result<Option<Found>, StoreError> {
        // Room for the whole command, so that it is laid out in one piece.
        let mut command = Cmd::with_capacity(5, 160);
        command
            .arg(b"HMGET")
            .arg(self.key(tag))
            .arg(&field(b"s:", id))
            .arg(&field(b"t:", id))
            .arg(b"u");
        let reply: Value = self
            .run(async |connection| match connection.send_packed_command(&command).await? {
                // An error reply is a value here, and must not be taken for "no such session".
                Value::ServerError(error) => Err(error.into()),
                reply => Ok(reply),
            })
            .await?;
        // Taken apart by hand: the values are moved, not copied.
        let (record, seen, user) = match three(reply) {
            Some([Value::BulkString(record), seen, Value::BulkString(user)]) => {
                (record, seen, user)
            }
            Some([..]) => return Ok(None),
            None => return Err(unreadable("not a reply to HMGET")),
        };
        let record = read_record(&record).ok_or_else(|| unreadable("not a record"))?;
        let seen = match seen {
            Value::Nil => record.created,
            seen => Time::from_millis(from_redis_value(seen).map_err(unreadable)?),
        };
        let user = read_user(&user).ok_or_else(|| unreadable("not a user"))?;
        Ok(Some(Found { record: Arc::new(record), seen, user: Arc::new(user) }))
    }

    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError> {
        let own = new.own_revocation.map(|moment| moment.millis().to_string());
        let mut call = SCRIPTS.login.prepare_invoke();
        call.key(self.key(tag))
            .arg(new.id.as_bytes())
            .arg(write_record(&new.record))
            .arg(write_user(&new.user))
            .arg(new.since.millis())
            .arg(own.unwrap_or_default())
            .arg(new.max_per_user)
            .arg(new.record.created.millis())
            .arg(u64::try_from(new.idle.as_millis()).unwrap_or(u64::MAX));
        for replaced in &new.replaces {
            call.arg(replaced.as_bytes());
        }
        // What a login replaces is ended by it, and an end waits for the replicas.
        let reply: String = match new.replaces.is_empty() {
            true => self.call(call).await?,
            false => self.call_durably(call).await?,
        };
        Ok(if reply == "kept" { Begun::Kept } else { Begun::RevokedMeanwhile })
    }

    async fn touch(
        &self,
        tag: &Tag,
        id: &Digest,
        seen: Time,
        expires: Time,
    ) -> Result<(), StoreError> {
        let mut call = SCRIPTS.touch.prepare_invoke();
        call.key(self.key(tag)).arg(id.as_bytes()).arg(seen.millis()).arg(expires.millis());
        self.call(call).await
    }

    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError> {
        let mut call = SCRIPTS.update_user.prepare_invoke();
        call.key(self.key(tag)).arg(write_user(&user)).arg(user.as_of.millis());
        self.call(call).await
    }

    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError> {
        let mut call = SCRIPTS.end.prepare_invoke();
        call.key(self.key(tag)).arg(id.as_bytes());
        self.call_durably(call).await
    }

    async fn withdraw(&self, tag: &Tag, id: &Digest) -> Result<(), StoreError> {
        let mut call = SCRIPTS.end.prepare_invoke();
        call.key(self.key(tag)).arg(id.as_bytes());
        self.call::<u64>(call).await.map(drop)
    }

    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError> {
        let mut call = SCRIPTS.end_all.prepare_invoke();
        call.key(self.key(tag));
        let moment = self.call_durably(call).await?;
        Ok(Time::from_millis(moment))
    }
}

fn three(reply: Value) -> Option<[Value; 3]> {
    match reply {
        Value::Array(values) => values.try_into().ok(),
        _ => None,
    }
}

/// `s:` or `t:` and the digest, as raw bytes.
fn field(kind: &[u8; 2], id: &Digest) -> [u8; 34] {
    let mut field = [0; 34];
    field[..2].copy_from_slice(kind);
    field[2..].copy_from_slice(id.as_bytes());
    field
}

/// A record as it lies in Redis, one line of words:
/// `1 <created> <end> <authenticated at> <0 or 1: remembered> <handle> <address or -> [<agent>]`.
///
/// Words and not JSON: each guarded request reads one, and each session pays for its bytes.
fn write_record(record: &Record) -> String {
    let Record { handle, created, end, authenticated_at, remembered, user_agent, address } = record;
    let (created, end, at) = (created.millis(), end.millis(), authenticated_at.millis());
    let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let remembered = u8::from(*remembered);
    let mut line = format!("1 {created} {end} {at} {remembered} {handle} {address}");
    if let Some(agent) = user_agent {
        line.push(' ');
        line.push_str(agent);
    }
    line
}

fn read_record(line: &[u8]) -> Option<Record> {
    let mut words = Words(line);
    (words.next()? == b"1").then_some(())?;
    let (created, end, authenticated_at) = (words.time()?, words.time()?, words.time()?);
    let remembered = match words.next()? {
        b"0" => false,
        b"1" => true,
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
    Some(Record { handle, created, end, authenticated_at, remembered, user_agent, address })
}

/// A user as it lies in Redis: `<version> <as of> <JSON>`.
fn write_user(user: &StoredUser) -> String {
    format!("{} {} {}", user.version, user.as_of.millis(), user.json)
}

fn read_user(line: &[u8]) -> Option<StoredUser> {
    let mut words = Words(line);
    let version = u32::try_from(number(words.next()?)?).ok()?;
    let as_of = words.time()?;
    Some(StoredUser { version, as_of, json: std::str::from_utf8(words.0).ok()?.into() })
}

/// What is left of a line of words with one space between them.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// The next word that has a space behind it.
    fn next(&mut self) -> Option<&'a [u8]> {
        let (word, rest) = self.0.split_at(self.0.iter().position(|byte| *byte == b' ')?);
        self.0 = &rest[1..];
        Some(word)
    }

    fn time(&mut self) -> Option<Time> {
        number(self.next()?).map(Time::from_millis)
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unreadable(cause.into())
}

/// What lies there is not ours to read: a key of another type.
pub fn is_foreign(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
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
            &good.replace(" 0 ", " 2 "),
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
}
