//! src/memory/throttle/table.rs: entries of one lock, and when each is due to be dropped.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Entries by their key. An entry that is due is there until somebody needs its place.
pub struct Table<K, V> {
    entries: HashMap<K, (u64, V)>,
    due: BTreeSet<(u64, K)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { entries: HashMap::new(), due: BTreeSet::new() }
    }
}

impl<K: Copy + Eq + Ord + Hash, V> Table<K, V> {
    pub fn find(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub fn find_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    pub fn put(&mut self, key: K, value: V, due: u64) {
        if let Some((before, _)) = self.entries.insert(key, (due, value)) {
            self.due.remove(&(before, key));
        }
        self.due.insert((due, key));
    }

    /// False where there was none.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some((due, _)) = self.entries.remove(key) else { return false };
        self.due.remove(&(due, *key));
        true
    }

    /// Drops the first entries that are due, `most` of them, for as long as they may be dropped; how
    /// many those were.
    pub fn drop_due(&mut self, most: usize, may: impl Fn(u64, &V) -> bool) -> usize {
        let mut dropped = 0;
        while dropped < most
            && let Some(&(due, key)) = self.due.first()
            && self.entries.get(&key).is_none_or(|(_, value)| may(due, value))
        {
            self.due.pop_first();
            self.entries.remove(&key);
            dropped += 1;
        }
        dropped
    }

    /// When the first entry is due, if it may be dropped before that.
    pub fn first_due(&self, may: impl Fn(u64, &V) -> bool) -> Option<u64> {
        let &(due, key) = self.due.first()?;
        self.entries.get(&key).is_none_or(|(_, value)| may(due, value)).then_some(due)
    }

    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize) {
        (self.entries.len(), self.due.len())
    }
}
