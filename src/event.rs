//! src/event.rs: what happened, for logs and for the application; names and fields are stable.

use std::fmt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use crate::secret::{self, Digest};
use crate::ticket::Tag;
use crate::user::UserId;

/// Something that an audit wants to know (OWASP ASVS 5.0 16.3).
///
/// Each event is a `tracing` record at target `rocket_identity` with its name as the message
/// (through `log` where no `tracing` subscriber is set), and is given to the closure of
/// [`Identity::on_event`](crate::Identity::on_event). It never holds a cookie, a ticket, a password
/// or a digest of one. In the record the user is a hash that is salted anew at each launch: it
/// correlates records and names nobody.
#[derive(Clone, Debug)]
pub struct Event {
    name: &'static str,
    fairing: Arc<str>,
    reason: Option<&'static str>,
    user: Option<UserId>,
    address: Option<IpAddr>,
    tag: Option<Tag>,
    user_hash: Option<String>,
    cause: Option<String>,
}

impl Event {
    /// A login succeeded: its session exists.
    pub const LOGIN: &'static str = "identity.login";
    /// A session was ended by its user.
    pub const LOGOUT: &'static str = "identity.logout";
    /// All sessions of a user were ended.
    pub const LOGOUT_EVERYWHERE: &'static str = "identity.logout_everywhere";
    /// A session was ended by its user from another one, or by the application.
    pub const REVOKED: &'static str = "identity.revoked";
    /// A login waits for a second factor.
    pub const PENDING: &'static str = "identity.pending";
    /// A user proved once more who they are.
    pub const CONFIRMED: &'static str = "identity.confirmed";
    /// The hook that reads the user again failed; the user that is known was taken.
    pub const RELOAD_FAILED: &'static str = "identity.reload_failed";
    /// A credential or a request was refused; the reason is a code.
    pub const REFUSED: &'static str = "identity.refused";
    /// The store failed in an act that somebody waited for.
    pub const STORE_FAILED: &'static str = "identity.store_failed";
    /// The store did not take a session's sign of life; the request was served all the same.
    pub const TOUCH_FAILED: &'static str = "identity.touch_failed";
    /// An attempt was refused unseen, because too many came before it; the cause names the bucket:
    /// `account`, `device`, `address`, or that of a route.
    pub const THROTTLED: &'static str = "identity.throttled";
    /// The store did not count an attempt: this process counted it by itself, or, after a login,
    /// nobody heard of the success.
    pub const THROTTLE_FAILED: &'static str = "identity.throttle_failed";
    /// `X-Forwarded-For` or `Forwarded` came from a peer that is no trusted proxy, or a trusted one
    /// sent what says no address. Each is told once; the cause has the fix.
    pub const CLIENT_UNKNOWN: &'static str = "identity.client_unknown";
    /// A stored session or user could not be read and counts as absent.
    pub const UNREADABLE: &'static str = "identity.unreadable";

    pub(crate) fn new(name: &'static str) -> Self {
        let fairing = Arc::from("");
        Event {
            name,
            fairing,
            reason: None,
            user: None,
            address: None,
            tag: None,
            user_hash: None,
            cause: None,
        }
    }

    pub(crate) fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(crate) fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    pub(crate) fn tag(mut self, tag: &Tag) -> Self {
        self.tag = Some(*tag);
        self
    }

    pub(crate) fn address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    pub(crate) fn cause(mut self, cause: &dyn fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The event's name, such as `identity.login`: one of this type's constants.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name of the fairing, empty for the unnamed one.
    pub fn fairing(&self) -> &str {
        &self.fairing
    }

    /// The stable code of a refusal; see [`Denied::code`](crate::Denied::code).
    pub fn reason_code(&self) -> Option<&'static str> {
        self.reason
    }

    /// The user concerned, where known. Escape it before it is printed: the application chose it.
    pub fn user_id(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The user concerned as in the log's record: a hash, salted anew at each launch, by which the
    /// events of one user can be told to belong together even where the id is not known.
    pub fn user_hash(&self) -> Option<&str> {
        self.user_hash.as_deref()
    }

    /// What a failure came from, without secrets.
    pub fn cause_text(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The peer's address: that of the proxy where one stands in front. For an attempt that was
    /// throttled it is the client's, as the throttle has it.
    pub fn peer(&self) -> Option<IpAddr> {
        self.address
    }
}

pub(crate) type Listener = dyn Fn(&Event) + Send + Sync;

/// Where a fairing's events go.
pub(crate) struct Events {
    fairing: Arc<str>,
    salt: [u8; 16],
    listener: Option<Arc<Listener>>,
}

impl Events {
    pub fn new(fairing: Arc<str>, salt: [u8; 16], listener: Option<Arc<Listener>>) -> Self {
        Events { fairing, salt, listener }
    }

    pub fn emit(&self, mut event: Event) {
        event.fairing = self.fairing.clone();
        event.user_hash = event.tag.map(|tag| self.correlation(&tag));
        macro_rules! record {
            ($level:ident) => {
                tracing::$level!(
                    target: "rocket_identity",
                    fairing = ?event.fairing,
                    reason = event.reason,
                    user = event.user_hash,
                    address = event.address.map(tracing::field::display),
                    cause = event.cause.as_ref().map(tracing::field::debug),
                    "{}",
                    event.name,
                )
            };
        }
        match event.name {
            Event::LOGIN
            | Event::LOGOUT
            | Event::LOGOUT_EVERYWHERE
            | Event::REVOKED
            | Event::PENDING
            | Event::CONFIRMED => record!(info),
            Event::REFUSED if matches!(event.reason, Some("session_invalid" | "invalid_token")) => {
                record!(info);
            }
            _ => record!(warn),
        }
        if let Some(listener) = &self.listener {
            // An audit that panics must not undo what has happened.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| listener(&event)));
        }
    }

    fn correlation(&self, tag: &Tag) -> String {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.salt);
        bytes[16..].copy_from_slice(tag.as_bytes());
        secret::encode(&Digest::of(&bytes).as_bytes()[..9])
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("fairing", &self.fairing).finish_non_exhaustive()
    }
}
