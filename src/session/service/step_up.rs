//! src/session/service/step_up.rs: who proved once more who they are gets a new ticket.

use super::{Service, failed};
use crate::error::Failure;
use crate::session::{Rotated, Rotation, Session, StoreError};
use crate::ticket::Ticket;

impl Service {
    /// Gives the session of a ticket a new one, authenticated now; `None` where the session has ended
    /// or another request did so first.
    ///
    /// The old ticket opens the session for [`GRACE`](crate::session::GRACE) more, at its old
    /// authentication: no request under way is logged out.
    pub async fn rotate(&self, ticket: &Ticket) -> Result<Option<(Ticket, Session)>, Failure> {
        let (new, now) = (Ticket::random(*ticket.tag())?, self.clock.now());
        let idle = self.lifetimes.idle;
        let rotation = Rotation { id: new.digest(), authenticated_at: now, now, idle };
        let rotated = self.store.rotate(ticket.tag(), &ticket.digest(), rotation).await;
        let (record, seen) = match rotated {
            Ok(Rotated::Done(record, seen)) => (record, seen),
            // What cannot be read is no session.
            Ok(Rotated::Gone) | Err(StoreError::Unreadable(_)) => return Ok(None),
            Err(cause) => return Err(failed(cause)),
        };
        let session = self.session(ticket.tag(), record, seen);
        Ok(Some((new, session)))
    }
}
