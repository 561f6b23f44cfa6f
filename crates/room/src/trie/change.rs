//! What is to change in a state.

use super::{
    TrieError,
    event_id::PackedId,
    key::{Slot, Slotted},
};

/// The longest type, state key or event id, in bytes. No event has one as long; room versions say how long they may be.
pub const FIELD_MAX_BYTES: usize = 65_535;

/// One entry to set or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub(super) slot: Slot,
    /// `None` removes.
    pub(super) event: Option<PackedId>,
}

impl Change {
    /// Sets the entry of a type and state key, in place of the one that is there.
    ///
    /// # Errors
    /// [`TrieError::FieldTooLong`].
    pub fn set(event_type: &str, state_key: &str, event_id: &str) -> Result<Self, TrieError> {
        fits(event_id)?;
        Ok(Self {
            event: Some(PackedId::new(event_id)),
            ..Self::remove(event_type, state_key)?
        })
    }

    /// Removes the entry of a type and state key, if there is one.
    ///
    /// # Errors
    /// [`TrieError::FieldTooLong`].
    pub fn remove(event_type: &str, state_key: &str) -> Result<Self, TrieError> {
        fits(event_type)?;
        fits(state_key)?;
        Ok(Self {
            slot: Slot::new(event_type, state_key),
            event: None,
        })
    }
}

impl Slotted for Change {
    fn slot(&self) -> &Slot {
        &self.slot
    }
}

fn fits(field: &str) -> Result<(), TrieError> {
    if field.len() > FIELD_MAX_BYTES {
        Err(TrieError::FieldTooLong(field.len()))
    } else {
        Ok(())
    }
}

/// Sorts changes, and keeps the last of each slot.
pub(super) fn last_of_each_slot(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by(|a, b| a.slot.cmp(&b.slot));
    // `dedup_by` hands over (later, earlier) and drops the later, so the earlier takes its place's event first.
    changes.dedup_by(|later, kept| {
        let same = later.slot == kept.slot;
        if same {
            kept.event = later.event.take();
        }
        same
    });
    changes
}
