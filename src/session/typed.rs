//! src/session/typed.rs: an application's own values of a session, by key and type.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::{Datum, Expect, Kept, LONGEST_KEY, SetDatum};
use super::{Session, StoreError};
use crate::error::{Error, Failure, Reason};

/// One value of a session: what describes this login and not the user, such as a cart or a notice to be
/// shown once. [`Session::data`] hands it out.
///
/// Nothing is read before it is asked for, and each act is one command. Two requests that write
/// different keys lose nothing; two that write the same one know it by
/// [`compare_and_set`](Data::compare_and_set). Values follow their session through a step-up and are
/// gone with it. All of one session, keys included, have at most 16 KiB.
///
/// Every act fails with 503 (`store_unavailable`) where the store does not answer, and with 500
/// (`data_key`) where the key is empty or over 64 bytes; a write also with 401 (`session_invalid`)
/// where the session has ended meanwhile, and 413 (`data_too_large`).
pub struct Data<'a, T> {
    session: &'a Session,
    key: &'a str,
    value: PhantomData<fn(T) -> T>,
}

/// A value as it was read, for [`Data::compare_and_set`].
#[derive(Clone, Debug)]
pub struct Entry<T> {
    value: T,
    revision: u64,
}

impl<T> Entry<T> {
    /// The value that was read.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Another for each write of this session, whatever its key: a value that was removed and set
    /// again never has an old one.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

impl<'a, T: Serialize + DeserializeOwned> Data<'a, T> {
    pub(super) fn new(session: &'a Session, key: &'a str) -> Self {
        Data { session, key, value: PhantomData }
    }

    /// The value, where there is one. A value that does not read as `T` is an error 500
    /// (`data_unreadable`).
    pub async fn get(&self) -> Result<Option<T>, Error> {
        Ok(self.entry().await?.map(Entry::into_value))
    }

    /// The value with its revision.
    pub async fn entry(&self) -> Result<Option<Entry<T>>, Error> {
        self.check_key()?;
        let Session { home, tag, record, .. } = self.session;
        let got = home.store.data_get(tag, &record.handle, self.key).await;
        self.read(got)
    }

    /// Writes the value, whatever was there.
    pub async fn set(&self, value: &T) -> Result<(), Error> {
        self.write(value, Expect::Any).await
    }

    /// Writes the value where the key still holds what was read: `None` for nothing. Where another
    /// write came between, it is an error 409 (`data_conflict`): read it again.
    ///
    /// ```
    /// # use rocket_identity::{Error, session::Session};
    /// async fn add(session: &Session, item: u64) -> Result<(), Error> {
    ///     let cart = session.data::<Vec<u64>>("cart");
    ///     loop {
    ///         let before = cart.entry().await?;
    ///         let mut items = before.as_ref().map_or(Vec::new(), |entry| entry.value().clone());
    ///         items.push(item);
    ///         match cart.compare_and_set(before.as_ref(), &items).await {
    ///             Err(error) if error.code() == "data_conflict" => continue,
    ///             done => return done,
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn compare_and_set(&self, read: Option<&Entry<T>>, value: &T) -> Result<(), Error> {
        let expect = read.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
        self.write(value, expect).await
    }

    /// Takes the value out; of two requests that take it at once, one gets it.
    ///
    /// ```
    /// # use rocket_identity::{Error, session::Session};
    /// async fn notice(session: &Session) -> Result<Option<String>, Error> {
    ///     session.data::<String>("notice").take().await
    /// }
    /// ```
    pub async fn take(&self) -> Result<Option<T>, Error> {
        self.check_key()?;
        let Session { home, tag, record, .. } = self.session;
        let taken = home.store.data_take(tag, &record.handle, self.key).await;
        Ok(self.read(taken)?.map(Entry::into_value))
    }

    /// Removes the value, whether or not it reads as `T`; false where there was none.
    pub async fn remove(&self) -> Result<bool, Error> {
        self.check_key()?;
        let Session { home, tag, record, .. } = self.session;
        match home.store.data_remove(tag, &record.handle, self.key).await {
            // It is gone all the same.
            Err(StoreError::Unreadable(_)) => Ok(true),
            removed => removed.map_err(|cause| home.error(Failure::unavailable(cause))),
        }
    }

    async fn write(&self, value: &T, expect: Expect) -> Result<(), Error> {
        self.check_key()?;
        let Session { home, tag, record, .. } = self.session;
        let json = serde_json::to_string(value).map_err(|error| {
            home.error(Failure { reason: Reason::DataNotStorable, source: Some(error.into()) })
        })?;
        let set = SetDatum { handle: &record.handle, key: self.key, json: &json, expect };
        match home.store.data_set(tag, None, set).await {
            Ok(Kept::As(_)) => Ok(()),
            Ok(Kept::Conflict) => Err(home.error(Reason::DataConflict)),
            Ok(Kept::TooLarge) => Err(home.error(Reason::DataTooLarge)),
            // What cannot be read is no session.
            Ok(Kept::SessionGone) | Err(StoreError::Unreadable(_)) => {
                Err(home.error(Reason::SessionInvalid))
            }
            Err(cause) => Err(home.error(Failure::unavailable(cause))),
        }
    }

    fn read(&self, got: Result<Option<Datum>, StoreError>) -> Result<Option<Entry<T>>, Error> {
        let home = &self.session.home;
        let unreadable =
            |source| home.error(Failure { reason: Reason::DataUnreadable, source: Some(source) });
        match got {
            Ok(None) => Ok(None),
            Ok(Some(Datum { revision, json })) => match serde_json::from_str(&json) {
                Ok(value) => Ok(Some(Entry { value, revision })),
                Err(error) => Err(unreadable(error.into())),
            },
            Err(StoreError::Unreadable(cause)) => Err(unreadable(cause)),
            Err(cause) => Err(home.error(Failure::unavailable(cause))),
        }
    }

    fn check_key(&self) -> Result<(), Error> {
        match (1..=LONGEST_KEY).contains(&self.key.len()) {
            true => Ok(()),
            false => Err(self.session.home.error(Reason::DataKey)),
        }
    }
}

impl<T> fmt::Debug for Data<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({:?})", self.key)
    }
}
