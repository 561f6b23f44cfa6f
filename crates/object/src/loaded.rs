//! The objects that a shard holds in memory: a cache with a budget in bytes.

use std::collections::BTreeMap;

use crate::ObjectKey;
use crate::object::Memory;

/// One object in memory.
pub(crate) struct Loaded {
    pub(crate) number: i64,
    pub(crate) exists: bool,
    pub(crate) memory: Box<dyn Memory>,
}

struct Kept {
    loaded: Loaded,
    bytes: usize,
    used: u64,
}

/// Objects by key, the longest unused of which leave first when the budget is exceeded.
pub(crate) struct Cache {
    kept: BTreeMap<ObjectKey, Kept>,
    by_use: BTreeMap<u64, ObjectKey>,
    uses: u64,
    bytes: usize,
    bytes_max: usize,
}

/// What one entry costs beside the object's own memory, in bytes.
const ENTRY_BYTES: usize = 256;

impl Cache {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            kept: BTreeMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            bytes_max,
        }
    }

    /// Takes an object out, to be put back when its turn has succeeded.
    pub(crate) fn take(&mut self, key: &ObjectKey) -> Option<Loaded> {
        let kept = self.kept.remove(key)?;
        self.by_use.remove(&kept.used);
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        Some(kept.loaded)
    }

    /// Keeps an object, and lets others go while the budget is exceeded.
    pub(crate) fn put(&mut self, key: ObjectKey, loaded: Loaded, memory_bytes: usize) {
        let bytes = memory_bytes.saturating_add(ENTRY_BYTES);
        self.uses += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.by_use.insert(self.uses, key.clone());
        self.kept.insert(
            key,
            Kept {
                loaded,
                bytes,
                used: self.uses,
            },
        );
        while self.bytes > self.bytes_max && self.kept.len() > 1 {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                return;
            };
            let oldest = oldest.clone();
            self.take(&oldest);
        }
    }

    /// Lets all objects go.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    #[cfg(test)]
    fn keys(&self) -> Vec<String> {
        self.kept.keys().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Tracked};

    fn put(cache: &mut Cache, name: &str, bytes: usize) {
        let loaded = Loaded {
            number: 1,
            exists: true,
            memory: Box::new(Tracked::new(())),
        };
        cache.put(ObjectKey::new(Kind::Probe, name), loaded, bytes);
    }

    #[test]
    fn the_longest_unused_leaves_first() {
        let mut cache = Cache::new(3 * (ENTRY_BYTES + 100));
        for name in ["a", "b", "c"] {
            put(&mut cache, name, 100);
        }
        let used = cache.take(&ObjectKey::new(Kind::Probe, "a")).unwrap();
        cache.put(ObjectKey::new(Kind::Probe, "a"), used, 100);
        put(&mut cache, "d", 100);
        assert_eq!(cache.keys(), ["probe/a", "probe/c", "probe/d"]);
    }

    #[test]
    fn one_object_over_budget_still_stays() {
        let mut cache = Cache::new(10);
        put(&mut cache, "a", 1000);
        put(&mut cache, "b", 1000);
        assert_eq!(cache.keys(), ["probe/b"]);
    }
}
