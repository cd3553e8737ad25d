//! src/session/service.rs: begin, resume and end a session; the lifetimes are decided here.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;

use super::record::cut_agent;
use super::{Begun, Found, NewSession, Record, Session, Store, StoreError, StoredUser};
use crate::clock::{Clock, Time};
use crate::config::Lifetimes;
use crate::error::{Failure, Reason};
use crate::ticket::{Handle, Tag, Ticket};

/// The sessions of one fairing.
pub struct Sessions {
    store: Arc<dyn Store>,
    clock: Clock,
    lifetimes: Lifetimes,
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
    /// A revocation of all by this same request.
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

impl Sessions {
    pub fn new(store: Arc<dyn Store>, clock: Clock, lifetimes: Lifetimes) -> Self {
        Sessions { store, clock, lifetimes }
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
        if now.since(seen) >= self.lifetimes.idle / 10 {
            seen = now;
            expires = self.expiry(&record, seen);
            // Boxed: it is taken seldom, and every request would carry the room for it.
            let touch = Box::pin(self.store.touch(ticket.tag(), &id, seen, expires));
            untouched = touch.await.err();
        }
        Ok(Resumed::Live { session: Session::new(record, seen, expires), user, untouched })
    }

    /// Begins a session under a new ticket and ends those that the request presented.
    pub async fn begin(&self, login: Login<'_>) -> Result<(Ticket, Session), Failure> {
        let ticket = Ticket::random(login.tag)?;
        let now = self.clock.now();
        let life = match login.remembered {
            true => self.lifetimes.remember,
            false => self.lifetimes.absolute,
        };
        let record = Record {
            handle: Handle::random()?,
            created: now,
            end: now.after(life),
            authenticated_at: now,
            remembered: login.remembered,
            user_agent: login.user_agent.map(cut_agent),
            address: login.address,
        };
        let expires = self.expiry(&record, now);
        let session = Session::new(Arc::new(record.clone()), now, expires);
        let (own, foreign): (Vec<_>, Vec<_>) =
            login.presented.iter().partition(|presented| *presented.tag() == login.tag);
        let new = NewSession {
            id: ticket.digest(),
            record,
            expires,
            since: login.user.as_of,
            user: login.user,
            own_revocation: login.own_revocation,
            replaces: own.iter().map(|ticket| ticket.digest()).collect(),
            max_per_user: self.lifetimes.max_per_user,
            idle: self.lifetimes.idle,
        };
        match self.store.begin(&login.tag, new).await.map_err(failed)? {
            Begun::Kept => {}
            Begun::RevokedMeanwhile => return Err(Reason::RevokedMeanwhile.into()),
            Begun::Full => return Err(Reason::StoreFull.into()),
        }
        let ended = self.end_each(foreign).await;
        if let Some(failure) = ended.into_iter().find_map(Result::err) {
            // Two logins at once in one browser would be worse than none.
            let _ = self.store.withdraw(ticket.tag(), &ticket.digest()).await;
            return Err(failure);
        }
        Ok((ticket, session))
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

    /// `min(created + absolute, seen + idle)`; a remembered session has no idle limit.
    fn expiry(&self, record: &Record, seen: Time) -> Time {
        match record.remembered {
            true => record.end,
            false => record.end.min(seen.after(self.lifetimes.idle)),
        }
    }
}

fn failed(cause: StoreError) -> Failure {
    match cause {
        StoreError::NotReplicated => Reason::NotReplicated.into(),
        cause => Failure::unavailable(cause),
    }
}
