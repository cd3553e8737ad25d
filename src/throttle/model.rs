//! src/throttle/model.rs: random histories of several accounts, addresses and devices, each answer of a
//! store held against one sequential model. It counts in levels that leak, the stores in moments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Time;
use crate::secret::Digest;

const HOUR: u64 = 60 * 60 * 1_000;
const DAY: u64 = 24 * HOUR;
const START: u64 = 1_800_000_000_000;

pub fn rules() -> Rules {
    let quota = |burst, seconds| Quota::new(burst, Duration::from_secs(seconds)).unwrap();
    Rules { account: quota(3, 30), address: quota(5, 5) }
}

/// One key may be asked by several of them: the clamp of `SKEW` is met only so.
fn quotas() -> [Quota; 3] {
    let quota = |burst, ms| Quota::new(burst, Duration::from_millis(ms)).unwrap();
    [quota(2, 1_500), quota(4, 3_600_000), quota(7, 333)]
}

#[derive(Clone, Debug)]
pub enum Step {
    Advance(u64),
    Attempt {
        account: u8,
        address: u8,
        device: Option<u8>,
    },
    Succeeded {
        account: u8,
        address: u8,
        device: Option<u8>,
        new: Option<u8>,
        paid: bool,
    },
    Undo {
        account: u8,
        address: u8,
        device: Option<u8>,
        known: bool,
    },
    Forget {
        account: u8,
    },
    Take {
        key: u8,
        quota: usize,
    },
    /// Guesses one after the other, from as many addresses.
    Storm {
        account: u8,
        device: Option<u8>,
        times: u8,
        every: u64,
    },
}

/// Each step with how far the clock of whoever takes it is off, in milliseconds.
pub fn histories(steps: usize) -> impl Strategy<Value = Vec<(Step, i64)>> {
    let account = 0..3u8;
    let address = 0..3u8;
    let device = || prop::option::of(0..14u8);
    let step = prop_oneof![
        2 => (0..4_000u64).prop_map(Step::Advance),
        2 => (0..10 * 60_000u64).prop_map(Step::Advance),
        1 => (0..5 * HOUR).prop_map(Step::Advance),
        1 => (0..100 * DAY).prop_map(Step::Advance),
        12 => (account.clone(), address.clone(), device())
            .prop_map(|(account, address, device)| Step::Attempt { account, address, device }),
        8 => (account.clone(), address.clone(), device(), device(), any::<bool>()).prop_map(
            |(account, address, device, new, paid)| Step::Succeeded {
                account, address, device, new, paid
            }
        ),
        4 => (account.clone(), address, device(), any::<bool>()).prop_map(
            |(account, address, device, known)| Step::Undo { account, address, device, known: known && device.is_some() }
        ),
        1 => account.clone().prop_map(|account| Step::Forget { account }),
        4 => (0..2u8, 0..quotas().len()).prop_map(|(key, quota)| Step::Take { key, quota }),
        1 => (account, device(), 0..130u8, prop_oneof![Just(0u64), Just(29_999), Just(30_000)])
            .prop_map(|(account, device, times, every)| Step::Storm {
                account, device, times, every
            }),
    ];
    prop::collection::vec((step, -20_000..20_000i64), steps)
}

/// What was met: a set of histories without it would show nothing.
#[derive(Default, Debug)]
pub struct Met {
    pub allowed: u32,
    pub refused_by: BTreeMap<&'static str, u32>,
    pub slow: u32,
    pub known: u32,
}

