//! A cache of parsed events by id. Events never change, so it never goes stale.

use std::collections::BTreeMap;
use std::mem;

use selvage_event::{Event, EventId};

/// How many bytes of events one of the two generations holds.
const GENERATION_BYTES: usize = 256 * 1024;
/// What a parsed event takes for each byte of its JSON, and for itself.
const BYTES_PER_JSON_BYTE: usize = 4;
const EVENT_BYTES: usize = 512;

/// Two generations: what is used moves to the young one, and when that is full the old one goes.
#[derive(Debug, Default)]
pub(crate) struct EventCache {
    young: BTreeMap<EventId, Event>,
    old: BTreeMap<EventId, Event>,
    young_bytes: usize,
    old_bytes: usize,
}

impl EventCache {
    pub(crate) fn get(&mut self, id: &EventId) -> Option<Event> {
        if let Some(event) = self.young.get(id) {
            return Some(event.clone());
        }
        let event = self.old.remove(id)?;
        self.insert(event.clone());
        Some(event)
    }

    pub(crate) fn insert(&mut self, event: Event) {
        let bytes = EVENT_BYTES + BYTES_PER_JSON_BYTE * event.json().len();
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = mem::take(&mut self.young);
            self.old_bytes = mem::take(&mut self.young_bytes);
        }
        self.young_bytes += bytes;
        self.young.insert(event.event_id().clone(), event);
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.young_bytes + self.old_bytes
    }
}
