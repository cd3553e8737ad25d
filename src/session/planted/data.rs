//! src/session/planted/data.rs: values and notices of the small store.

use super::*;
use crate::session::data::{DataStore, Expect, Kept, MOST_BYTES, SetDatum};
use crate::session::notice::{Notices, Watch};

impl Account {
    fn living(&self, handle: &Handle) -> Option<&Held> {
        let mut own = self.sessions.iter().filter(|held| held.record.handle == *handle);
        own.find(|held| !held.record.superseded)
    }
}

#[async_trait]
impl DataStore for Naive {
    async fn data_get(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        Ok(self.on(tag, |account| account.values.get(&(*handle, key.into())).cloned()))
    }

    async fn data_set(
        &self,
        tag: &Tag,
        id: Option<&Digest>,
        set: SetDatum<'_>,
    ) -> Result<Kept, StoreError> {
        let SetDatum { handle, key, json, expect } = set;
        Ok(self.on(tag, |account| {
            let own = |held: &Held| held.record.handle == *handle;
            let named = |id: &Digest| account.sessions.iter().any(|h| h.id == *id && own(h));
            let lives = account.living(handle).is_some() && id.is_none_or(named);
            if !lives && !self.has(WriteWithoutCondition) {
                return Kept::SessionGone;
            }
            let place = (*handle, key.to_owned());
            let before = account.values.get(&place);
            let expected = match expect {
                Expect::Any => true,
                Expect::Absent => before.is_none(),
                Expect::Revision(revision) => before.is_some_and(|held| held.revision == revision),
            };
            if !expected {
                return Kept::Conflict;
            }
            let others = account.values.iter().filter(|(other, _)| other.0 == *handle);
            let others = others.filter(|(other, _)| **other != place);
            let bytes: usize = others.map(|(other, held)| other.1.len() + held.json.len()).sum();
            if bytes + key.len() + json.len() > MOST_BYTES {
                return Kept::TooLarge;
            }
            account.revision += 1;
            let datum = Datum { revision: account.revision, json: json.into() };
            account.values.insert(place, datum);
            Kept::As(account.revision)
        }))
    }

    async fn data_take(
        &self,
        tag: &Tag,
        handle: &Handle,
        key: &str,
    ) -> Result<Option<Datum>, StoreError> {
        Ok(self.on(tag, |account| account.values.remove(&(*handle, key.into()))))
    }
}

#[async_trait]
impl Notices for Naive {
    fn watch(&self, tag: &Tag) -> Watch {
        self.registry.watch(tag)
    }

    async fn lives(
        &self,
        tag: &Tag,
        handle: &Handle,
    ) -> Result<Option<(Arc<Record>, Time)>, StoreError> {
        let users = self.users.lock().unwrap();
        let held = users.get(tag).and_then(|account| account.living(handle));
        Ok(held.map(|held| (Arc::new(held.record.clone()), held.seen)))
    }
}
