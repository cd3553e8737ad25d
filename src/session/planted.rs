//! src/session/planted.rs: a small store with one defect of six, each of which the suite must find.
//! Without a defect it passes: so it is the defect that is found, and not the store.

mod data;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::acceptance::{self, Bench};
use super::acceptance_data;
use super::acceptance_notice;
use super::data::Datum;
use super::interleavings;
use super::notice::Registry;
use super::*;
use crate::clock::Clock;
use crate::config::Evict;
use crate::secret::Digest;
use crate::ticket::Tag;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Defect {
    /// What is written makes what it is written to.
    WriteWithoutCondition,
    /// All end, and a login that began before is let through.
    RevokeThatMissesALogin,
    TouchThatRevives,
    /// The dead are told from the living by another clock than everybody's.
    ExpiryFromTheWrongClock,
    /// Two sessions of a user have one handle.
    HandleThatCollides,
    /// A login that read the user before a rewrite writes what it read.
    SlowLoginThatUndoes,
}
use Defect::*;

struct Naive {
    defect: Option<Defect>,
    clock: Clock,
    users: Mutex<HashMap<Tag, Account>>,
    registry: Arc<Registry>,
}

#[derive(Default)]
struct Account {
    user: Option<Arc<StoredUser>>,
    sessions: Vec<Held>,
    waiting: Vec<(Digest, Pending)>,
    revoked: Option<Time>,
    /// What ended, for the defects that bring it back.
    ended: Vec<Held>,
    values: HashMap<(Handle, String), Datum>,
    revision: u64,
}

#[derive(Clone)]
struct Held {
    id: Digest,
    record: Record,
    seen: Time,
    expires: Time,
}

impl Naive {
    fn bench(defect: Option<Defect>) -> Bench {
        let clock = Clock::stopped_at(Time::from_millis(1_800_000_000_000));
        let users = Mutex::default();
        let registry = Arc::default();
        let store = Arc::new(Naive { defect, clock: clock.clone(), users, registry });
        Bench { store, clock, keep: None }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// By which the dead are told.
    fn now(&self, now: Time) -> Time {
        match self.has(ExpiryFromTheWrongClock) {
            true => Clock::system().now(),
            false => now,
        }
    }

    fn on<T>(&self, tag: &Tag, act: impl FnOnce(&mut Account) -> T) -> T {
        let mut users = self.users.lock().unwrap();
        let account = users.entry(*tag).or_default();
        let done = act(account);
        if !self.has(WriteWithoutCondition) {
            let lives =
                |handle: &Handle| account.sessions.iter().any(|h| h.record.handle == *handle);
            account.values.retain(|(handle, _), _| lives(handle));
        }
        // Too often rather than too seldom.
        self.registry.tell(tag);
        if account.sessions.is_empty() && !self.has(WriteWithoutCondition) {
            account.user = None;
        }
        done
    }
}

impl Account {
    /// How many sessions, superseded records not counted.
    fn end(&mut self, ends: impl Fn(&Held) -> bool) -> usize {
        let handles: Vec<_> =
            self.sessions.iter().filter(|held| ends(held)).map(|held| held.record.handle).collect();
        let of = |held: &mut Held| handles.contains(&held.record.handle);
        let ended: Vec<_> = self.sessions.extract_if(.., of).collect();
        let count = ended.iter().filter(|held| !held.record.superseded).count();
        self.ended.extend(ended);
        count
    }

    fn trim(&mut self, now: Time) {
        self.sessions.retain(|held| !held.record.superseded || held.expires > now);
        self.end(|held| held.expires <= now);
        self.waiting.retain(|(_, pending)| pending.end > now);
    }

    fn refuses(&self, since: Time, own: Option<Time>) -> bool {
        self.revoked.filter(|moment| Some(*moment) != own).is_some_and(|moment| moment >= since)
    }

