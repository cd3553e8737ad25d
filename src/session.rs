//! src/session.rs: one login of one user, from its beginning to its end.

pub(crate) mod data;
mod home;
pub(crate) mod notice;
mod record;
mod service;
mod store;
mod typed;

#[cfg(test)]
pub(crate) mod acceptance;
#[cfg(test)]
pub(crate) mod acceptance_data;
#[cfg(test)]
pub(crate) mod acceptance_notice;
#[cfg(test)]
pub(crate) mod interleavings;
#[cfg(test)]
mod planted;
#[cfg(test)]
pub(crate) mod spy;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::home::Home;
use crate::clock::Time;
use crate::ticket::Tag;

pub use self::typed::{Data, Entry};
pub use crate::ticket::{Handle, NotAHandle};
pub(crate) use record::{Pending, Record, StoredUser};
pub(crate) use service::{Login, Resumed, Service};
pub(crate) use store::{
    Begun, Found, GRACE, MOST_PENDING, NewPending, NewSession, Rotated, Rotation, Store, StoreError,
};

/// A session as its guard found it: when it began, when it ends, where it was begun.
///
/// It describes the login; what describes the user is the application's own type.
#[derive(Clone)]
pub struct Session {
    record: Arc<Record>,
    last_seen: Time,
    expires: Time,
    home: Arc<Home>,
    tag: Tag,
}

impl Session {
    /// A value of this session, kept under `key`: 1 to 64 bytes.
    ///
    /// ```
    /// # use rocket::get;
    /// # use rocket_identity::{Error, SessionUser, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// #[get("/cart/add/<item>")]
    /// async fn add(user: SessionUser<Account>, item: u64) -> Result<String, Error> {
    ///     let cart = user.session().data::<Vec<u64>>("cart");
    ///     let mut items = cart.get().await?.unwrap_or_default();
    ///     items.push(item);
    ///     cart.set(&items).await?;
    ///     Ok(format!("{} in your cart", items.len()))
    /// }
    /// ```
    pub fn data<'a, T: Serialize + DeserializeOwned>(&'a self, key: &'a str) -> Data<'a, T> {
        Data::new(self, key)
    }

    /// Resolves when this session has ended: by a logout or revocation in any process, by a login
    /// that replaced it, or because its time is over. So a stream is closed within a second.
    ///
    /// Waiting is no use of the session, a step-up does not end it, and neither does an outage of the
    /// store, unless the session's longest time is over. While notices of other processes do not
    /// arrive, the store is asked once a second.
    ///
    /// ```
    /// # use rocket::get;
    /// # use rocket::response::stream::{Event, EventStream};
    /// # use rocket::tokio::{select, time};
    /// # use rocket_identity::{SessionUser, User, UserId};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct Account { id: u64 }
    /// # impl User for Account { fn id(&self) -> UserId { self.id.into() } }
    /// #[get("/events")]
    /// fn events(user: SessionUser<Account>) -> EventStream![] {
    ///     let ended = user.session().ended();
    ///     EventStream! {
    ///         let mut ended = std::pin::pin!(ended);
    ///         loop {
    ///             select! {
    ///                 () = &mut ended => break,
    ///                 () = time::sleep(time::Duration::from_secs(5)) => yield Event::data("tick"),
    ///             }
    ///         }
    ///     }
    /// }
    /// ```
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let (home, tag, handle) = (self.home.clone(), self.tag, self.record.handle);
        async move { home.until_ended(&tag, &handle).await }
    }

    /// Names this session to people and programs; it is no credential.
    pub fn handle(&self) -> Handle {
        self.record.handle
    }

    /// When the login was.
    pub fn created(&self) -> SystemTime {
        self.record.created.into()
    }

    /// When the user last proved who they are.
    pub fn authenticated_at(&self) -> SystemTime {
        self.record.authenticated_at.into()
    }

    /// The same for a guard; `None` for a ticket that a step-up has replaced.
    pub(crate) fn proved_at(&self) -> Option<Time> {
        (!self.record.superseded).then_some(self.record.authenticated_at)
    }

    /// When it ends at the latest.
    pub(crate) fn latest_end(&self) -> Time {
        self.record.end
    }

    /// When the session was last used, to within a tenth of the idle time.
    pub fn last_seen(&self) -> SystemTime {
        self.last_seen.into()
    }

    /// When it ends if it is not used again.
    pub fn expires(&self) -> SystemTime {
        self.expires.into()
    }

    /// Whether the user asked to stay logged in when the browser closes.
    pub fn remembered(&self) -> bool {
        self.record.remembered
    }

    /// The `User-Agent` of the login, cut to 120 bytes. The client chose it: escape it in pages.
    pub fn user_agent(&self) -> Option<&str> {
        self.record.user_agent.as_deref()
    }

    /// The client's address at the login: the peer's, or what a proxy in
    /// `identity.throttle.trusted_proxies` says.
    pub fn address(&self) -> Option<IpAddr> {
        self.record.address
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("record", &self.record)
            .field("last_seen", &self.last_seen)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
