//! src/session/service/pending.rs: a login that waits for a second factor.

use std::time::Duration;

use super::{Login, Service, failed, kept};
use crate::error::Failure;
use crate::session::record::cut_agent;
use crate::session::{NewPending, NewSession, Pending, Session, StoreError, StoredUser};
use crate::ticket::Ticket;

/// How long a login waits for its confirmation.
const LIFE: Duration = Duration::from_secs(10 * 60);

impl Service {
    /// Keeps a login that waits for `step`, under a new ticket that opens nothing. What the request
    /// presented lives on: only the confirmed login ends it.
    pub async fn begin_pending(
        &self,
        login: Login<'_>,
        step: &str,
        note: &str,
    ) -> Result<(Ticket, Pending), Failure> {
        let (ticket, now) = (Ticket::random(login.tag)?, self.clock.now());
        let pending = Pending {
            since: login.user.as_of,
            user: login.user,
            remembered: login.remembered,
            user_agent: login.user_agent.map(cut_agent),
            address: login.address,
            step: step.into(),
            note: note.into(),
            begun: now,
            end: now.after(LIFE),
        };
        let new = NewPending {
            id: ticket.digest(),
            pending: pending.clone(),
            own_revocation: login.own_revocation,
            idle: self.lifetimes.idle,
        };
        let begun = self.store.begin_pending(&login.tag, new).await;
        kept(begun.map_err(failed)?)?;
        Ok((ticket, pending))
    }

    /// The login that waits under a ticket; what cannot be read is none.
    pub async fn find_pending(&self, ticket: &Ticket) -> Result<Option<Pending>, Failure> {
        let found = match self.store.find_pending(ticket.tag(), &ticket.digest()).await {
            Err(StoreError::Unreadable(_)) => None,
            found => found.map_err(failed)?,
        };
        Ok(found.filter(|pending| pending.end > self.clock.now()))
    }

    /// Begins the session of a login that waited, under a new ticket, and ends the sessions that
    /// `presented` names; `None` where none waits any longer. It works once. `newer` is the user as it
    /// was read since.
    pub async fn confirm_pending(
        &self,
        ticket: &Ticket,
        presented: &[Ticket],
        newer: Option<StoredUser>,
    ) -> Result<Option<(Ticket, Session)>, Failure> {
        let Some(pending) = self.find_pending(ticket).await? else {
            return Ok(None);
        };
        let new_ticket = Ticket::random(*ticket.tag())?;
        let (own, foreign): (Vec<_>, Vec<_>) =
            presented.iter().partition(|presented| presented.tag() == ticket.tag());
        let Pending { user, remembered, user_agent, address, .. } = pending;
        let record = self.record(remembered, user_agent, address, self.clock.now())?;
        let user = newer.unwrap_or(user);
        let (new, session) = self.new_session(&new_ticket, record, user, own);
        let new = NewSession { since: pending.since, ..new };
        let confirmed = self.store.confirm_pending(ticket.tag(), &ticket.digest(), new).await;
        match confirmed.map_err(failed)? {
            Some(begun) => kept(begun)?,
            None => return Ok(None),
        }
        self.end_foreign(&new_ticket, foreign).await?;
        Ok(Some((new_ticket, session)))
    }
}
