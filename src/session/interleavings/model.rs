//! src/session/interleavings/model.rs: what one store must look like after any order of verbs.

use std::collections::BTreeMap;

use super::{IDLE, MOST};
use crate::clock::Time;
use crate::config::Evict;
use crate::secret::Digest;
use crate::session::data::Datum;
use crate::session::{Begun, GRACE, MOST_PENDING, NewPending, NewSession, Rotation, StoredUser};
use crate::ticket::Handle;

#[derive(Default)]
pub struct Model {
    users: BTreeMap<u32, ModelUser>,
}

#[derive(Default)]
struct ModelUser {
    user: Option<(String, Time)>,
    /// In the order of their logins.
    sessions: Vec<ModelSession>,
    /// Logins that wait, the oldest first.
    waiting: Vec<(Digest, String)>,
    revoked: Option<Time>,
}

struct ModelSession {
    handle: Handle,
    now: Ticket,
    /// Those that a step-up superseded, with their ends.
    before: Vec<(Ticket, Time)>,
    values: BTreeMap<String, Datum>,
    /// The latest revision that was given.
    revision: u64,
}

#[derive(Clone, Copy)]
struct Ticket {
    id: Digest,
    seen: Time,
    authenticated: Time,
}

/// What a store must find under an id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub handle: Handle,
    pub seen: Time,
    pub authenticated: Time,
    pub superseded: bool,
    pub user: String,
}

impl ModelSession {
    fn has(&self, id: &Digest) -> bool {
        self.now.id == *id || self.before.iter().any(|(ticket, _)| ticket.id == *id)
    }
}

impl Model {
    fn user(&mut self, user: u32) -> &mut ModelUser {
        self.users.entry(user).or_default()
    }

    pub fn revoked(&self, user: u32) -> Option<Time> {
        self.users.get(&user)?.revoked
    }

    /// Whether the id was superseded and has run out while its session lives: whether a store still has
    /// it is its own business.
    pub fn ran_out(&self, user: u32, id: &Digest, now: Time) -> bool {
        let mut before = self
            .users
            .get(&user)
            .into_iter()
            .flat_map(|user| &user.sessions)
            .flat_map(|s| &s.before);
        before.any(|(ticket, end)| ticket.id == *id && *end <= now)
    }

    pub fn begin(&mut self, user: u32, new: &NewSession) -> Begun {
        let user = self.user(user);
        // The histories keep away from the second of skew that a store with a clock of its own
        // tolerates: between its end and its beginning no login falls.
        let foreign = user.revoked.filter(|moment| Some(*moment) != new.own_revocation);
        if foreign.is_some_and(|moment| moment >= new.since) {
            return Begun::RevokedMeanwhile;
        }
        user.keep(new)
    }

    pub fn touch(&mut self, user: u32, id: &Digest, at: Time) {
        let session = self.user(user).sessions.iter_mut().find(|it| it.now.id == *id);
        if let Some(session) = session {
            session.now.seen = session.now.seen.max(at);
        }
    }

    pub fn end(&mut self, user: u32, id: &Digest) -> bool {
        let user = self.user(user);
        let before = user.sessions.len() + user.waiting.len();
        user.sessions.retain(|session| !session.has(id));
        user.waiting.retain(|(own, _)| own != id);
        user.forget();
        before != user.sessions.len() + user.waiting.len()
    }

    pub fn end_by_handle(&mut self, user: u32, handle: &Handle) -> bool {
        let user = self.user(user);
        let before = user.sessions.len();
        user.sessions.retain(|session| session.handle != *handle);
        user.forget();
        before != user.sessions.len()
    }

    pub fn end_others(&mut self, user: u32, keep: &Handle, moment: Time) -> usize {
        let user = self.user(user);
        let before = user.sessions.len();
        user.sessions.retain(|session| session.handle == *keep);
        user.waiting.clear();
        user.forget();
        user.revoked = Some(moment);
        before - user.sessions.len()
    }

    pub fn end_all(&mut self, user: u32, moment: Time) {
        *self.user(user) = ModelUser { revoked: Some(moment), ..ModelUser::default() };
    }

    /// Whether it was done.
    pub fn rotate(&mut self, user: u32, old: &Digest, new: &Rotation) -> bool {
        let session = self.user(user).sessions.iter_mut().find(|it| it.now.id == *old);
        let Some(session) = session else { return false };
        session.before.push((session.now, new.now.after(GRACE)));
        session.now.id = new.id;
        session.now.authenticated = new.authenticated_at;
        true
    }

    pub fn update_user(&mut self, user: u32, new: &StoredUser) -> bool {
        match self.user(user).user.as_mut().filter(|known| known.1 <= new.as_of) {
            Some(known) => {
                *known = (new.json.to_string(), new.as_of);
                true
            }
            None => false,
        }
    }

