//! src/redis/session.rs: the session slice's store: key names, fields, records and scripts.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use deadpool_redis::redis::{RedisError, Script, Value, cmd, from_redis_value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

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

/// A record as it lies in Redis; the names are short because each session pays for them.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    #[serde(rename = "h")]
    handle: String,
    #[serde(rename = "c")]
    created: u64,
    #[serde(rename = "e")]
    end: u64,
    #[serde(rename = "a")]
    authenticated_at: u64,
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    remembered: bool,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none", borrow)]
    user_agent: Option<std::borrow::Cow<'a, str>>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
}

/// The user as it lies in Redis.
#[derive(Serialize, Deserialize)]
struct UserRow<'a> {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "a")]
    as_of: u64,
    #[serde(rename = "u", borrow)]
    json: &'a RawValue,
}

impl Link {
    fn key(&self, tag: &Tag) -> Vec<u8> {
        // The braces make the tag alone decide the slot of a Cluster.
        let tag = crate::secret::encode(tag.as_bytes());
        format!("{}{{{tag}}}", self.prefix()).into_bytes()
    }
}

#[async_trait]
impl Store for Link {
    async fn find(&self, tag: &Tag, id: &Digest) -> Result<Option<Found>, StoreError> {
        let mut command = cmd("HMGET");
        command.arg(self.key(tag)).arg(&field(b"s:", id)).arg(&field(b"t:", id)).arg(b"u");
        let reply: Value =
            self.run(async |connection| command.query_async(connection).await).await?;
        let (record, seen, user): (Option<Vec<u8>>, Option<u64>, Option<Vec<u8>>) =
            from_redis_value(reply).map_err(unreadable)?;
        let (Some(record), Some(user)) = (record, user) else { return Ok(None) };
        let record = read_record(&record)?;
        let seen = seen.map_or(record.created, Time::from_millis);
        Ok(Some(Found { record: Arc::new(record), seen, user: Arc::new(read_user(&user)?) }))
    }

    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError> {
        let own = new.own_revocation.map(|moment| moment.millis().to_string());
        let mut call = SCRIPTS.login.prepare_invoke();
        call.key(self.key(tag))
            .arg(new.id.as_bytes())
            .arg(write_record(&new.record)?)
            .arg(write_user(&new.user)?)
            .arg(new.since.millis())
            .arg(own.unwrap_or_default())
            .arg(new.max_per_user)
            .arg(new.record.created.millis())
            .arg(u64::try_from(new.idle.as_millis()).unwrap_or(u64::MAX));
        for replaced in &new.replaces {
            call.arg(replaced.as_bytes());
        }
        let reply: String =
            self.run(async |connection| call.invoke_async(connection).await).await?;
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
        self.run(async |connection| call.invoke_async(connection).await).await
    }

    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError> {
        let mut call = SCRIPTS.update_user.prepare_invoke();
        call.key(self.key(tag)).arg(write_user(&user)?).arg(user.as_of.millis());
        self.run(async |connection| call.invoke_async(connection).await).await
    }

    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError> {
        let mut call = SCRIPTS.end.prepare_invoke();
        call.key(self.key(tag)).arg(id.as_bytes());
        self.run_durably(async |connection| call.invoke_async(connection).await).await
    }

    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError> {
        let mut call = SCRIPTS.end_all.prepare_invoke();
        call.key(self.key(tag));
        let moment =
            self.run_durably(async |connection| call.invoke_async(connection).await).await?;
        Ok(Time::from_millis(moment))
    }
}

/// `s:` or `t:` and the digest, as raw bytes.
fn field(kind: &[u8; 2], id: &Digest) -> [u8; 34] {
    let mut field = [0; 34];
    field[..2].copy_from_slice(kind);
    field[2..].copy_from_slice(id.as_bytes());
    field
}

fn write_record(record: &Record) -> Result<Vec<u8>, StoreError> {
    let row = Row {
        handle: record.handle.to_string(),
        created: record.created.millis(),
        end: record.end.millis(),
        authenticated_at: record.authenticated_at.millis(),
        remembered: record.remembered,
        user_agent: record.user_agent.as_deref().map(Into::into),
        address: record.address,
    };
    serde_json::to_vec(&row).map_err(unreadable)
}

fn read_record(text: &[u8]) -> Result<Record, StoreError> {
    let row: Row<'_> = serde_json::from_slice(text).map_err(unreadable)?;
    Ok(Record {
        handle: Handle::parse(&row.handle).ok_or_else(|| unreadable("not a handle"))?,
        created: Time::from_millis(row.created),
        end: Time::from_millis(row.end),
        authenticated_at: Time::from_millis(row.authenticated_at),
        remembered: row.remembered,
        user_agent: row.user_agent.map(|agent| agent.into()),
        address: row.address,
    })
}

fn write_user(user: &StoredUser) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::from_str(&user.json).map_err(unreadable)?;
    let row = UserRow { version: user.version, as_of: user.as_of.millis(), json };
    serde_json::to_vec(&row).map_err(unreadable)
}

fn read_user(text: &[u8]) -> Result<StoredUser, StoreError> {
    let row: UserRow<'_> = serde_json::from_slice(text).map_err(unreadable)?;
    let as_of = Time::from_millis(row.as_of);
    Ok(StoredUser { version: row.version, json: row.json.get().into(), as_of })
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unreadable(cause.into())
}

/// What lies there is not ours to read: a key of another type.
pub fn is_foreign(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}
