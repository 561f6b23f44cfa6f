//! A map over (type, state key) that is looked up with borrowed keys.

use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(super) struct StateMap<T> {
    by_kind: BTreeMap<String, BTreeMap<String, T>>,
}

impl<T> StateMap<T> {
    pub(super) fn new() -> Self {
        Self {
            by_kind: BTreeMap::new(),
        }
    }

    pub(super) fn get(&self, kind: &str, state_key: &str) -> Option<&T> {
        self.by_kind.get(kind)?.get(state_key)
    }

    pub(super) fn insert(&mut self, kind: &str, state_key: &str, value: T) {
        if !self.by_kind.contains_key(kind) {
            self.by_kind.insert(kind.to_owned(), BTreeMap::new());
        }
        if let Some(keys) = self.by_kind.get_mut(kind) {
            keys.insert(state_key.to_owned(), value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &T)> {
        let of_kind = |(kind, keys)| -> Box<dyn Iterator<Item = (&str, &str, &T)>> {
            let kind: &String = kind;
            let keys: &BTreeMap<String, T> = keys;
            Box::new(
                keys.iter()
                    .map(move |(key, value)| (kind.as_str(), key.as_str(), value)),
            )
        };
        self.by_kind.iter().flat_map(of_kind)
    }
}