    pub fn begin_pending(&mut self, user: u32, new: &NewPending) -> Begun {
        let user = self.user(user);
        let foreign = user.revoked.filter(|moment| Some(*moment) != new.own_revocation);
        if foreign.is_some_and(|moment| moment >= new.pending.since) {
            return Begun::RevokedMeanwhile;
        }
        user.waiting.push((new.id, new.pending.note.to_string()));
        if user.waiting.len() > MOST_PENDING {
            user.waiting.remove(0);
        }
        Begun::Kept
    }

    pub fn confirm_pending(&mut self, user: u32, id: &Digest, new: &NewSession) -> Option<Begun> {
        let user = self.user(user);
        user.waiting.iter().find(|(own, _)| own == id)?;
        let begun = user.keep(new);
        if begun == Begun::Kept {
            user.waiting.retain(|(own, _)| own != id);
        }
        Some(begun)
    }

    pub fn find(&self, user: u32, id: &Digest, now: Time) -> Option<Seen> {
        let user = self.users.get(&user)?;
        let session = user.sessions.iter().find(|session| session.has(id))?;
        let found = |ticket: &Ticket, superseded| Seen {
            handle: session.handle,
            seen: ticket.seen,
            authenticated: ticket.authenticated,
            superseded,
            user: user.user.as_ref().map(|known| known.0.clone()).unwrap_or_default(),
        };
        if session.now.id == *id {
            return Some(found(&session.now, false));
        }
        let (ticket, _) =
            session.before.iter().find(|(ticket, end)| ticket.id == *id && *end > now)?;
        Some(found(ticket, true))
    }

    /// The note of a login that waits.
    pub fn find_pending(&self, user: u32, id: &Digest) -> Option<String> {
        let waiting = &self.users.get(&user)?.waiting;
        waiting.iter().find(|(own, _)| own == id).map(|(_, note)| note.clone())
    }

    fn session(&self, user: u32, handle: &Handle) -> Option<&ModelSession> {
        self.users.get(&user)?.sessions.iter().find(|session| session.handle == *handle)
    }

    pub fn value(&self, user: u32, handle: &Handle, key: &str) -> Option<Datum> {
        self.session(user, handle)?.values.get(key).cloned()
    }

    /// Whether a request with this id may write to the session.
    pub fn may_write(&self, user: u32, handle: &Handle, id: Option<&Digest>) -> bool {
        self.session(user, handle).is_some_and(|session| id.is_none_or(|id| session.has(id)))
    }

    pub fn is_new(&self, user: u32, handle: &Handle, revision: u64) -> bool {
        self.session(user, handle).is_some_and(|session| session.revision < revision)
    }

    pub fn set_value(&mut self, user: u32, handle: &Handle, key: &str, datum: Option<Datum>) {
        let mut sessions = self.user(user).sessions.iter_mut();
        let Some(session) = sessions.find(|session| session.handle == *handle) else { return };
        match datum {
            Some(datum) => {
                session.revision = datum.revision;
                session.values.insert(key.into(), datum);
            }
            None => drop(session.values.remove(key)),
        }
    }

    pub fn list(&self, user: u32) -> Vec<(Handle, Time, Time)> {
        let sessions = self.users.get(&user).map(|user| &*user.sessions).unwrap_or_default();
        let listed = |it: &ModelSession| (it.handle, it.now.seen, it.now.authenticated);
        sessions.iter().map(listed).collect()
    }
}

impl ModelUser {
    fn keep(&mut self, new: &NewSession) -> Begun {
        let now = new.record.created;
        let replaced = |id: &Digest| new.replaces.contains(id);
        let ends = |session: &ModelSession| {
            replaced(&session.now.id)
                || session.before.iter().any(|(ticket, end)| replaced(&ticket.id) && *end > now)
        };
        assert!(self.sessions.iter().all(|it| it.now.seen.after(IDLE) > now), "too long a history");
        let stay = self.sessions.iter().filter(|session| !ends(session)).count();
        if stay >= MOST && new.evict == Evict::Refuse {
            return Begun::TooMany;
        }
        self.sessions.retain(|session| !ends(session));
        self.waiting.retain(|(id, _)| !replaced(id));
        while self.sessions.len() >= MOST {
            self.sessions.remove(0);
        }
        if self.user.as_ref().is_none_or(|known| known.1 <= new.user.as_of) {
            self.user = Some((new.user.json.to_string(), new.user.as_of));
        }
        let authenticated = new.record.authenticated_at;
        let now = Ticket { id: new.id, seen: now, authenticated };
        self.sessions.push(ModelSession {
            handle: new.record.handle,
            now,
            before: Vec::new(),
            values: BTreeMap::new(),
            revision: 0,
        });
        Begun::Kept
    }

    fn forget(&mut self) {
        if self.sessions.is_empty() {
            self.user = None;
        }
    }
}
