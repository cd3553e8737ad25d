//! src/session/record.rs: what is kept of a session and of its user.

use std::net::IpAddr;

use crate::clock::Time;
use crate::ticket::Handle;

/// A session as its login made it; nothing in it changes afterwards but by a step-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub handle: Handle,
    pub created: Time,
    /// `created` plus the absolute lifetime, or plus that of a remembered session.
    pub end: Time,
    pub authenticated_at: Time,
    pub remembered: bool,
    /// A step-up gave the session another id: this one is never fresh and never touched, and `end`
    /// is at hand.
    pub superseded: bool,
    pub user_agent: Option<Box<str>>,
    pub address: Option<IpAddr>,
}

/// The application's user, kept once whatever the number of sessions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredUser {
    /// `User::VERSION` of the application that wrote it.
    pub version: u32,
    pub json: Box<str>,
    /// The moment that the application's own data was read at, or before.
    pub as_of: Time,
}

/// A login that waits for its second factor. It opens nothing but the routes that confirm it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    pub user: StoredUser,
    pub remembered: bool,
    pub user_agent: Option<Box<str>>,
    pub address: Option<IpAddr>,
    /// What it waits for, such as `totp`.
    pub step: Box<str>,
    /// What the throttle is to hear when it is confirmed; a store only keeps it.
    pub note: Box<str>,
    /// The beginning of the login's request: a revocation of all from then on refuses it.
    pub since: Time,
    pub begun: Time,
    pub end: Time,
}

/// At most 120 bytes of a `User-Agent`, cut between characters.
pub fn cut_agent(agent: &str) -> Box<str> {
    let mut end = agent.len().min(120);
    while !agent.is_char_boundary(end) {
        end -= 1;
    }
    agent[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_cut_at_120_bytes_and_never_inside_a_character() {
        assert_eq!(&*cut_agent("curl/8"), "curl/8");
        assert_eq!(cut_agent(&"a".repeat(500)).len(), 120);
        assert_eq!(cut_agent(&format!("{}é", "a".repeat(119))).len(), 119);
    }
}