/// Plays one history on several handles of one store. `salt` names its keys.
pub async fn play(
    stores: &[Arc<dyn Store>],
    salt: u32,
    history: &[(Step, i64)],
    met: &mut Met,
) -> Result<(), TestCaseError> {
    let (mut model, mut clock, mut born) = (Model::default(), START, BTreeSet::new());
    let device = |n: u8| Digest::of(&[n]);
    let attempt_of = |account: u8, address: u8, presented: Option<u8>| Attempt {
        account: AccountKey::of("", &format!("{salt}/{account}")),
        address: AddressKey::V6(u64::from(salt) << 8 | u64::from(address)),
        device: presented.map(device),
    };
    for (number, (step, off)) in history.iter().enumerate() {
        let store = &stores[number % stores.len()];
        let mut now = clock.saturating_add_signed(*off);
        match *step {
            Step::Advance(ms) => clock += ms,
            Step::Attempt { account, address, device } => {
                let attempt = attempt_of(account, address, device);
                let answer = store.attempt(&attempt, Time::from_millis(now), &rules()).await;
                let expected = model.attempt(account, address, device, now);
                prop_assert_eq!(answer.unwrap(), expected, "step {}: {:?}", number, step);
                met.note(&expected);
            }
            Step::Storm { account, device, times, every } => {
                for address in 10..10 + times {
                    clock += every;
                    now += every;
                    let attempt = attempt_of(account, address, device);
                    let answer = store.attempt(&attempt, Time::from_millis(now), &rules()).await;
                    let expected = model.attempt(account, address, device, now);
                    prop_assert_eq!(answer.unwrap(), expected, "step {}: {:?}", number, address);
                    met.note(&expected);
                }
            }
            Step::Succeeded { account, address, device: presented, new, paid } => {
                // Which of two goes first that end at the same moment, nobody says.
                let new = new.filter(|_| born.insert(now));
                let attempt = attempt_of(account, address, presented);
                let moment = Time::from_millis(now);
                let id = new.map(device);
                let success = Success { paid, device: id };
                store.succeeded(&attempt, &success, moment, &rules()).await.unwrap();
                model.succeeded((account, address), presented, (paid, new), now);
            }
            Step::Undo { account, address, device: presented, known } => {
                let attempt = attempt_of(account, address, presented);
                let moment = Time::from_millis(now);
                store.undo(&attempt, known, moment, &rules()).await.unwrap();
                model.undo(account, address, presented.filter(|_| known), known, now);
            }
            Step::Forget { account } => {
                store.forget_devices(&attempt_of(account, 0, None).account).await.unwrap();
                model.devices.remove(&account);
            }
            Step::Take { key, quota } => {
                let quota = quotas()[quota];
                let name = TakeKey::of("reset", &format!("{salt}/{key}"));
                let verdict = store.take(&name, quota, Time::from_millis(now)).await.unwrap();
                let bucket = model.takes.entry(key).or_default();
                let allowed = bucket.ask(quota, now);
                bucket.charge_if(allowed, quota, now);
                let expected = bucket.verdict(allowed, Bucket::Route, quota, now);
                prop_assert_eq!(verdict, expected, "step {}: {:?}", number, step);
            }
        }
    }
    Ok(())
}

impl Met {
    fn note(&mut self, answer: &Answer) {
        let standing = answer.verdict.standing();
        match answer.verdict {
            Verdict::Allowed(_) => self.allowed += 1,
            Verdict::Refused { .. } => {
                let name = match standing.bucket {
                    Bucket::Account => "account",
                    Bucket::Device => "device",
                    Bucket::Address => "address",
                    Bucket::Route => "route",
                };
                *self.refused_by.entry(name).or_default() += 1;
            }
        }
        self.known += u32::from(answer.known_device);
        self.slow += u32::from(standing.window == Duration::from_secs(60 * 60));
    }

    pub fn check(&self) {
        let buckets: Vec<_> = self.refused_by.keys().copied().collect();
        assert_eq!(buckets, ["account", "address", "device"], "{self:?}");
        assert!(self.allowed > 100 && self.slow > 20 && self.known > 20, "{self:?}");
    }
}

#[derive(Default)]
struct Model {
    accounts: BTreeMap<u8, ModelAccount>,
    addresses: BTreeMap<u8, Leaky>,
    devices: BTreeMap<u8, Vec<ModelDevice>>,
    takes: BTreeMap<u8, Leaky>,
}

#[derive(Default)]
struct ModelAccount {
    bucket: Leaky,
    failures: u64,
    last: u64,
}

struct ModelDevice {
    name: u8,
    since: u64,
    bucket: Leaky,
    failures: u64,
}

/// What is in the bucket in milliseconds of leaking, and as of when; nothing until it was charged.
#[derive(Clone, Copy, Default)]
struct Leaky(Option<(i64, u64)>);

impl Leaky {
    fn level(self, now: u64) -> i64 {
        self.0.map_or(0, |(level, at)| (level - (now as i64 - at as i64)).max(0))
    }

    /// Whether one more fits.
    fn ask(&mut self, quota: Quota, now: u64) -> bool {
        let window = quota.window_ms() as i64;
        if self.level(now) > window + 60_000 {
            self.0 = Some((window, now));
        }
        self.level(now) + quota.refill_ms() as i64 <= window
    }

    fn charge_if(&mut self, allowed: bool, quota: Quota, now: u64) {
        if allowed {
            self.0 = Some((self.level(now) + quota.refill_ms() as i64, now));
        }
    }

    fn refund(&mut self, quota: Quota) {
        if let Some((level, _)) = &mut self.0 {
            *level -= quota.refill_ms() as i64;
        }
    }

