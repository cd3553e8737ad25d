//! src/session/interleavings.rs: seeded interleavings of two processes on one store, each step held
//! against a sequential model. A process may read a session, and touch it much later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::acceptance::Bench;
use super::*;
use crate::secret::Digest;
use crate::ticket::{Tag, Ticket};
use crate::user::UserId;

const USERS: u32 = 2;
const MOST: usize = 3;
/// Longer than any history: expiry is the acceptance suite's.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// What one store must look like after any order of verbs.
#[derive(Default)]
struct Model {
    users: BTreeMap<u32, ModelUser>,
}

#[derive(Default)]
struct ModelUser {
    user: Option<(String, Time)>,
    /// In the order of their logins: id, when last seen.
    sessions: Vec<(Digest, Time)>,
    revoked: Option<Time>,
}

/// A small generator: the same seed, the same history.
struct Seed(u64);

impl Seed {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// A read whose touch is still to come.
struct Pending {
    user: u32,
    id: Digest,
    seen: Time,
}

/// Plays the history of one seed on two handles of one store. How many logins were refused because
/// all was revoked meanwhile: a set of histories without any would not show that they are.
pub async fn play(one: Bench, other: Arc<dyn Store>, seed: u64) -> usize {
    let stores = [one.store.clone(), other];
    let (clock, mut seed) = (one.clock.clone(), Seed(seed | 1));
    let (mut model, mut pending, mut ids) = (Model::default(), Vec::new(), Vec::new());
    let mut slow_logins: Vec<(u32, Time)> = Vec::new();
    let mut refused = 0;
    for step in 0..80 {
        clock.advance(Duration::from_millis(1 + seed.below(4_000) as u64));
        let now = clock.now();
        let user = seed.below(USERS as usize) as u32;
        let store = &stores[seed.below(2)];
        match seed.below(8) {
            // A request begins now, and will log in later.
            0 => slow_logins.push((user, now)),
            1 | 2 => {
                let (user, mut since) = match slow_logins.pop().filter(|_| seed.below(2) == 0) {
                    Some(begun) => begun,
                    None => (user, now),
                };
                let revoked = model.users.get(&user).and_then(|user| user.revoked);
                // A store may tell the moment of a revocation by a clock of its own, so the
                // requests that began around it are placed around what it said.
                let (before, own) = (seed.below(2) == 0, seed.below(3) == 0);
                if let Some(moment) = revoked.filter(|_| seed.below(2) == 0) {
                    let five_seconds = 5_000;
                    since = Time::from_millis(match before {
                        true => moment.millis() - five_seconds,
                        false => moment.millis() + five_seconds,
                    });
                }
                let mut new = new_session(user, since, now, &format!("{{\"step\":{step}}}"));
                new.own_revocation = revoked.filter(|_| own);
                let presented = pick(&ids, &mut seed).filter(|_| seed.below(3) == 0);
                new.replaces.extend(presented.filter(|(of, _)| *of == user).map(|(_, id)| id));
                let id = new.id;
                let begun = store.begin(&tag(user), new.clone()).await.unwrap();
                assert_eq!(begun, model.begin(user, &new), "step {step}: login");
                refused += usize::from(begun == Begun::RevokedMeanwhile);
                ids.push((user, id));
            }
            3 => {
                if let Some((user, id)) = pick(&ids, &mut seed)
                    && store.find(&tag(user), &id).await.unwrap().is_some()
                {
                    pending.push(Pending { user, id, seen: now });
                }
            }
            4 => {
                if !pending.is_empty() {
                    let index = seed.below(pending.len());
                    let Pending { user, id, seen } = pending.swap_remove(index);
                    store.touch(&tag(user), &id, seen, seen.after(IDLE)).await.unwrap();
                    model.touch(user, id, seen);
                }
            }
            5 => {
                if let Some((user, id)) = pick(&ids, &mut seed) {
                    let ended = store.end(&tag(user), &id).await.unwrap();
                    assert_eq!(ended, model.end(user, id), "step {step}: logout");
                }
            }
            6 if seed.below(3) == 0 => {
                let moment = store.end_all(&tag(user)).await.unwrap();
                model.end_all(user, moment);
            }
            _ => {
                let as_of = Time::from_millis(now.millis() - seed.below(6_000) as u64);
                let stored = stored(&format!("{{\"rewritten\":{step}}}"), as_of);
                let done = store.update_user(&tag(user), stored.clone()).await.unwrap();
                assert_eq!(done, model.update_user(user, &stored), "step {step}: update_user");
            }
        }
        for (user, id) in &ids {
            for store in &stores {
                let found = store.find(&tag(*user), id).await.unwrap();
                let found = found.map(|found| (found.seen, found.user.json.to_string()));
                assert_eq!(found, model.find(*user, id), "step {step}: what is there");
            }
        }
    }
    refused
}

impl Model {
    fn begin(&mut self, user: u32, new: &NewSession) -> Begun {
        let now = new.record.created;
        let user = self.users.entry(user).or_default();
        // The histories keep away from the second of skew that a store with a clock of its own
        // tolerates: between its end and its beginning no login falls.
        let foreign = user.revoked.filter(|moment| Some(*moment) != new.own_revocation);
        if foreign.is_some_and(|moment| moment >= new.since) {
            return Begun::RevokedMeanwhile;
        }
        user.sessions.retain(|(id, seen)| seen.after(IDLE) > now && !new.replaces.contains(id));
        while user.sessions.len() >= MOST {
            user.sessions.remove(0);
        }
        if user.user.as_ref().is_none_or(|known| known.1 <= new.since) {
            user.user = Some((new.user.json.to_string(), new.since));
        }
        user.sessions.push((new.id, now));
        Begun::Kept
    }

