//! src/memory/shard.rs: the users of one lock, and the verbs on them.

mod pending;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::account::{Account, Agenda, Due, Held};
use super::data::SessionData;
use crate::clock::Time;
use crate::config::Evict;
use crate::secret::Digest;
use crate::session::{Begun, Found, GRACE, NewSession, Record, Rotated, Rotation, StoredUser};
use crate::ticket::{Handle, Tag};

/// What a login sweeps at most, so that none pays for all.
const SWEEP: usize = 16;

#[derive(Default)]
pub struct Shard {
    users: HashMap<Tag, Account>,
    agenda: Agenda,
}

impl Shard {
    pub fn find(&self, tag: &Tag, id: &Digest) -> Option<Found> {
        let account = self.users.get(tag)?;
        let held = account.held(id)?;
        Some(Found { record: held.record.clone(), seen: held.seen, user: account.user.clone()? })
    }

    /// The outcome, and how many places it freed. It asks for a place where the new session takes
    /// that of no other.
    pub fn begin(
        &mut self,
        tag: &Tag,
        new: NewSession,
        now: Time,
        place: impl FnOnce() -> bool,
    ) -> (Begun, usize) {
        let swept = self.sweep(now, SWEEP);
        let (begun, freed) = self.keep(tag, new, now, place);
        (begun, swept + freed)
    }

    fn keep(
        &mut self,
        tag: &Tag,
        new: NewSession,
        now: Time,
        place: impl FnOnce() -> bool,
    ) -> (Begun, usize) {
        let Shard { users, agenda } = self;
        let account = users.entry(*tag).or_default();
        if account.refuses(new.since, new.own_revocation) {
            return (Begun::RevokedMeanwhile, 0);
        }
        let mut freed = account.drop_dead(tag, agenda, now);
        // The new id too: a begin that is repeated leaves one session.
        let replaced = |id: &Digest| *id == new.id || new.replaces.contains(id);
        let ends = account.sessions.iter().filter(|held| replaced(&held.id));
        let mut ends: Vec<Handle> = ends.map(|held| held.record.handle).collect();
        let stays = account.sessions.iter().filter(|held| !held.record.superseded);
        let stays = stays.map(|held| held.record.handle).filter(|handle| !ends.contains(handle));
        let stays: Vec<Handle> = stays.collect();
        let over = (stays.len() + 1).saturating_sub(new.max_per_user);
        if over > 0 && new.evict == Evict::Refuse {
            return (Begun::TooMany, freed);
        }
        ends.extend(&stays[..over]);
        freed += account.drop_waiting(tag, agenda, |waiting| replaced(&waiting.id));
        freed += account.end(tag, agenda, |handle| ends.contains(handle));
        // The place of the first that ended is the new one's.
        match freed.checked_sub(1) {
            Some(rest) => freed = rest,
            None if place() => {}
            None => {
                if account.forgets() {
                    users.remove(tag);
                }
                return (Begun::Full, 0);
            }
        }
        if account.user.as_ref().is_none_or(|user| user.as_of <= new.user.as_of) {
            account.user = Some(Arc::new(new.user));
        }
        agenda.add(new.expires, tag, Due::Session(new.id));
        account.sessions.push(Held {
            id: new.id,
            seen: new.record.created,
            record: Arc::new(new.record),
            expires: new.expires,
        });
        (Begun::Kept, freed)
    }

    pub fn touch(&mut self, tag: &Tag, id: &Digest, seen: Time, expires: Time) {
        let Shard { users, agenda } = self;
        let Some(account) = users.get_mut(tag) else {
            return;
        };
        let mut sessions = account.sessions.iter_mut();
        let Some(held) = sessions.find(|held| held.id == *id && !held.record.superseded) else {
            return;
        };
        agenda.remove(held.expires, tag, Due::Session(*id));
        // Of two touches that cross, the later one stands.
        held.seen = held.seen.max(seen);
        held.expires = held.expires.max(expires);
        agenda.add(held.expires, tag, Due::Session(*id));
    }

    pub fn update_user(&mut self, tag: &Tag, user: StoredUser) -> bool {
        let Some(account) = self.users.get_mut(tag) else { return false };
        let newer = account.user.as_ref().is_some_and(|known| known.as_of <= user.as_of);
        if newer {
            account.user = Some(Arc::new(user));
        }
        newer
    }

