//! src/session.rs: one login of one user, from its beginning to its end.

mod record;
mod service;
mod store;

#[cfg(test)]
pub(crate) mod acceptance;
#[cfg(test)]
pub(crate) mod interleavings;
#[cfg(test)]
pub(crate) mod spy;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::Time;

pub use crate::ticket::Handle;
pub(crate) use record::{Record, StoredUser};
pub(crate) use service::{Login, Resumed, Sessions};
pub(crate) use store::{Begun, Found, NewSession, Store, StoreError};

/// A session as its guard found it: when it began, when it ends, where it was begun.
///
/// It describes the login; what describes the user is the application's own type.
#[derive(Clone, Debug)]
pub struct Session {
    record: Arc<Record>,
    last_seen: Time,
    expires: Time,
}

impl Session {
    pub(crate) fn new(record: Arc<Record>, last_seen: Time, expires: Time) -> Self {
        Session { record, last_seen, expires }
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