    fn verdict(self, allowed: bool, bucket: Bucket, quota: Quota, now: u64) -> Verdict {
        let (level, window, refill) =
            (self.level(now), quota.window_ms() as i64, quota.refill_ms() as i64);
        let standing = crate::throttle::verdict::Standing {
            bucket,
            limit: quota.burst(),
            remaining: ((window - level).max(0) / refill) as u32,
            reset: Duration::from_millis(level as u64),
            window: Duration::from_millis(window as u64),
        };
        let wait = Duration::from_millis((level + refill - window).max(0) as u64);
        match allowed {
            true => Verdict::Allowed(standing),
            false => Verdict::Refused { retry_after: wait, standing },
        }
    }
}

impl Model {
    fn attempt(&mut self, account: u8, address: u8, device: Option<u8>, now: u64) -> Answer {
        let rules = rules();
        let hourly = Quota::new(1, Duration::from_secs(60 * 60)).unwrap();
        let devices = self.devices.entry(account).or_default();
        let known = devices
            .iter_mut()
            .find(|known| Some(known.name) == device)
            .filter(|known| known.since + 180 * DAY > now && known.failures < 100);
        let known_device = known.is_some();
        let state = self.accounts.entry(account).or_default();
        if now >= state.last + state.failures * HOUR {
            state.failures = 0;
        }
        let (bucket, mut quota, own, failures) = match known {
            Some(known) => (Bucket::Device, rules.account, &mut known.bucket, &mut known.failures),
            None => {
                let quota = if state.failures >= 100 { hourly } else { rules.account };
                (Bucket::Account, quota, &mut state.bucket, &mut state.failures)
            }
        };
        let place = self.addresses.entry(address).or_default();
        let allowed = own.ask(quota, now) & (known_device || place.ask(rules.address, now));
        own.charge_if(allowed, quota, now);
        place.charge_if(allowed && !known_device, rules.address, now);
        if allowed {
            *failures += 1;
            if !known_device {
                *failures = (*failures).min(100);
                if *failures == 100 {
                    quota = hourly;
                    *own = Leaky(Some((HOUR as i64, now)));
                }
                state.last = now;
            }
        }
        let own = state_of(own, allowed, bucket, quota, now);
        let address = state_of(place, allowed, Bucket::Address, rules.address, now);
        let verdict = match (own.retry_after(), address.retry_after()) {
            _ if known_device => own,
            (Some(own_wait), Some(wait)) if wait > own_wait => address,
            (None, None) if address.standing().remaining < own.standing().remaining => address,
            _ => own,
        };
        Answer { verdict, known_device }
    }

    fn succeeded(
        &mut self,
        (account, address): (u8, u8),
        presented: Option<u8>,
        (paid, new): (bool, Option<u8>),
        now: u64,
    ) {
        self.accounts.remove(&account);
        if let Some(bucket) = self.addresses.get_mut(&address).filter(|_| paid) {
            bucket.refund(rules().address);
        }
        let devices = self.devices.entry(account).or_default();
        for device in devices.iter_mut().filter(|device| Some(device.name) == presented) {
            if device.since + 180 * DAY > now {
                (device.bucket, device.failures) = (Leaky::default(), 0);
            }
        }
        if let Some(name) = new {
            devices.retain(|device| device.name != name && device.since + 180 * DAY > now);
            let bucket = Leaky::default();
            devices.push(ModelDevice { name, since: now, bucket, failures: 0 });
            devices.sort_by_key(|device| device.since);
            while devices.len() > 10 {
                devices.remove(0);
            }
        }
    }
}

impl Model {
    fn undo(&mut self, account: u8, address: u8, device: Option<u8>, known: bool, now: u64) {
        if known {
            let devices = self.devices.entry(account).or_default();
            let own = devices.iter_mut().find(|own| Some(own.name) == device);
            if let Some(own) = own.filter(|own| own.since + 180 * DAY > now) {
                own.bucket.refund(rules().account);
                own.failures = own.failures.saturating_sub(1);
            }
            return;
        }
        let state = self.accounts.entry(account).or_default();
        let remembered = now < state.last + state.failures * HOUR;
        if remembered && (1..100).contains(&state.failures) {
            state.bucket.refund(rules().account);
            state.failures -= 1;
            state.last = now;
        }
        if let Some(bucket) = self.addresses.get_mut(&address) {
            bucket.refund(rules().address);
        }
    }
}

fn state_of(leaky: &Leaky, allowed: bool, bucket: Bucket, quota: Quota, now: u64) -> Verdict {
    leaky.verdict(allowed, bucket, quota, now)
}
