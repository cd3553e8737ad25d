//! src/session/interleavings.rs: seeded interleavings of two processes on one store, each step held
//! against a sequential model. A process may read a session, and touch it much later.

mod data;
mod model;

use std::fmt::Debug;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use self::model::{Model, Seen};
use super::acceptance::Bench;
use super::*;
use crate::clock::Clock;
use crate::config::Evict;
use crate::secret::Digest;
use crate::ticket::{Tag, Ticket};
use crate::user::UserId;

const USERS: usize = 2;
const MOST: usize = 3;
const STEPS: usize = 80;
/// Longer than any history: expiry is the acceptance suite's.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// How often the rare things came to pass: a set of histories without them would show nothing.
#[derive(Clone, Copy, Default, Debug)]
pub struct Played {
    pub revoked: usize,
    pub too_many: usize,
    pub rotated: usize,
    pub confirmed: usize,
    pub superseded_ended: usize,
    pub taken: usize,
    pub conflicts: usize,
}

/// A small generator: the same seed, the same history.
struct Seed(u64);

/// One history under way.
struct Play {
    stores: [Arc<dyn Store>; 2],
    clock: Clock,
    seed: Seed,
    model: Model,
    /// Every id that ever was, of sessions and of logins that wait.
    ids: Vec<(u32, Digest)>,
    handles: Vec<(u32, Handle)>,
    /// Requests that began, and will log in later.
    slow_logins: Vec<(u32, Time)>,
    /// Revisions that were read.
    revisions: Vec<u64>,
    /// Reads whose touch is still to come.
    reads: Vec<(u32, Digest, Time)>,
    step: usize,
    played: Played,
}

/// Plays the history of one seed on two handles of one store; an error is where the store and the
/// model differ.
pub async fn play(one: Bench, other: Arc<dyn Store>, seed: u64) -> Result<Played, String> {
    let mut play = Play {
        stores: [one.store.clone(), other],
        clock: one.clock.clone(),
        seed: Seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        model: Model::default(),
        ids: Vec::new(),
        handles: Vec::new(),
        slow_logins: Vec::new(),
        revisions: Vec::new(),
        reads: Vec::new(),
        step: 0,
        played: Played::default(),
    };
    for step in 0..STEPS {
        play.step = step;
        play.clock.advance(Duration::from_millis(1 + play.seed.below(4_000) as u64));
        let differs = |text| format!("step {step}: {text}");
        play.act().await.map_err(differs)?;
        play.look().await.map_err(differs)?;
    }
    Ok(play.played)
}

impl Play {
    async fn act(&mut self) -> Result<(), String> {
        let user = self.seed.below(USERS) as u32;
        match self.seed.below(20) {
            0 => self.slow_logins.push((user, self.clock.now())),
            1..=3 => self.log_in(user).await?,
            4 => self.begin_pending(user).await?,
            5 => self.confirm_pending(user).await?,
            6 => self.read().await,
            7 => self.touch().await,
            8 => self.end().await?,
            9..=11 => self.rotate().await?,
            12 => self.end_one_device(user).await?,
            13 if self.seed.below(2) == 0 => self.end_others(user).await?,
            13 if self.seed.below(2) == 0 => {
                let moment = self.store().end_all(&tag(user)).await.unwrap();
                self.model.end_all(user, moment);
            }
            14 => self.list(user).await?,
            16.. => self.data(user).await?,
            _ => self.update_user(user).await?,
        }
        Ok(())
    }

    /// A login of now or of a request that began long ago, under a revocation or not.
    async fn log_in(&mut self, user: u32) -> Result<(), String> {
        let (user, since, own) = self.request(user);
        let new = self.new_session(user, since, own);
        let id = new.id;
        let begun = self.store().begin(&tag(user), new.clone()).await.unwrap();
        same("login", begun, self.model.begin(user, &new))?;
        self.begun(user, &new, begun);
        self.ids.push((user, id));
        Ok(())
    }

    async fn begin_pending(&mut self, user: u32) -> Result<(), String> {
        let (user, since, own_revocation) = self.request(user);
        let begun = self.clock.now();
        let pending = Pending {
            user: stored(&format!("{{\"waited\":{}}}", self.step), since),
            remembered: false,
            user_agent: None,
            address: None,
            step: "totp".into(),
            note: self.step.to_string().into(),
            since,
            begun,
            end: begun.after(IDLE),
        };
        let id = Ticket::random(tag(user)).unwrap().digest();
        let new = NewPending { id, pending, own_revocation, idle: IDLE };
        let begun = self.store().begin_pending(&tag(user), new.clone()).await.unwrap();
        same("begin pending", begun, self.model.begin_pending(user, &new))?;
        self.ids.push((user, id));
        Ok(())
    }