    fn touch(&mut self, user: u32, id: Digest, at: Time) {
        let sessions = self.users.get_mut(&user).map(|user| &mut user.sessions);
        let session = sessions.and_then(|all| all.iter_mut().find(|(own, _)| *own == id));
        if let Some((_, seen)) = session {
            *seen = (*seen).max(at);
        }
    }

    fn end(&mut self, user: u32, id: Digest) -> bool {
        let Some(user) = self.users.get_mut(&user) else { return false };
        let before = user.sessions.len();
        user.sessions.retain(|(own, _)| *own != id);
        if user.sessions.is_empty() {
            user.user = None;
        }
        before != user.sessions.len()
    }

    fn end_all(&mut self, user: u32, moment: Time) {
        let revoked = Some(moment);
        self.users.insert(user, ModelUser { revoked, ..ModelUser::default() });
    }

    fn update_user(&mut self, user: u32, new: &StoredUser) -> bool {
        let known = self.users.get_mut(&user).and_then(|user| user.user.as_mut());
        match known.filter(|known| known.1 <= new.as_of) {
            Some(known) => {
                *known = (new.json.to_string(), new.as_of);
                true
            }
            None => false,
        }
    }

    fn find(&self, user: u32, id: &Digest) -> Option<(Time, String)> {
        let user = self.users.get(&user)?;
        let (_, seen) = user.sessions.iter().find(|(own, _)| own == id)?;
        Some((*seen, user.user.as_ref()?.0.clone()))
    }
}

fn pick(ids: &[(u32, Digest)], seed: &mut Seed) -> Option<(u32, Digest)> {
    (!ids.is_empty()).then(|| ids[seed.below(ids.len())])
}

fn tag(user: u32) -> Tag {
    Tag::of("", &UserId::from(user))
}

fn stored(json: &str, as_of: Time) -> StoredUser {
    StoredUser { version: 1, json: json.into(), as_of }
}

fn new_session(user: u32, since: Time, now: Time, json: &str) -> NewSession {
    NewSession {
        id: Ticket::random(tag(user)).unwrap().digest(),
        record: Record {
            handle: Handle::random().unwrap(),
            created: now,
            end: now.after(Duration::from_secs(24 * 60 * 60)),
            authenticated_at: now,
            remembered: false,
            user_agent: None,
            address: None,
        },
        expires: now.after(IDLE),
        user: stored(json, since),
        since,
        own_revocation: None,
        replaces: Vec::new(),
        max_per_user: MOST,
        idle: IDLE,
    }
}
