//! src/memory/account.rs: what is kept of one user, and the agenda of what ends when.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::data::SessionData;
use crate::clock::Time;
use crate::secret::Digest;
use crate::session::{Pending, Record, StoredUser};
use crate::ticket::{Handle, Tag};

/// How long a revocation of all refuses the logins that began before it.
const REVOCATION: Duration = Duration::from_secs(10 * 60);

/// One user: the user's own data, and the sessions in the order of their logins. A superseded record
/// stands anywhere among them.
#[derive(Default)]
pub struct Account {
    pub user: Option<Arc<StoredUser>>,
    pub sessions: Vec<Held>,
    /// Logins that wait, the oldest first.
    pub waiting: Vec<Waiting>,
    pub data: HashMap<Handle, SessionData>,
    pub revoked: Option<Time>,
}

pub struct Held {
    pub id: Digest,
    pub record: Arc<Record>,
    pub seen: Time,
    pub expires: Time,
}

pub struct Waiting {
    pub id: Digest,
    pub pending: Pending,
}

/// Everything that ends by itself, by the moment that it may be dropped.
#[derive(Default)]
pub struct Agenda(BTreeSet<(Time, Tag, Due)>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Session(Digest),
    Pending(Digest),
    Revocation,
}

impl Account {
    pub fn held(&self, id: &Digest) -> Option<&Held> {
        self.sessions.iter().find(|held| held.id == *id)
    }

    /// The one of a handle that is not superseded.
    pub fn living(&self, handle: &Handle) -> Option<&Held> {
        let mut own = self.sessions.iter().filter(|held| held.record.handle == *handle);
        own.find(|held| !held.record.superseded)
    }

    /// Whether all was revoked since that moment, by another request than this one.
    pub fn refuses(&self, since: Time, own_revocation: Option<Time>) -> bool {
        let revoked = self.revoked.filter(|_| self.revoked != own_revocation);
        revoked.is_some_and(|moment| moment >= since)
    }

    /// Ends the sessions of these handles with all that belongs to them: how many places are free.
    pub fn end(&mut self, tag: &Tag, agenda: &mut Agenda, ends: impl Fn(&Handle) -> bool) -> usize {
        self.data.retain(|handle, _| !ends(handle));
        self.drop_records(tag, agenda, |held| ends(&held.record.handle))
    }

    /// Drops what has expired. A superseded record takes nothing with it.
    pub fn drop_dead(&mut self, tag: &Tag, agenda: &mut Agenda, now: Time) -> usize {
        let dead = |held: &Held| held.expires <= now;
        for held in self.sessions.iter().filter(|held| dead(held) && !held.record.superseded) {
            self.data.remove(&held.record.handle);
        }
        self.drop_records(tag, agenda, dead)
            + self.drop_waiting(tag, agenda, |waiting| waiting.pending.end <= now)
    }

    fn drop_records(
        &mut self,
        tag: &Tag,
        agenda: &mut Agenda,
        drops: impl Fn(&Held) -> bool,
    ) -> usize {
        let dropped = self.sessions.extract_if(.., |held| drops(held));
        dropped.map(|held| agenda.remove(held.expires, tag, Due::Session(held.id))).count()
    }

    pub fn drop_waiting(
        &mut self,
        tag: &Tag,
        agenda: &mut Agenda,
        drops: impl Fn(&Waiting) -> bool,
    ) -> usize {
        let dropped = self.waiting.extract_if(.., |waiting| drops(waiting));
        dropped.map(|it| agenda.remove(it.pending.end, tag, Due::Pending(it.id))).count()
    }

    pub fn revoke(&mut self, tag: &Tag, agenda: &mut Agenda, now: Time) {
        if let Some(earlier) = self.revoked {
            agenda.remove(earlier.after(REVOCATION), tag, Due::Revocation);
        }
        agenda.add(now.after(REVOCATION), tag, Due::Revocation);
        self.revoked = Some(now);
    }

    /// Drops one thing that is due: how many places are free.
    pub fn fall_due(&mut self, due: Due) -> usize {
        match due {
            Due::Session(id) => {
                let Some(place) = self.sessions.iter().position(|held| held.id == id) else {
                    return 0;
                };
                let held = self.sessions.remove(place);
                if !held.record.superseded {
                    self.data.remove(&held.record.handle);
                }
                1
            }
            Due::Pending(id) => self.waiting.extract_if(.., |waiting| waiting.id == id).count(),
            Due::Revocation => {
                self.revoked = None;
                0
            }
        }
    }

    /// With the last session the user is forgotten; true where nothing at all is left.
    pub fn forgets(&mut self) -> bool {
        if self.sessions.is_empty() {
            self.user = None;
        }
        self.sessions.is_empty() && self.waiting.is_empty() && self.revoked.is_none()
    }
}

impl Agenda {
    pub fn add(&mut self, moment: Time, tag: &Tag, due: Due) {
        self.0.insert((moment, *tag, due));
    }

    pub fn remove(&mut self, moment: Time, tag: &Tag, due: Due) {
        self.0.remove(&(moment, *tag, due));
    }

    /// The next thing that is due by `now`.
    pub fn next(&mut self, now: Time) -> Option<(Tag, Due)> {
        let due = self.0.first().is_some_and(|(moment, ..)| *moment <= now);
        due.then(|| self.0.pop_first()).flatten().map(|(_, tag, due)| (tag, due))
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