    fn keep(&mut self, new: NewSession, now: Time, naive: &Naive) -> Begun {
        self.trim(now);
        let replaced = |id: &Digest| *id == new.id || new.replaces.contains(id);
        let ends = self.sessions.iter().filter(|held| replaced(&held.id));
        let ends: Vec<_> = ends.map(|held| held.record.handle).collect();
        let stay = self.sessions.iter().filter(|held| !held.record.superseded);
        let stay = stay.map(|held| held.record.handle).filter(|handle| !ends.contains(handle));
        let stay: Vec<_> = stay.collect();
        let over = (stay.len() + 1).saturating_sub(new.max_per_user);
        if over > 0 && new.evict == Evict::Refuse {
            return Begun::TooMany;
        }
        self.waiting.retain(|(id, _)| !replaced(id));
        self.end(|held| ends.contains(&held.record.handle));
        self.end(|held| stay[..over].contains(&held.record.handle));
        let newer = self.user.as_ref().is_none_or(|known| known.as_of <= new.user.as_of);
        if newer || naive.has(SlowLoginThatUndoes) {
            self.user = Some(Arc::new(new.user));
        }
        let mut record = new.record;
        if naive.has(HandleThatCollides)
            && let Some(other) = self.sessions.first()
        {
            record.handle = other.record.handle;
        }
        let (seen, expires) = (record.created, new.expires);
        self.sessions.push(Held { id: new.id, record, seen, expires });
        Begun::Kept
    }
}

#[async_trait]
impl Store for Naive {
    async fn find(&self, tag: &Tag, id: &Digest) -> Result<Option<Found>, StoreError> {
        Ok(self.on(tag, |account| {
            let held = account.sessions.iter().find(|held| held.id == *id)?;
            let record = Arc::new(held.record.clone());
            Some(Found { record, seen: held.seen, user: account.user.clone()? })
        }))
    }

    async fn begin(&self, tag: &Tag, new: NewSession) -> Result<Begun, StoreError> {
        let now = self.now(new.record.created);
        Ok(self.on(tag, |account| match account.refuses(new.since, new.own_revocation) {
            true => Begun::RevokedMeanwhile,
            false => account.keep(new, now, self),
        }))
    }

    async fn touch(&self, tag: &Tag, id: &Digest, seen: Time, end: Time) -> Result<(), StoreError> {
        self.on(tag, |account| {
            if self.has(TouchThatRevives) {
                let ended = account.ended.extract_if(.., |held| held.id == *id);
                account.sessions.extend(ended);
            }
            let mut living = account.sessions.iter_mut().filter(|held| !held.record.superseded);
            if let Some(held) = living.find(|held| held.id == *id) {
                (held.seen, held.expires) = (held.seen.max(seen), held.expires.max(end));
            }
        });
        Ok(())
    }

    async fn update_user(&self, tag: &Tag, user: StoredUser) -> Result<bool, StoreError> {
        Ok(self.on(tag, |account| {
            let newer = match &account.user {
                Some(known) => known.as_of <= user.as_of,
                None => self.has(WriteWithoutCondition),
            };
            if newer {
                account.user = Some(Arc::new(user));
            }
            newer
        }))
    }

    async fn end(&self, tag: &Tag, id: &Digest) -> Result<bool, StoreError> {
        Ok(self.on(tag, |account| {
            let waited = account.waiting.extract_if(.., |(own, _)| own == id).count();
            account.end(|held| held.id == *id) + waited > 0
        }))
    }

    async fn end_all(&self, tag: &Tag) -> Result<Time, StoreError> {
        let now = self.clock.now();
        self.on(tag, |account| {
            account.end(|_| true);
            account.waiting.clear();
            account.revoked = (!self.has(RevokeThatMissesALogin)).then_some(now);
        });
        Ok(now)
    }

    async fn list(
        &self,
        tag: &Tag,
        now: Time,
        _: Duration,
    ) -> Result<Vec<(Arc<Record>, Time)>, StoreError> {
        Ok(self.on(tag, |account| {
            account.trim(self.now(now));
            let living = account.sessions.iter().filter(|held| !held.record.superseded);
            living.map(|held| (Arc::new(held.record.clone()), held.seen)).collect()
        }))
    }

    async fn end_by_handle(&self, tag: &Tag, handle: &Handle) -> Result<bool, StoreError> {
        Ok(self.on(tag, |account| account.end(|held| held.record.handle == *handle) > 0))
    }

    async fn end_others(
        &self,
        tag: &Tag,
        keep: &Handle,
        now: Time,
        _: Duration,
    ) -> Result<(Time, usize), StoreError> {
        let ended = self.on(tag, |account| {
            account.trim(self.now(now));
            account.waiting.clear();
            account.revoked = (!self.has(RevokeThatMissesALogin)).then_some(now);
            account.end(|held| held.record.handle != *keep)
        });
        Ok((now, ended))
    }

