//! src/session/service.rs: begin, resume and end a session; the lifetimes are decided here.

mod devices;
mod pending;
mod step_up;

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;

use super::home::Home;
use super::record::cut_agent;
use super::{Begun, Found, NewSession, Record, Session, Store, StoreError, StoredUser};
use crate::clock::{Clock, Time};
use crate::config::Lifetimes;
use crate::error::{Failure, Reason};
use crate::secret::NoEntropy;
use crate::ticket::{Handle, Tag, Ticket};

/// The sessions of one fairing.
pub struct Service {
    store: Arc<dyn Store>,
    clock: Clock,
    lifetimes: Lifetimes,
    home: Arc<Home>,
}

/// What a login brings along.
pub struct Login<'a> {
    pub tag: Tag,
    pub user: StoredUser,
    pub remembered: bool,
    pub user_agent: Option<&'a str>,
    pub address: Option<IpAddr>,
    /// The tickets that the request presented: their sessions end.
    pub presented: &'a [Ticket],
    /// A revocation of all, or of all others, by this same request.
    pub own_revocation: Option<Time>,
}

/// What became of a presented ticket.
pub enum Resumed {
    /// Unknown, ended or expired.
    Gone,
    Live {
        session: Session,
        user: Arc<StoredUser>,
        /// The store did not take the sign of life.
        untouched: Option<StoreError>,
    },
}

impl Service {
    pub fn new(store: Arc<dyn Store>, clock: Clock, lifetimes: Lifetimes) -> Self {
        let home = Home::new(store.clone(), clock.clone(), lifetimes.idle, "".into());
        Service { store, clock, lifetimes, home: Arc::new(home) }
    }

    /// The same for the fairing of that name, which errors tell.
    pub fn named(self, fairing: Arc<str>) -> Self {
        let Service { store, clock, lifetimes, .. } = self;
        let home = Home::new(store.clone(), clock.clone(), lifetimes.idle, fairing);
        Service { store, clock, lifetimes, home: Arc::new(home) }
    }

    /// It is known, without asking, that no session can be kept at present.
    pub fn is_away(&self) -> bool {
        self.store.is_away()
    }

    /// There is no room for a session that takes the place of no other.
    pub fn is_full(&self) -> bool {
        self.store.is_full()
    }

    /// Whether the store answers, for a caller that has reason to doubt it.
    pub async fn answers(&self) -> bool {
        self.store.answers().await
    }

    /// Finds the session of a ticket: one read, and a write where a touch is due.
    pub async fn resume(&self, ticket: &Ticket) -> Result<Resumed, StoreError> {
        let id = ticket.digest();
        let Some(found) = self.store.find(ticket.tag(), &id).await? else {
            return Ok(Resumed::Gone);
        };
        let Found { record, mut seen, user } = found;
        let now = self.clock.now();
        let mut expires = self.expiry(&record, seen);
        if now >= expires {
            return Ok(Resumed::Gone);
        }
        let mut untouched = None;
        if now.since(seen) >= self.lifetimes.idle / 10 && !record.superseded {
            seen = now;
            expires = self.expiry(&record, seen);
            // Boxed: it is taken seldom, and every request would carry the room for it.
            let touch = Box::pin(self.store.touch(ticket.tag(), &id, seen, expires));
            untouched = touch.await.err();
        }
        let session = self.session(ticket.tag(), record, seen);
        Ok(Resumed::Live { session, user, untouched })
    }

    /// Begins a session under a new ticket and ends those that the request presented.
    pub async fn begin(&self, login: Login<'_>) -> Result<(Ticket, Session), Failure> {
        let ticket = Ticket::random(login.tag)?;
        let (own, foreign): (Vec<_>, Vec<_>) =
            login.presented.iter().partition(|presented| *presented.tag() == login.tag);
        let record = self.record(
            login.remembered,
            login.user_agent.map(cut_agent),
            login.address,
            self.clock.now(),
        )?;
        let (new, session) = self.new_session(&ticket, record, login.user, own);
        let new = NewSession { own_revocation: login.own_revocation, ..new };
        kept(self.store.begin(&login.tag, new).await.map_err(failed)?)?;
        self.end_foreign(&ticket, foreign).await?;
        Ok((ticket, session))
    }

