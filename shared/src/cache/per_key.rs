//! Things of which there is one for each key: made by whoever comes first, and shared with all others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One `V` for each `K`. Whoever holds one keeps it, even when it is forgotten here.
pub(crate) struct PerKey<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for PerKey<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> PerKey<K, V> {
    /// What there is for `key`, else what `make` makes.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        Arc::clone(self.lock().entry(key).or_insert_with(|| Arc::new(make())))
    }

    /// Forgets what is for another key than `is_kept` names.
    pub(crate) fn retain(&self, is_kept: impl Fn(&K) -> bool) {
        self.lock().retain(|key, _| is_kept(key));
    }

    /// Forgets everything, where it is for `limit` keys or more.
    pub(crate) fn empty_at(&self, limit: usize) {
        let mut slots = self.lock();
        if slots.len() >= limit {
            slots.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_for_each_key_until_it_is_forgotten() {
        let slots = PerKey::default();
        let first = slots.get("a", || 1);
        assert_eq!((*slots.get("a", || 2), *slots.get("b", || 3)), (1, 3));
        slots.retain(|key| *key != "a");
        assert_eq!(
            (*slots.get("a", || 4), *slots.get("b", || 5), *first),
            (4, 3, 1)
        );
        slots.empty_at(3);
        assert_eq!(*slots.get("a", || 6), 4);
        slots.empty_at(2);
        assert_eq!((*slots.get("a", || 7), *slots.get("b", || 8)), (7, 8));
    }
}
