//! src/redis/data.rs: an application's values of one session, in a HASH beside the user's.

use async_trait::async_trait;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Cmd, Pipeline, Script};

use super::Link;
use super::session::{Words, number, unreadable};
use crate::secret::Digest;
use crate::session::StoreError;
use crate::session::data::{DataStore, Datum, Expect, Kept, MOST_BYTES, SetDatum};
use crate::ticket::{Handle, Tag};

pub struct Scripts {
    set: Script,
    take: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Scripts {
            set: Script::new(include_str!("scripts/data_set.lua")),
            take: Script::new(include_str!("scripts/data_take.lua")),
        }
    }

    pub fn all(&self) -> [&Script; 2] {
        [&self.set, &self.take]
    }

    /// Each script once, on a user's key where a session `id` with the handle `-` lives.
    pub fn try_all(&self, into: &mut Pipeline, key: &str, id: &[u8; 32]) {
        let values = format!("{key}:-");
        let mut set = self.set.prepare_invoke();
        set.key(key).key(&values).arg(id).arg("-").arg("k").arg("0").arg("any").arg(MOST_BYTES);
        into.invoke_script(&set);
        into.invoke_script(self.take.key(&values).arg("k"));
        into.cmd("UNLINK").arg(&values);
    }
}

impl Link {
    /// The user's key, `:` and the handle: in the slot of the user's key.
    fn values_key(&self, tag: &Tag, handle: &Handle) -> Vec<u8> {
        let mut key = self.key(tag);
        key.push(b':');
        key.extend_from_slice(handle.to_string().as_bytes());
        key
    }
}

#[async_trait]
impl DataStore for Link {
    async fn data_get(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        let mut command = Cmd::with_capacity(3, 160);
        command.arg(b"HGET").arg(self.values_key(tag, handle)).arg(key);
        let get = async |connection: &mut MultiplexedConnection| {
            command.query_async::<Option<Vec<u8>>>(connection).await
        };
        self.run(get).await?.map(read).transpose()
    }

    async fn data_set(
        &self,
        tag: &Tag,
        id: Option<&Digest>,
        set: SetDatum<'_>,
    ) -> Result<Kept, StoreError> {
        let expected = match set.expect {
            Expect::Any => "any".to_owned(),
            Expect::Absent => "absent".to_owned(),
            Expect::Revision(revision) => revision.to_string(),
        };
        let mut call = super::session::SCRIPTS.data.set.prepare_invoke();
        call.key(self.key(tag))
            .key(self.values_key(tag, set.handle))
            .arg(id.map_or(&[][..], |id| id.as_bytes()))
            .arg(set.handle.to_string())
            .arg(set.key)
            .arg(set.json)
            .arg(expected)
            .arg(MOST_BYTES);
        let reply: String = self.call(call).await?;
        Ok(match &*reply {
            "conflict" => Kept::Conflict,
            "large" => Kept::TooLarge,
            "gone" => Kept::SessionGone,
            revision => Kept::As(revision.parse().map_err(unreadable)?),
        })
    }

    async fn data_take(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        let mut call = super::session::SCRIPTS.data.take.prepare_invoke();
        call.key(self.values_key(tag, handle)).arg(key);
        self.call::<Option<Vec<u8>>>(call).await?.map(read).transpose()
    }
}

/// A value as it lies in Redis: `<revision> <JSON>`.
fn read(line: Vec<u8>) -> Result<Datum, StoreError> {
    let mut words = Words(&line);
    let revision = words.next().and_then(number).ok_or_else(|| unreadable("not a value"))?;
    let json = std::str::from_utf8(words.0).map_err(unreadable)?.into();
    Ok(Datum { revision, json })
}
