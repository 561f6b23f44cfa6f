//! The state before an event, as it is supplied: in any order, which would write the same nodes of the trie again and again. So its
//! entries are noted first, and put into the trie in the trie's own order.

use selvage_event::{Event, EventId};
use selvage_object::{Failure, Fault, Param};

use crate::accept::Work;
use crate::error::trie;
use crate::event_ref;
use crate::memory;
use crate::trie::{Change, State, order_key};

/// How many entries go into the trie at once.
const FOLDED_AT_ONCE: u64 = 1_000;

impl Work<'_, '_> {
    /// Begins with an empty state.
    pub(crate) fn begin_draft(&self, place: &EventId) -> Result<(), Failure> {
        self.forget_entries(place)?;
        self.write_draft(place, State::EMPTY)
    }

    /// Notes state events of the state before an event. Those that were rejected are no part of it.
    pub(crate) fn add_to_draft(&self, place: &EventId, events: &[Event]) -> Result<(), Failure> {
        if self.draft(place)?.is_none() {
            self.begin_draft(place)?;
        }
        for event in events {
            if let Some(state_key) = event.state_key()
                && self.is_usable_state(event)?
            {
                self.note_entry(place, event, state_key)?;
            }
        }
        Ok(())
    }

    fn note_entry(&self, place: &EventId, event: &Event, state_key: &str) -> Result<(), Failure> {
        let sql = "INSERT OR REPLACE INTO room_entries (object, place, key, event_id, kind, state_key) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (place, id) = (
            event_ref::pack(place.as_str()),
            event_ref::pack(event.event_id().as_str()),
        );
        let key = order_key(event.kind(), state_key);
        let params = [
            Param::Blob(&place),
            Param::Blob(&key),
            Param::Blob(&id),
            Param::Text(event.kind()),
            Param::Text(state_key),
        ];
        Ok(self.turn.write(sql, &params)?)
    }

    /// Puts noted entries into the state; `false` when none are left.
    pub(crate) fn fold_some(&self, place: &EventId) -> Result<bool, Failure> {
        let sql = "SELECT key, event_id, kind, state_key FROM room_entries \
                   WHERE object = ?1 AND place = ?2 ORDER BY key LIMIT ?3";
        let packed = event_ref::pack(place.as_str());
        let rows = self
            .turn
            .rows(sql, &[Param::Blob(&packed), Param::number(FOLDED_AT_ONCE)])?;
        let mut changes = Vec::with_capacity(rows.len());
        let mut last = Vec::new();
        for mut row in rows {
            last = row.blob(0)?;
            let id = event_ref::unpack(row.blob(1)?)?;
            let change = Change::set(&row.text(2)?, &row.text(3)?, id.as_str());
            changes.push(change.map_err(trie)?);
        }
        if changes.is_empty() {
            return Ok(false);
        }
        let state = self.draft(place)?.unwrap_or(State::EMPTY);
        let state = state.apply(&mut self.view().nodes(), changes).map_err(trie)?;
        self.write_draft(place, state)?;
        let sql = "DELETE FROM room_entries WHERE object = ?1 AND place = ?2 AND key <= ?3";
        self.turn
            .write(sql, &[Param::Blob(&packed), Param::Blob(&last)])?;
        Ok(true)
    }

    /// The state before an event, when it was supplied.
    pub(crate) fn supplied_state(&self, place: &EventId) -> Result<Option<State>, Failure> {
        while self.fold_some(place)? {}
        Ok(self.draft(place)?)
    }

    fn draft(&self, place: &EventId) -> Result<Option<State>, Fault> {
        let sql = "SELECT state FROM room_drafts WHERE object = ?1 AND event_id = ?2";
        let packed = event_ref::pack(place.as_str());
        let row = self.turn.row(sql, &[Param::Blob(&packed)])?;
        row.map(|mut row| memory::state(&row.blob(0)?)).transpose()
    }

    fn write_draft(&self, place: &EventId, state: State) -> Result<(), Failure> {
        let sql = "INSERT OR REPLACE INTO room_drafts (object, event_id, state) VALUES (?1, ?2, ?3)";
        let packed = event_ref::pack(place.as_str());
        let root = state.root();
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&packed), Param::Blob(root.as_bytes())])?)
    }

    fn forget_entries(&self, place: &EventId) -> Result<(), Failure> {
        let sql = "DELETE FROM room_entries WHERE object = ?1 AND place = ?2";
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&event_ref::pack(place.as_str()))])?)
    }

    /// Forgets the state before an event, which has its place.
    pub(crate) fn forget_draft(&self, place: &EventId) -> Result<(), Failure> {
        self.forget_entries(place)?;
        let sql = "DELETE FROM room_drafts WHERE object = ?1 AND event_id = ?2";
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&event_ref::pack(place.as_str()))])?)
    }
}
