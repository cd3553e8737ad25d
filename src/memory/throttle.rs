//! src/memory/throttle.rs: the throttle's buckets in this process, a fixed number of them.

mod table;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use self::table::Table;
use super::{SHARDS, lock};
use crate::clock::Time;
use crate::secret::Digest;
use crate::throttle::{
    Account, AccountKey, AddressKey, Answer, Attempt, Bucket, Device, Held, Limiter, MOST_DEVICES,
    Quota, Rules, SKEW, Success, TakeKey, Verdict,
};

/// What one verb sweeps at most, so that none pays for all.
const SWEEP: usize = 4;

/// Buckets in this process's memory, sharded by their key.
///
/// No entry gives way to another's before its bucket has drained, however many are asked for: who
/// fills the store gets no fresh burst from it. When all places are taken by such, an account or an
/// address that has none shares one bucket with the others that have none.
pub struct Throttles {
    accounts: Vec<Mutex<Accounts>>,
    addresses: Vec<Mutex<Table<AddressKey, u64>>>,
    /// Apart from the others, so that whoever fills them shuts no login.
    routes: Vec<Mutex<Table<TakeKey, u64>>>,
    /// The shared buckets, one for each quota.
    overflow: Mutex<HashMap<(Bucket, Quota), u64>>,
    /// Places taken by accounts and addresses.
    entries: Places,
    /// Places taken by the buckets of routes.
    route_entries: Places,
    /// Accounts that have known devices.
    acquainted: Places,
    hasher: RandomState,
}

#[derive(Default)]
struct Accounts {
    states: Table<AccountKey, Account>,
    devices: Table<AccountKey, Vec<Device>>,
}

/// Where a state lies, or is to lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Own,
    /// Taken for it, and given back where nothing is written.
    Fresh,
    Shared,
}

/// A number of places.
struct Places {
    taken: AtomicUsize,
    most: usize,
}

/// All places are taken.
struct Full;

impl Throttles {
    pub fn new(max_entries: usize) -> Self {
        Throttles {
            accounts: (0..SHARDS).map(|_| Mutex::default()).collect(),
            addresses: (0..SHARDS).map(|_| Mutex::default()).collect(),
            routes: (0..SHARDS).map(|_| Mutex::default()).collect(),
            overflow: Mutex::default(),
            entries: Places::new(max_entries),
            route_entries: Places::new(max_entries),
            acquainted: Places::new(max_entries),
            hasher: RandomState::new(),
        }
    }

