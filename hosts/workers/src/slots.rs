//! A bound on what waits at once, for each of some things.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most questions that wait for one shard: further ones are told to come back later. A shard answers some hundred a
/// second, so these are about a second's work.
pub(crate) const QUESTIONS_MAX: usize = 256;

/// Counts what waits, by key.
pub(crate) struct Slots<K: Ord + Clone> {
    taken: Rc<RefCell<BTreeMap<K, usize>>>,
}

impl<K: Ord + Clone> Default for Slots<K> {
    fn default() -> Self {
        Self { taken: Rc::default() }
    }
}

/// A place that is taken until this is dropped.
pub(crate) struct Slot<K: Ord + Clone> {
    taken: Rc<RefCell<BTreeMap<K, usize>>>,
    key: K,
}

impl<K: Ord + Clone> Slots<K> {
    /// Takes a place for `key`; `None` when all [`QUESTIONS_MAX`] are taken.
    pub(crate) fn take(&self, key: K) -> Option<Slot<K>> {
        let mut taken = self.taken.borrow_mut();
        let count = taken.entry(key.clone()).or_default();
        if *count >= QUESTIONS_MAX {
            return None;
        }
        *count += 1;
        Some(Slot {
            taken: Rc::clone(&self.taken),
            key,
        })
    }
}

impl<K: Ord + Clone> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.borrow_mut();
        let Some(count) = taken.get_mut(&self.key) else {
            return;
        };
        *count = count.saturating_sub(1);
        if *count == 0 {
            taken.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_free_again() {
        let slots = Slots::default();
        let mut taken: Vec<_> = (0..QUESTIONS_MAX).filter_map(|_| slots.take("a")).collect();
        assert_eq!(taken.len(), QUESTIONS_MAX);
        assert!(slots.take("a").is_none());
        assert!(slots.take("b").is_some());
        taken.pop();
        assert!(slots.take("a").is_some());
        taken.clear();
        assert!(slots.taken.borrow().is_empty());
    }
}
