//! Shared values, one for each key. The first caller makes the value.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One `V` for each `K`. A caller keeps its value even when it is removed here.
pub(crate) struct PerKey<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for PerKey<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> PerKey<K, V> {
    /// The value for `key`. `make` makes a missing one.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        Arc::clone(self.lock().entry(key).or_insert_with(|| Arc::new(make())))
    }

    /// Removes each entry whose key does not satisfy `is_kept`.
    pub(crate) fn retain(&self, is_kept: impl Fn(&K) -> bool) {
        self.lock().retain(|key, _| is_kept(key));
    }

    /// Removes all entries if there are `limit` or more.
    pub(crate) fn empty_at(&self, limit: usize) {
        let mut values = self.lock();
        if values.len() >= limit {
            values.clear();
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
    fn there_is_one_value_for_each_key_until_it_is_removed() {
        let values = PerKey::default();
        let first = values.get("a", || 1);
        assert_eq!((*values.get("a", || 2), *values.get("b", || 3)), (1, 3));
        values.retain(|key| *key != "a");
        assert_eq!(
            (*values.get("a", || 4), *values.get("b", || 5), *first),
            (4, 3, 1)
        );
        values.empty_at(3);
        assert_eq!(*values.get("a", || 6), 4);
        values.empty_at(2);
        assert_eq!((*values.get("a", || 7), *values.get("b", || 8)), (7, 8));
    }
}