    fn accounts(&self, key: &AccountKey) -> MutexGuard<'_, Accounts> {
        // A key is a digest: its first byte is as good as any.
        lock(&self.accounts[usize::from(key.as_bytes()[0]) % SHARDS])
    }

    /// Always after [`accounts`](Self::accounts), and before the shared buckets.
    fn addresses(&self, key: &AddressKey) -> MutexGuard<'_, Table<AddressKey, u64>> {
        let hash = self.hasher.hash_one(key) % SHARDS as u64;
        lock(&self.addresses[usize::try_from(hash).unwrap_or(0)])
    }

    /// Before the shared buckets.
    fn routes(&self, key: &TakeKey) -> MutexGuard<'_, Table<TakeKey, u64>> {
        let hash = self.hasher.hash_one(key) % SHARDS as u64;
        lock(&self.routes[usize::try_from(hash).unwrap_or(0)])
    }

    /// The attempt, with its two locks held from the look to the write.
    fn try_attempt(
        &self,
        attempt: &Attempt,
        now: u64,
        rules: &Rules,
        last: bool,
    ) -> Result<Answer, Full> {
        let mut accounts = self.accounts(&attempt.account);
        let key = attempt.address;
        let mut buckets = self.addresses(&key);
        self.entries.give_back(accounts.states.drop_due(SWEEP, |due, _| due + SKEW <= now));
        self.entries.give_back(buckets.drop_due(SWEEP, |due, _| due + SKEW <= now));

        let device = attempt.device.and_then(|id| accounts.device(&attempt.account, &id));
        let known = device.is_some_and(|device| device.is_known(now));
        let account_place = match accounts.states.find(&attempt.account) {
            Some(_) => Place::Own,
            // Nothing is written to it.
            None if known => Place::Shared,
            None => Self::place(&self.entries, last)?,
        };
        let address_place = match buckets.find(&key) {
            // It is not asked.
            _ if known => Ok(Place::Shared),
            Some(_) => Ok(Place::Own),
            None => Self::place(&self.entries, last),
        };
        let Ok(address_place) = address_place else {
            self.entries.give_back(usize::from(account_place == Place::Fresh));
            return Err(Full);
        };

        let mut overflow = lock(&self.overflow);
        let shared = |bucket, quota| overflow.get(&(bucket, quota)).copied().unwrap_or_default();
        let account = match account_place {
            Place::Own => accounts.states.find(&attempt.account).copied().unwrap_or_default(),
            Place::Fresh => Account::default(),
            Place::Shared => {
                Account { tat: shared(Bucket::Account, rules.account), ..Account::default() }
            }
        };
        let address = match address_place {
            Place::Own => buckets.find(&key).copied().unwrap_or_default(),
            Place::Fresh => 0,
            Place::Shared => shared(Bucket::Address, rules.address),
        };
        let before = Held { account, device, address };
        let mut held = before;
        let answer = rules.judge(&mut held, now);

        match account_place {
            Place::Shared if known => {}
            Place::Shared => {
                overflow.insert((Bucket::Account, rules.account), held.account.tat);
            }
            _ if held.account != before.account => {
                accounts.states.put(attempt.account, held.account, held.account.end());
            }
            place => self.entries.give_back(usize::from(place == Place::Fresh)),
        }
        match address_place {
            Place::Shared if known => {}
            Place::Shared => {
                overflow.insert((Bucket::Address, rules.address), held.address);
            }
            _ if held.address != before.address => buckets.put(key, held.address, held.address),
            place => self.entries.give_back(usize::from(place == Place::Fresh)),
        }
        if let Some(device) = held.device {
            accounts.update(&attempt.account, device);
        }
        Ok(answer)
    }

    fn try_take(&self, key: TakeKey, quota: Quota, now: u64, last: bool) -> Result<Verdict, Full> {
        let mut buckets = self.routes(&key);
        self.route_entries.give_back(buckets.drop_due(SWEEP, |due, _| due + SKEW <= now));
        let own = buckets.find(&key).copied();
        let place = match own {
            Some(_) => Place::Own,
            None => Self::place(&self.route_entries, last)?,
        };
        let mut overflow = lock(&self.overflow);
        let shared = (Bucket::Route, quota);
        let before = match place {
            Place::Shared => overflow.get(&shared).copied().unwrap_or_default(),
            _ => own.unwrap_or_default(),
        };
        let ask = quota.ask(before, now);
        match place {
            Place::Shared => drop(overflow.insert(shared, ask.tat)),
            // A fresh bucket allows: it is always written.
            _ => buckets.put(key, ask.tat, ask.tat),
        }
        Ok(Verdict::of_route(ask, quota, now))
    }

    /// A place for what has none; where none is left, the caller lets its locks go, frees what it can,
    /// and comes once more.
    fn place(places: &Places, last: bool) -> Result<Place, Full> {
        match (places.take(), last) {
            (true, _) => Ok(Place::Fresh),
            (false, true) => Ok(Place::Shared),
            (false, false) => Err(Full),
        }
    }

    /// Frees places wherever there are any, one lock at a time.
    fn sweep(&self, now: u64) {
        let mut freed = 0;
        for shard in &self.accounts {
            freed += lock(shard).states.drop_due(SWEEP, |due, _| due + SKEW <= now);
        }
        for shard in &self.addresses {
            freed += lock(shard).drop_due(SWEEP, |due, _| due + SKEW <= now);
        }
        for shard in &self.routes {
            self.route_entries.give_back(lock(shard).drop_due(SWEEP, |due, _| due + SKEW <= now));
        }
        // An attempt needs two.
        while freed < 2 && self.drop_next(now) {
            freed += 1;
        }
        self.entries.give_back(freed);
    }

    /// Drops, of all accounts whose bucket has drained, that which would be forgotten next: it has the
    /// fewest failures, or the oldest. So who fills the store in order to have the failures at an
    /// account forgotten must first fail as often at each of as many others.
    fn drop_next(&self, now: u64) -> bool {
        let drained = |_, account: &Account| account.tat + SKEW <= now;
        let firsts = self.accounts.iter().enumerate().filter_map(|(index, shard)| {
            lock(shard).states.first_due(drained).map(|due| (due, index))
        });
        let Some((_, index)) = firsts.min() else { return false };
        lock(&self.accounts[index]).states.drop_due(1, drained) > 0
    }

    /// Once more after a sweep; the last time what has no place shares one, so that it is not full.
    fn twice<T>(&self, now: u64, act: impl Fn(bool) -> Result<T, Full>) -> T {
        loop {
            match act(false) {
                Ok(done) => return done,
                Err(Full) => self.sweep(now),
            }
            if let Ok(done) = act(true) {
                return done;
            }
        }
    }
}

