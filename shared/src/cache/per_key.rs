//! Shared values, one for each key. The first caller makes the value.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::sync::lock;

/// One `V` for each `K`. A caller keeps its value even when it is removed here.
pub(crate) struct PerKey<K, V> {
    values: Mutex<HashMap<K, Arc<V>>>,
}

impl<K, V> Default for PerKey<K, V> {
    fn default() -> Self {
        Self {
            values: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash, V> PerKey<K, V> {
    /// The value for `key`. `make` makes a missing one.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut values = self.lock();
        let value = values.entry(key).or_insert_with(|| Arc::new(make()));
        Arc::clone(value)
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
        lock(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_for_each_key_until_it_is_removed() {
        let values = PerKey::default();
        let value = |key, new: u32| *values.get(key, || new);
        let first = values.get("a", || 1);
        assert_eq!(value("a", 2), 1);
        assert_eq!(value("b", 3), 3);
        values.retain(|key| *key != "a");
        assert_eq!(value("a", 4), 4);
        assert_eq!(value("b", 5), 3);
        assert_eq!(*first, 1);
        values.empty_at(3);
        assert_eq!(value("a", 6), 4);
        values.empty_at(2);
        assert_eq!(value("a", 7), 7);
        assert_eq!(value("b", 8), 8);
    }
}