    async fn rotate(&self, tag: &Tag, old: &Digest, new: Rotation) -> Result<Rotated, StoreError> {
        Ok(self.on(tag, |account| {
            let known = account.sessions.iter().find(|held| held.id == new.id);
            if let Some(held) = known {
                return Rotated::Done(Arc::new(held.record.clone()), held.seen);
            }
            let mut living = account.sessions.iter_mut().filter(|held| !held.record.superseded);
            let held = living.find(|held| held.id == *old && held.expires > self.now(new.now));
            let Some(held) = held else { return Rotated::Gone };
            let mut before = held.clone();
            before.record.superseded = true;
            before.expires = before.expires.min(new.now.after(GRACE));
            before.record.end = before.expires;
            held.id = new.id;
            held.record.authenticated_at = new.authenticated_at;
            let done = Rotated::Done(Arc::new(held.record.clone()), held.seen);
            account.sessions.push(before);
            done
        }))
    }

    async fn begin_pending(&self, tag: &Tag, new: NewPending) -> Result<Begun, StoreError> {
        Ok(self.on(tag, |account| {
            if account.refuses(new.pending.since, new.own_revocation) {
                return Begun::RevokedMeanwhile;
            }
            account.waiting.push((new.id, new.pending));
            let over = account.waiting.len().saturating_sub(MOST_PENDING);
            account.waiting.drain(..over);
            Begun::Kept
        }))
    }

    async fn find_pending(&self, tag: &Tag, id: &Digest) -> Result<Option<Pending>, StoreError> {
        Ok(self.on(tag, |account| {
            account.waiting.iter().find(|(own, _)| own == id).map(|(_, pending)| pending.clone())
        }))
    }

    async fn confirm_pending(
        &self,
        tag: &Tag,
        id: &Digest,
        mut new: NewSession,
    ) -> Result<Option<Begun>, StoreError> {
        let now = self.now(new.record.created);
        Ok(self.on(tag, |account| {
            if account.sessions.iter().any(|held| held.id == new.id) {
                return Some(Begun::Kept);
            }
            account.waiting.iter().find(|(own, it)| own == id && it.end > now)?;
            new.replaces.push(*id);
            Some(account.keep(new, now, self))
        }))
    }
}

/// Which of the two found the defect: how many of the histories differ, and whether the test failed.
async fn found<F: Future<Output = ()> + Send + 'static>(
    defect: Option<Defect>,
    suite: fn(Bench) -> F,
) -> (usize, bool) {
    let mut histories = 0;
    for seed in 1..=100 {
        let bench = Naive::bench(defect);
        let other = bench.store.clone();
        histories += usize::from(interleavings::play(bench, other, seed).await.is_err());
    }
    (histories, tokio::spawn(suite(Naive::bench(defect))).await.is_err())
}

macro_rules! each_defect {
    ($($name:ident: $defect:expr, $history:expr, $test:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let (histories, failed) = found(Some($defect), acceptance::$test).await;
            assert!(failed, "the suite did not find it");
            assert_eq!(histories > 0, $history, "{histories} of 100 histories found it");
            let (histories, failed) = found(None, acceptance::$test).await;
            assert_eq!((histories, failed), (0, false), "without the defect");
        }
    )*};
}

each_defect! {
    a_write_without_condition_is_found: WriteWithoutCondition, true,
        a_rewritten_user_is_everywhere_at_once_and_no_older_reading_undoes_it;
    a_revocation_that_misses_a_racing_login_is_found: RevokeThatMissesALogin, true,
        ending_all_ends_all_and_refuses_the_logins_under_way;
    a_touch_that_revives_is_found: TouchThatRevives, true,
        an_ended_session_stays_ended_whatever_was_in_flight;
    // Histories are shorter than a session's life.
    an_expiry_from_the_wrong_clock_is_found: ExpiryFromTheWrongClock, false,
        the_oldest_session_gives_way_over_the_bound_and_the_dead_do_not_count;
    a_handle_that_collides_is_found: HandleThatCollides, true,
        a_session_ends_by_its_handle_and_no_other_does;
    a_slow_login_that_undoes_a_rewrite_is_found: SlowLoginThatUndoes, true,
        the_user_is_kept_once_and_an_older_reading_does_not_undo_a_newer_one;
}

async fn sound() -> Bench {
    Naive::bench(None)
}

acceptance::run_all!(sound);
acceptance_data::run_all!(sound);
acceptance_notice::run_all!(sound);