impl Limiter for Throttles {
    fn attempt(&self, attempt: &Attempt, now: Time, rules: &Rules) -> Answer {
        let now = now.millis();
        self.twice(now, |last| self.try_attempt(attempt, now, rules, last))
    }

    fn succeeded(&self, attempt: &Attempt, success: &Success, now: Time, rules: &Rules) {
        let now = now.millis();
        let mut accounts = self.accounts(&attempt.account);
        let key = attempt.address;
        let mut buckets = self.addresses(&key);
        let own = accounts.states.remove(&attempt.account);
        self.entries.give_back(usize::from(own));
        let device = attempt.device.and_then(|id| accounts.device(&attempt.account, &id));
        let device = device.filter(|device| device.end > now);
        // A shared bucket gets nothing back, and neither does one that was not paid into: whoever
        // succeeds a lot would keep it open for guesses at others.
        if success.paid
            && let Some(tat) = buckets.find(&key).copied()
        {
            let tat = rules.address.refund(tat);
            buckets.put(key, tat, tat);
        }
        if let Some(mut device) = device {
            device.renew();
            accounts.update(&attempt.account, device);
        }
        if let Some(id) = &success.device {
            self.acquainted.give_back(accounts.devices.drop_due(SWEEP, |due, _| due <= now));
            accounts.acquaint(&attempt.account, *id, now, || self.acquainted.take());
        }
    }

    fn undo(&self, attempt: &Attempt, known_device: bool, now: Time, rules: &Rules) {
        let now = now.millis();
        let mut accounts = self.accounts(&attempt.account);
        if known_device {
            let device = attempt.device.and_then(|id| accounts.device(&attempt.account, &id));
            if let Some(mut device) = device.filter(|device| device.end > now) {
                rules.undo_device(&mut device);
                accounts.update(&attempt.account, device);
            }
            return;
        }
        if let Some(mut account) = accounts.states.find(&attempt.account).copied() {
            rules.undo_account(&mut account, now);
            accounts.states.put(attempt.account, account, account.end());
        }
        let key = attempt.address;
        let mut buckets = self.addresses(&key);
        if let Some(tat) = buckets.find(&key).copied() {
            let tat = rules.address.refund(tat);
            buckets.put(key, tat, tat);
        }
    }

    fn forget_devices(&self, account: &AccountKey) {
        let forgotten = self.accounts(account).devices.remove(account);
        self.acquainted.give_back(usize::from(forgotten));
    }

    fn take(&self, key: &TakeKey, quota: Quota, now: Time) -> Verdict {
        let now = now.millis();
        self.twice(now, |last| self.try_take(*key, quota, now, last))
    }

    fn reset(&self, key: &TakeKey) {
        let own = self.routes(key).remove(key);
        self.route_entries.give_back(usize::from(own));
    }
}

impl Accounts {
    fn device(&self, account: &AccountKey, id: &Digest) -> Option<Device> {
        self.devices.find(account)?.iter().find(|device| device.id == *id).copied()
    }

    fn update(&mut self, account: &AccountKey, device: Device) {
        let devices = self.devices.find_mut(account);
        let known = devices.and_then(|all| all.iter_mut().find(|other| other.id == device.id));
        if let Some(known) = known {
            *known = device;
        }
    }

    /// Knows one device more. Where every place is taken by another account's, it stays unknown.
    fn acquaint(
        &mut self,
        account: &AccountKey,
        id: Digest,
        now: u64,
        place: impl FnOnce() -> bool,
    ) {
        let mut devices = match self.devices.find(account) {
            Some(devices) => devices.clone(),
            None if place() => Vec::new(),
            None => return,
        };
        devices.retain(|device| device.end > now && device.id != id);
        devices.push(Device::new(id, now));
        devices.sort_by_key(|device| device.end);
        devices.drain(..devices.len().saturating_sub(MOST_DEVICES));
        let end = devices.last().map_or(now, |device| device.end);
        self.devices.put(*account, devices, end);
    }
}

impl Places {
    fn new(most: usize) -> Self {
        Places { taken: AtomicUsize::new(0), most }
    }

    fn take(&self) -> bool {
        let taken = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            (taken < self.most).then_some(taken + 1)
        });
        taken.is_ok()
    }

    fn give_back(&self, places: usize) {
        if places > 0 {
            let _ = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                Some(taken.saturating_sub(places))
            });
        }
    }
}

#[cfg(test)]
mod tests;