    /// Whoever confirms read the login that waits before: another may have been quicker.
    async fn confirm_pending(&mut self, user: u32) -> Result<(), String> {
        let waiting = |(user, id): &(u32, Digest)| self.model.find_pending(*user, id).is_some();
        let mut waiting: Vec<_> = self.ids.iter().copied().filter(waiting).collect();
        waiting.extend(self.pick());
        let (user, id) = match waiting.is_empty() {
            true => (user, Ticket::random(tag(user)).unwrap().digest()),
            false => waiting[self.seed.below(waiting.len())],
        };
        let since = Time::from_millis(self.clock.now().millis() - 20_000);
        let new = self.new_session(user, since, None);
        let begun = self.store().confirm_pending(&tag(user), &id, new.clone()).await.unwrap();
        same("confirm", begun, self.model.confirm_pending(user, &id, &new))?;
        self.played.confirmed += usize::from(begun == Some(Begun::Kept));
        if let Some(begun) = begun {
            self.begun(user, &new, begun);
        }
        self.ids.push((user, new.id));
        Ok(())
    }

    async fn read(&mut self) {
        if let Some((user, id)) = self.pick()
            && self.store().find(&tag(user), &id).await.unwrap().is_some()
        {
            self.reads.push((user, id, self.clock.now()));
        }
    }

    async fn touch(&mut self) {
        if !self.reads.is_empty() {
            let index = self.seed.below(self.reads.len());
            let (user, id, seen) = self.reads.swap_remove(index);
            self.store().touch(&tag(user), &id, seen, seen.after(IDLE)).await.unwrap();
            self.model.touch(user, &id, seen);
        }
    }

    async fn end(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let of_old = |model: &Model, user: u32, id: &Digest| {
            model.find(user, id, now).is_some_and(|seen| seen.superseded)
        };
        // A request that still has the old ticket: rare, unless it is looked for.
        let old = self.ids.iter().rfind(|(user, id)| of_old(&self.model, *user, id)).copied();
        let Some((user, id)) = old.or_else(|| self.pick()) else { return Ok(()) };
        let superseded = of_old(&self.model, user, &id);
        let ended = self.store().end(&tag(user), &id).await.unwrap();
        self.played.superseded_ended += usize::from(superseded);
        same("logout", ended, self.model.end(user, &id))
    }

    async fn rotate(&mut self) -> Result<(), String> {
        let Some((user, old)) = self.pick() else { return Ok(()) };
        let now = self.clock.now();
        let id = Ticket::random(tag(user)).unwrap().digest();
        let new = Rotation { id, authenticated_at: now, now, idle: IDLE };
        let rotated = self.store().rotate(&tag(user), &old, new.clone()).await.unwrap();
        let done = matches!(rotated, Rotated::Done(..));
        same("step-up", done, self.model.rotate(user, &old, &new))?;
        self.played.rotated += usize::from(done);
        self.ids.push((user, id));
        Ok(())
    }

    async fn end_one_device(&mut self, user: u32) -> Result<(), String> {
        let Some(handle) = self.handle_of(user) else { return Ok(()) };
        let ended = self.store().end_by_handle(&tag(user), &handle).await.unwrap();
        same("end by handle", ended, self.model.end_by_handle(user, &handle))
    }

    async fn end_others(&mut self, user: u32) -> Result<(), String> {
        let Some(keep) = self.handle_of(user) else { return Ok(()) };
        let now = self.clock.now();
        let (moment, ended) = self.store().end_others(&tag(user), &keep, now, IDLE).await.unwrap();
        same("end others", ended, self.model.end_others(user, &keep, moment))
    }

    async fn list(&mut self, user: u32) -> Result<(), String> {
        let listed = self.store().list(&tag(user), self.clock.now(), IDLE).await.unwrap();
        let listed = listed.iter().map(|(it, seen)| (it.handle, *seen, it.authenticated_at));
        same("list", listed.collect::<Vec<_>>(), self.model.list(user))
    }

    async fn update_user(&mut self, user: u32) -> Result<(), String> {
        let as_of = Time::from_millis(self.clock.now().millis() - self.seed.below(6_000) as u64);
        let stored = stored(&format!("{{\"rewritten\":{}}}", self.step), as_of);
        let done = self.store().update_user(&tag(user), stored.clone()).await.unwrap();
        same("update_user", done, self.model.update_user(user, &stored))
    }

    /// What lives is looked at after each step, and some of what does not.
    async fn look(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let store = self.store();
        for index in 0..self.ids.len() {
            let (user, id) = self.ids[index];
            let session = self.model.find(user, &id, now);
            let note = self.model.find_pending(user, &id);
            let gone = session.is_none() && note.is_none();
            if gone && self.seed.below(self.ids.len()) > 2 {
                continue;
            }
            let found = store.find(&tag(user), &id).await.unwrap();
            let found = found.filter(|found| found.record.end > now).map(|found| Seen {
                handle: found.record.handle,
                seen: found.seen,
                authenticated: found.record.authenticated_at,
                superseded: found.record.superseded,
                user: found.user.json.to_string(),
            });
            same("what is there", found, session)?;
            if note.is_some() || gone {
                let found = store.find_pending(&tag(user), &id).await.unwrap();
                same("what waits", found.map(|found| found.note.to_string()), note)?;
            }
        }
        Ok(())
    }