    /// A session of that moment.
    fn record(
        &self,
        remembered: bool,
        user_agent: Option<Box<str>>,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<Record, NoEntropy> {
        let life = match remembered {
            true => self.lifetimes.remember,
            false => self.lifetimes.absolute,
        };
        Ok(Record {
            handle: Handle::random()?,
            created: now,
            end: now.after(life),
            authenticated_at: now,
            remembered,
            superseded: false,
            user_agent,
            address,
        })
    }

    /// What a store keeps of it, and what a handler gets.
    fn new_session(
        &self,
        ticket: &Ticket,
        record: Record,
        user: StoredUser,
        replaces: Vec<&Ticket>,
    ) -> (NewSession, Session) {
        let now = record.created;
        let id = ticket.digest();
        let session = self.session(ticket.tag(), Arc::new(record.clone()), now);
        let new = NewSession {
            id,
            record,
            expires: session.expires,
            since: user.as_of,
            user,
            own_revocation: None,
            replaces: replaces.iter().map(|ticket| ticket.digest()).collect(),
            max_per_user: self.lifetimes.max_per_user,
            evict: self.lifetimes.evict,
            idle: self.lifetimes.idle,
        };
        (new, session)
    }

    /// Ends the sessions of other users that a login's request presented, or takes the login back.
    async fn end_foreign(&self, ticket: &Ticket, foreign: Vec<&Ticket>) -> Result<(), Failure> {
        let ended = self.end_each(foreign).await;
        if let Some(failure) = ended.into_iter().find_map(Result::err) {
            // Two logins at once in one browser would be worse than none.
            let _ = self.store.withdraw(ticket.tag(), &ticket.digest()).await;
            return Err(failure);
        }
        Ok(())
    }

    /// Ends the session of each ticket, all at once; false where there was none.
    pub async fn end_each(
        &self,
        tickets: impl IntoIterator<Item = &Ticket>,
    ) -> Vec<Result<bool, Failure>> {
        join_all(tickets.into_iter().map(|ticket| self.end(ticket))).await
    }

    /// Ends the session of a ticket; false where there was none.
    pub async fn end(&self, ticket: &Ticket) -> Result<bool, Failure> {
        match self.store.end(ticket.tag(), &ticket.digest()).await {
            // What cannot be read is no session.
            Err(StoreError::Unreadable(_)) => Ok(false),
            ended => ended.map_err(failed),
        }
    }

    /// Ends all sessions of a user, and refuses the logins that are under way.
    pub async fn end_all(&self, tag: &Tag) -> Result<Time, Failure> {
        self.store.end_all(tag).await.map_err(failed)
    }

    fn expiry(&self, record: &Record, seen: Time) -> Time {
        self.home.expiry(record, seen)
    }

    /// What a handler gets.
    fn session(&self, tag: &Tag, record: Arc<Record>, last_seen: Time) -> Session {
        let expires = self.expiry(&record, last_seen);
        Session { record, last_seen, expires, home: self.home.clone(), tag: *tag }
    }
}

/// The session was kept, or why not.
fn kept(begun: Begun) -> Result<(), Failure> {
    match begun {
        Begun::Kept => Ok(()),
        Begun::RevokedMeanwhile => Err(Reason::RevokedMeanwhile.into()),
        Begun::TooMany => Err(Reason::TooManySessions.into()),
        Begun::Full => Err(Reason::StoreFull.into()),
    }
}

fn failed(cause: StoreError) -> Failure {
    match cause {
        StoreError::NotReplicated => Reason::NotReplicated.into(),
        cause => Failure::unavailable(cause),
    }
}
