//! src/web/tests/fault.rs: a store that has nothing but a fault.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Time};
use crate::secret::Digest;
use crate::session::data::{DataStore, Datum, Kept, SetDatum};
use crate::session::notice::{Notices, Registry, Watch};
use crate::session::{
    Begun, Found, NewPending, NewSession, Pending, Record, Rotated, Rotation, Store, StoreError,
    StoredUser,
};
use crate::ticket::{Handle, Tag};

/// What a store answers to everything.
#[derive(Clone)]
pub enum Fault {
    Away,
    Unreadable,
    /// A session that lives, with this user, and touches that fail.
    Holds {
        version: u32,
        json: &'static str,
    },
}

#[async_trait]
impl Store for Fault {
    async fn find(&self, _: &Tag, _: &Digest) -> Result<Option<Found>, StoreError> {
        let Fault::Holds { version, json } = *self else {
            return Err(self.error());
        };
        let now = Clock::system().now();
        let long_ago = Time::from_millis(now.millis() - 10 * 60 * 1000);
        let record = Record {
            handle: Handle::random().unwrap(),
            created: long_ago,
            end: now.after(Duration::from_secs(60)),
            authenticated_at: long_ago,
            remembered: false,
            superseded: false,
            user_agent: None,
            address: None,
        };
        let user = StoredUser { version, json: json.into(), as_of: long_ago };
        Ok(Some(Found { record: Arc::new(record), seen: long_ago, user: Arc::new(user) }))
    }

    async fn begin(&self, _: &Tag, _: NewSession) -> Result<Begun, StoreError> {
        Err(self.error())
    }

    async fn touch(&self, _: &Tag, _: &Digest, _: Time, _: Time) -> Result<(), StoreError> {
        Err(self.error())
    }

    async fn update_user(&self, _: &Tag, _: StoredUser) -> Result<bool, StoreError> {
        Err(self.error())
    }

    async fn end(&self, _: &Tag, _: &Digest) -> Result<bool, StoreError> {
        Err(self.error())
    }

    async fn end_all(&self, _: &Tag) -> Result<Time, StoreError> {
        Err(self.error())
    }

    async fn list(
        &self,
        _: &Tag,
        _: Time,
        _: Duration,
    ) -> Result<Vec<(Arc<Record>, Time)>, StoreError> {
        Err(self.error())
    }

    async fn end_by_handle(&self, _: &Tag, _: &Handle) -> Result<bool, StoreError> {
        Err(self.error())
    }

    async fn end_others(
        &self,
        _: &Tag,
        _: &Handle,
        _: Time,
        _: Duration,
    ) -> Result<(Time, usize), StoreError> {
        Err(self.error())
    }

    async fn rotate(&self, _: &Tag, _: &Digest, _: Rotation) -> Result<Rotated, StoreError> {
        Err(self.error())
    }

    async fn begin_pending(&self, _: &Tag, _: NewPending) -> Result<Begun, StoreError> {
        Err(self.error())
    }

    async fn find_pending(&self, _: &Tag, _: &Digest) -> Result<Option<Pending>, StoreError> {
        Err(self.error())
    }

    async fn confirm_pending(
        &self,
        _: &Tag,
        _: &Digest,
        _: NewSession,
    ) -> Result<Option<Begun>, StoreError> {
        Err(self.error())
    }
}

#[async_trait]
impl DataStore for Fault {
    async fn data_get(&self, _: &Tag, _: &Handle, _: &str) -> Result<Option<Datum>, StoreError> {
        Err(self.error())
    }

    async fn data_set(
        &self,
        _: &Tag,
        _: Option<&Digest>,
        _: SetDatum<'_>,
    ) -> Result<Kept, StoreError> {
        Err(self.error())
    }

    async fn data_take(&self, _: &Tag, _: &Handle, _: &str) -> Result<Option<Datum>, StoreError> {
        Err(self.error())
    }
}

#[async_trait]
impl Notices for Fault {
    fn watch(&self, tag: &Tag) -> Watch {
        Arc::new(Registry::default()).watch(tag)
    }

    async fn lives(&self, _: &Tag, _: &Handle) -> Result<Option<(Arc<Record>, Time)>, StoreError> {
        Err(self.error())
    }
}

impl Fault {
    fn error(&self) -> StoreError {
        match self {
            Fault::Unreadable => StoreError::Unreadable("not a record".into()),
            _ => StoreError::Unavailable("connection refused".into()),
        }
    }
}
