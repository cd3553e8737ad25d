//! src/memory/shard/pending.rs: logins that wait for their confirmation.

use super::{SWEEP, Shard};
use crate::clock::Time;
use crate::memory::account::{Due, Waiting};
use crate::secret::Digest;
use crate::session::{Begun, MOST_PENDING, NewPending, NewSession, Pending};
use crate::ticket::Tag;

impl Shard {
    /// The outcome, and how many places it freed.
    pub fn begin_pending(
        &mut self,
        tag: &Tag,
        new: NewPending,
        place: impl FnOnce() -> bool,
    ) -> (Begun, usize) {
        let NewPending { id, pending, own_revocation, .. } = new;
        let now = pending.begun;
        let mut freed = self.sweep(now, SWEEP);
        let Shard { users, agenda } = self;
        let account = users.entry(*tag).or_default();
        if account.refuses(pending.since, own_revocation) {
            return (Begun::RevokedMeanwhile, freed);
        }
        let mut own = account.drop_dead(tag, agenda, now);
        own += account.drop_waiting(tag, agenda, |waiting| waiting.id == id);
        let over = (account.waiting.len() + 1).saturating_sub(MOST_PENDING);
        let oldest: Vec<Digest> = account.waiting[..over].iter().map(|it| it.id).collect();
        own += account.drop_waiting(tag, agenda, |waiting| oldest.contains(&waiting.id));
        match own.checked_sub(1) {
            Some(rest) => freed += rest,
            None if place() => {}
            None => {
                if account.forgets() {
                    users.remove(tag);
                }
                return (Begun::Full, freed);
            }
        }
        agenda.add(pending.end, tag, Due::Pending(id));
        account.waiting.push(Waiting { id, pending });
        // Sessions that were dead may have been the last.
        account.forgets();
        (Begun::Kept, freed)
    }

    pub fn find_pending(&self, tag: &Tag, id: &Digest) -> Option<Pending> {
        let waiting = &self.users.get(tag)?.waiting;
        waiting.iter().find(|waiting| waiting.id == *id).map(|waiting| waiting.pending.clone())
    }

    /// The outcome, `None` where nothing waits, and how many places it freed. A session that is kept
    /// has the place that its login had.
    pub fn confirm_pending(
        &mut self,
        tag: &Tag,
        id: &Digest,
        mut new: NewSession,
        now: Time,
    ) -> (Option<Begun>, usize) {
        let swept = self.sweep(now, SWEEP);
        let Some(account) = self.users.get(tag) else {
            return (None, swept);
        };
        // A confirmation that is repeated has its session already.
        if account.held(&new.id).is_some() {
            return (Some(Begun::Kept), swept);
        }
        let mut waiting = account.waiting.iter().filter(|waiting| waiting.pending.end > now);
        let Some(waiting) = waiting.find(|waiting| waiting.id == *id) else {
            return (None, swept);
        };
        new.since = waiting.pending.since;
        // A revocation that came later would have ended the login that waits.
        new.own_revocation = account.revoked;
        new.replaces.push(*id);
        let (begun, freed) = self.keep(tag, new, now, || false);
        (Some(begun), swept + freed)
    }
}
