//! src/web/tests/fault.rs: a store that has nothing but a fault.

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::{Clock, Time};
use crate::secret::Digest;
use crate::session::{Begun, Found, NewSession, Record, Store, StoreError, StoredUser};
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
            end: now.after(std::time::Duration::from_secs(60)),
            authenticated_at: long_ago,
            remembered: false,
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
}

impl Fault {
    fn error(&self) -> StoreError {
        match self {
            Fault::Unreadable => StoreError::Unreadable("not a record".into()),
            _ => StoreError::Unavailable("connection refused".into()),
        }
    }
}
