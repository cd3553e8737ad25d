//! src/memory/data.rs: an application's values of one session, in its user's entry.

use std::collections::HashMap;

use async_trait::async_trait;

use super::Memory;
use crate::secret::Digest;
use crate::session::StoreError;
use crate::session::data::{DataStore, Datum, Expect, Kept, MOST_BYTES, SetDatum};
use crate::ticket::{Handle, Tag};

/// The values of one session, bounded as they are in every store.
#[derive(Default)]
pub struct SessionData {
    values: HashMap<Box<str>, Datum>,
    /// The last revision given.
    revision: u64,
    bytes: usize,
}

impl SessionData {
    pub fn find(&self, key: &str) -> Option<Datum> {
        self.values.get(key).cloned()
    }

    pub fn set(&mut self, set: &SetDatum<'_>) -> Kept {
        let before = self.values.get(set.key);
        let expected = match set.expect {
            Expect::Any => true,
            Expect::Absent => before.is_none(),
            Expect::Revision(revision) => before.is_some_and(|held| held.revision == revision),
        };
        if !expected {
            return Kept::Conflict;
        }
        let less = before.map_or(0, |held| size(set.key, &held.json));
        let bytes = self.bytes - less + size(set.key, set.json);
        if bytes > MOST_BYTES {
            return Kept::TooLarge;
        }
        self.bytes = bytes;
        self.revision += 1;
        let datum = Datum { revision: self.revision, json: set.json.into() };
        self.values.insert(set.key.into(), datum);
        Kept::As(self.revision)
    }

    pub fn take(&mut self, key: &str) -> Option<Datum> {
        let taken = self.values.remove(key)?;
        self.bytes -= size(key, &taken.json);
        Some(taken)
    }
}

fn size(key: &str, json: &str) -> usize {
    key.len() + json.len()
}

#[async_trait]
impl DataStore for Memory {
    async fn data_get(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        Ok(self.shard(tag).values(tag, handle).and_then(|values| values.find(key)))
    }

    async fn data_set(
        &self,
        tag: &Tag,
        id: Option<&Digest>,
        set: SetDatum<'_>,
    ) -> Result<Kept, StoreError> {
        Ok(match self.shard(tag).values_to_write(tag, id, set.handle) {
            Some(values) => values.set(&set),
            None => Kept::SessionGone,
        })
    }

    async fn data_take(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        Ok(self.shard(tag).values(tag, handle).and_then(|values| values.take(key)))
    }
}
