//! src/memory/shard.rs: the users of one lock, their sessions, and when each is due.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::secret::Digest;
use crate::session::{Begun, Found, NewSession, Record, StoredUser};
use crate::ticket::Tag;

/// How long a revocation of all refuses the logins that began before it.
const REVOCATION: Duration = Duration::from_secs(10 * 60);

/// What a login sweeps at most, so that none pays for all.
const SWEEP: usize = 16;

#[derive(Default)]
pub struct Shard {
    users: HashMap<Tag, Account>,
    /// Every session and every revocation, by the moment that it may be dropped.
    due: BTreeSet<(Time, Tag, Due)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Session(Digest),
    Revocation,
}

/// One user: the user's own data, and the sessions in the order of their logins.
#[derive(Default)]
struct Account {
    user: Option<Arc<StoredUser>>,
    sessions: Vec<Held>,
    revoked: Option<Time>,
}

struct Held {
    id: Digest,
    record: Arc<Record>,
    seen: Time,
    expires: Time,
}

impl Shard {
    pub fn find(&self, tag: &Tag, id: &Digest) -> Option<Found> {
        let account = self.users.get(tag)?;
        let held = account.sessions.iter().find(|held| held.id == *id)?;
        Some(Found { record: held.record.clone(), seen: held.seen, user: account.user.clone()? })
    }

    /// The outcome, and how many sessions it ended. It asks for a place where the new session
    /// takes that of no other.
    pub fn begin(
        &mut self,
        tag: &Tag,
        new: NewSession,
        now: Time,
        place: impl FnOnce() -> bool,
    ) -> (Begun, usize) {
        let mut ended = self.sweep(now, SWEEP);
        let account = self.users.entry(*tag).or_default();
        let revoked = account.revoked.filter(|_| account.revoked != new.own_revocation);
        if revoked.is_some_and(|moment| moment >= new.since) {
            return (Begun::RevokedMeanwhile, ended);
        }
        // The new id too: a begin that is repeated leaves one session.
        let replaced = |held: &Held| {
            held.expires <= now || held.id == new.id || new.replaces.contains(&held.id)
        };
        let gives_way =
            account.sessions.len() >= new.max_per_user || account.sessions.iter().any(&replaced);
        if !gives_way && !place() {
            if account.forgets() {
                self.users.remove(tag);
            }
            return (Begun::Full, ended);
        }
        for held in account.sessions.extract_if(.., |held| replaced(held)) {
            self.due.remove(&(held.expires, *tag, Due::Session(held.id)));
            ended += 1;
        }
        let over = (account.sessions.len() + 1).saturating_sub(new.max_per_user);
        for held in account.sessions.drain(..over) {
            self.due.remove(&(held.expires, *tag, Due::Session(held.id)));
            ended += 1;
        }
        // The place of the first that ended is the new one's.
        ended -= usize::from(gives_way);
        if account.user.as_ref().is_none_or(|user| user.as_of <= new.user.as_of) {
            account.user = Some(Arc::new(new.user));
        }
        self.due.insert((new.expires, *tag, Due::Session(new.id)));
        account.sessions.push(Held {
            id: new.id,
            seen: new.record.created,
            record: Arc::new(new.record),
            expires: new.expires,
        });
        (Begun::Kept, ended)
    }

    pub fn touch(&mut self, tag: &Tag, id: &Digest, seen: Time, expires: Time) {
        let Some(account) = self.users.get_mut(tag) else {
            return;
        };
        let Some(held) = account.sessions.iter_mut().find(|held| held.id == *id) else {
            return;
        };
        self.due.remove(&(held.expires, *tag, Due::Session(*id)));
        // Of two touches that cross, the later one stands.
        held.seen = held.seen.max(seen);
        held.expires = held.expires.max(expires);
        self.due.insert((held.expires, *tag, Due::Session(*id)));
    }

    pub fn update_user(&mut self, tag: &Tag, user: StoredUser) -> bool {
        let Some(account) = self.users.get_mut(tag) else { return false };
        let newer = account.user.as_ref().is_some_and(|known| known.as_of <= user.as_of);
        if newer {
            account.user = Some(Arc::new(user));
        }
        newer
    }

    pub fn end(&mut self, tag: &Tag, id: &Digest) -> bool {
        let Entry::Occupied(mut entry) = self.users.entry(*tag) else {
            return false;
        };
        let account = entry.get_mut();
        let Some(place) = account.sessions.iter().position(|held| held.id == *id) else {
            return false;
        };
        let held = account.sessions.remove(place);
        self.due.remove(&(held.expires, *tag, Due::Session(held.id)));
        if account.forgets() {
            entry.remove();
        }
        true
    }

    /// How many sessions it ended.
    pub fn end_all(&mut self, tag: &Tag, now: Time) -> usize {
        let account = self.users.entry(*tag).or_default();
        for held in &account.sessions {
            self.due.remove(&(held.expires, *tag, Due::Session(held.id)));
        }
        if let Some(earlier) = account.revoked {
            self.due.remove(&(earlier.after(REVOCATION), *tag, Due::Revocation));
        }
        self.due.insert((now.after(REVOCATION), *tag, Due::Revocation));
        let ended = account.sessions.len();
        *account = Account { revoked: Some(now), ..Account::default() };
        ended
    }

    /// Drops at most `limit` things that are due; returns how many sessions were among them.
    pub fn sweep(&mut self, now: Time, limit: usize) -> usize {
        let mut swept = 0;
        for _ in 0..limit {
            let Some(&(moment, tag, due)) = self.due.first() else {
                break;
            };
            if moment > now {
                break;
            }
            self.due.pop_first();
            let Entry::Occupied(mut entry) = self.users.entry(tag) else {
                continue;
            };
            let account = entry.get_mut();
            match due {
                Due::Session(id) => {
                    swept += account.sessions.extract_if(.., |h| h.id == id).count();
                }
                Due::Revocation => account.revoked = None,
            }
            if account.forgets() {
                entry.remove();
            }
        }
        swept
    }

    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize) {
        (self.users.len(), self.due.len())
    }
}

impl Account {
    /// With the last session the user is forgotten; true where nothing at all is left.
    fn forgets(&mut self) -> bool {
        if self.sessions.is_empty() {
            self.user = None;
        }
        self.sessions.is_empty() && self.revoked.is_none()
    }
}
