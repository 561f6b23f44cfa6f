//! A cache of parsed events by id. Events never change; whether one was rejected may, and who finds out says so here.

use std::collections::BTreeMap;
use std::mem;

use selvage_event::{EventId, KnownEvent};

/// How many bytes of events one of the two generations holds.
const GENERATION_BYTES: usize = 256 * 1024;
/// What a parsed event takes for each byte of its JSON, and for itself.
const BYTES_PER_JSON_BYTE: usize = 4;
const EVENT_BYTES: usize = 512;

/// Two generations: what is used moves to the young one, and when that is full the old one goes.
#[derive(Debug, Default)]
pub(crate) struct EventCache {
    young: BTreeMap<EventId, KnownEvent>,
    old: BTreeMap<EventId, KnownEvent>,
    young_bytes: usize,
    old_bytes: usize,
}

impl EventCache {
    pub(crate) fn get(&mut self, id: &EventId) -> Option<KnownEvent> {
        if let Some(known) = self.young.get(id) {
            return Some(known.clone());
        }
        let known = self.old.remove(id)?;
        self.insert(known.clone());
        Some(known)
    }

    pub(crate) fn insert(&mut self, known: KnownEvent) {
        let id = known.event.event_id().clone();
        self.old.remove(&id);
        let bytes = EVENT_BYTES + BYTES_PER_JSON_BYTE * known.event.json().len();
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = mem::take(&mut self.young);
            self.old_bytes = mem::take(&mut self.young_bytes);
        }
        self.young_bytes += bytes;
        self.young.insert(id, known);
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.young_bytes + self.old_bytes
    }
}