    /// A new id for the session of `old`: how many places that takes, and how many it freed. A superseded record has one for
    /// its few seconds, whether one is left or not: a full store refuses no step-up.
    pub fn rotate(&mut self, tag: &Tag, old: &Digest, new: Rotation) -> (Rotated, usize, usize) {
        let Shard { users, agenda } = self;
        let Some(account) = users.get_mut(tag) else {
            return (Rotated::Gone, 0, 0);
        };
        if let Some(held) = account.held(&new.id) {
            return (Rotated::Done(held.record.clone(), held.seen), 0, 0);
        }
        // Or what was superseded before would pile up.
        let freed = account.drop_dead(tag, agenda, new.now);
        let living =
            |held: &&mut Held| held.id == *old && !held.record.superseded && held.expires > new.now;
        let Some(held) = account.sessions.iter_mut().find(living) else {
            return (Rotated::Gone, 0, freed);
        };
        let until = held.expires.min(new.now.after(GRACE));
        let superseded = Record { superseded: true, end: until, ..(*held.record).clone() };
        let record = Record { authenticated_at: new.authenticated_at, ..(*held.record).clone() };
        agenda.remove(held.expires, tag, Due::Session(*old));
        agenda.add(held.expires, tag, Due::Session(new.id));
        agenda.add(until, tag, Due::Session(*old));
        // The new record stands where the old one stood: the order is that of the logins.
        (held.id, held.record) = (new.id, Arc::new(record));
        let done = Rotated::Done(held.record.clone(), held.seen);
        let seen = held.seen;
        let record = Arc::new(superseded);
        account.sessions.push(Held { id: *old, record, seen, expires: until });
        (done, 1, freed)
    }

    /// The living sessions, and how many places those freed that were not.
    pub fn list(&mut self, tag: &Tag, now: Time) -> (Vec<(Arc<Record>, Time)>, usize) {
        self.on(tag, |account, agenda| {
            let freed = account.drop_dead(tag, agenda, now);
            let living = account.sessions.iter().filter(|held| !held.record.superseded);
            (living.map(|held| (held.record.clone(), held.seen)).collect(), freed)
        })
    }

    /// Whether there was one, and how many places it freed.
    pub fn end(&mut self, tag: &Tag, id: &Digest) -> (bool, usize) {
        self.on(tag, |account, agenda| {
            let freed = match account.held(id).map(|held| held.record.handle) {
                Some(handle) => account.end(tag, agenda, |other| *other == handle),
                None => account.drop_waiting(tag, agenda, |waiting| waiting.id == *id),
            };
            (freed > 0, freed)
        })
    }

    pub fn end_by_handle(&mut self, tag: &Tag, handle: &Handle) -> (bool, usize) {
        self.on(tag, |account, agenda| {
            let freed = account.end(tag, agenda, |other| other == handle);
            (freed > 0, freed)
        })
    }

    /// How many living sessions it ended, and how many places it freed.
    pub fn end_others(&mut self, tag: &Tag, keep: &Handle, now: Time) -> (usize, usize) {
        self.users.entry(*tag).or_default();
        self.on(tag, |account, agenda| {
            let mut freed = account.drop_dead(tag, agenda, now);
            let others = account.sessions.iter().filter(|held| held.record.handle != *keep);
            let ended = others.filter(|held| !held.record.superseded).count();
            freed += account.end(tag, agenda, |handle| handle != keep);
            freed += account.drop_waiting(tag, agenda, |_| true);
            account.revoke(tag, agenda, now);
            (ended, freed)
        })
    }

    /// How many places it freed.
    pub fn end_all(&mut self, tag: &Tag, now: Time) -> usize {
        let account = self.users.entry(*tag).or_default();
        let mut freed = account.end(tag, &mut self.agenda, |_| true);
        freed += account.drop_waiting(tag, &mut self.agenda, |_| true);
        account.revoke(tag, &mut self.agenda, now);
        account.user = None;
        freed
    }

    /// Drops at most `limit` things that are due: how many places it freed.
    pub fn sweep(&mut self, now: Time, limit: usize) -> usize {
        let mut freed = 0;
        for _ in 0..limit {
            let Some((tag, due)) = self.agenda.next(now) else {
                break;
            };
            freed += self.on(&tag, |account, _| ((), account.fall_due(due))).1;
        }
        freed
    }

    /// Acts on a user that is known, and forgets one of whom nothing is left; else does nothing.
    fn on<T: Default>(
        &mut self,
        tag: &Tag,
        act: impl FnOnce(&mut Account, &mut Agenda) -> (T, usize),
    ) -> (T, usize) {
        let Entry::Occupied(mut entry) = self.users.entry(*tag) else {
            return (T::default(), 0);
        };
        let done = act(entry.get_mut(), &mut self.agenda);
        if entry.get_mut().forgets() {
            entry.remove();
        }
        done
    }

    /// The living record of a handle, and when it was last seen.
    pub fn lives(&self, tag: &Tag, handle: &Handle) -> Option<(Arc<Record>, Time)> {
        let held = self.users.get(tag)?.living(handle)?;
        Some((held.record.clone(), held.seen))
    }

    /// The values of a session, where it has any.
    pub fn values(&mut self, tag: &Tag, handle: &Handle) -> Option<&mut SessionData> {
        self.users.get_mut(tag)?.data.get_mut(handle)
    }

    /// The same to write to, where the session lives and `id` is one of its own.
    pub fn values_to_write(
        &mut self,
        tag: &Tag,
        id: Option<&Digest>,
        handle: &Handle,
    ) -> Option<&mut SessionData> {
        let account = self.users.get_mut(tag)?;
        account.living(handle)?;
        if let Some(id) = id {
            account.held(id).filter(|held| held.record.handle == *handle)?;
        }
        Some(account.data.entry(*handle).or_default())
    }

    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize) {
        (self.users.len(), self.agenda.len())
    }
}