    /// Whose login begins now, since when it is under way, and the revocation that it did itself.
    fn request(&mut self, user: u32) -> (u32, Time, Option<Time>) {
        let now = self.clock.now();
        let slow = self.slow_logins.pop().filter(|_| self.seed.below(2) == 0);
        let (user, mut since) = slow.unwrap_or((user, now));
        let revoked = self.model.revoked(user);
        // A store may tell the moment of a revocation by a clock of its own, so the requests that
        // began around it are placed around what it said.
        let (before, own) = (self.seed.below(2) == 0, self.seed.below(3) == 0);
        if let Some(moment) = revoked.filter(|_| self.seed.below(2) == 0) {
            let five_seconds = 5_000;
            since = Time::from_millis(match before {
                true => moment.millis() - five_seconds,
                false => moment.millis() + five_seconds,
            });
        }
        (user, since, revoked.filter(|_| own))
    }

    fn new_session(&mut self, user: u32, since: Time, own_revocation: Option<Time>) -> NewSession {
        let now = self.clock.now();
        let presented = self.pick().filter(|(of, _)| *of == user && self.seed.below(3) == 0);
        let evict = match self.seed.below(4) {
            0 => Evict::Refuse,
            _ => Evict::Oldest,
        };
        NewSession {
            id: Ticket::random(tag(user)).unwrap().digest(),
            record: Record {
                handle: Handle::random().unwrap(),
                created: now,
                end: now.after(Duration::from_secs(24 * 60 * 60)),
                authenticated_at: now,
                remembered: false,
                superseded: false,
                user_agent: None,
                address: None,
            },
            expires: now.after(IDLE),
            user: stored(&format!("{{\"step\":{}}}", self.step), since),
            since,
            own_revocation,
            replaces: presented.into_iter().map(|(_, id)| id).collect(),
            max_per_user: MOST,
            evict,
            idle: IDLE,
        }
    }

    fn begun(&mut self, user: u32, new: &NewSession, begun: Begun) {
        self.handles.push((user, new.record.handle));
        self.played.revoked += usize::from(begun == Begun::RevokedMeanwhile);
        self.played.too_many += usize::from(begun == Begun::TooMany);
    }

    fn store(&mut self) -> Arc<dyn Store> {
        self.stores[self.seed.below(2)].clone()
    }

    /// An id of any age, the young ones first; none that a store may have or not have.
    fn pick(&mut self) -> Option<(u32, Digest)> {
        let now = self.clock.now();
        let young = self.ids.len().saturating_sub(10);
        let from = if self.seed.below(3) == 0 { 0 } else { young };
        let some = &self.ids[from..];
        let picked = (!some.is_empty()).then(|| some[self.seed.below(some.len())]);
        picked.filter(|(user, id)| !self.model.ran_out(*user, id, now))
    }

    fn handle_of(&mut self, user: u32) -> Option<Handle> {
        let own: Vec<_> = self.handles.iter().filter(|(of, _)| *of == user).collect();
        let young = own.len().saturating_sub(6);
        (!own.is_empty()).then(|| own[young + self.seed.below(own.len() - young)].1)
    }
}

impl Seed {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

impl AddAssign for Played {
    fn add_assign(&mut self, other: Self) {
        self.revoked += other.revoked;
        self.too_many += other.too_many;
        self.rotated += other.rotated;
        self.confirmed += other.confirmed;
        self.superseded_ended += other.superseded_ended;
        self.taken += other.taken;
        self.conflicts += other.conflicts;
    }
}

impl Played {
    /// Fails unless each rare thing came to pass at least so often.
    pub fn must_have_seen(&self, each: usize) {
        let Played { revoked, too_many, rotated, confirmed, .. } = *self;
        let Played { superseded_ended, taken, conflicts, .. } = *self;
        let of_sessions = [revoked, too_many, rotated, confirmed, superseded_ended];
        let least = of_sessions.into_iter().chain([taken, conflicts]).min();
        assert!(least >= Some(each), "{self:?}");
    }
}

fn same<T: PartialEq + Debug>(what: &str, is: T, must: T) -> Result<(), String> {
    match is == must {
        true => Ok(()),
        false => Err(format!("{what}: {is:?}, not {must:?}")),
    }
}

fn tag(user: u32) -> Tag {
    Tag::of("", &UserId::from(user))
}

fn stored(json: &str, as_of: Time) -> StoredUser {
    StoredUser { version: 1, json: json.into(), as_of }
}
