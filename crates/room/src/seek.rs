//! Asking other servers for what is missing: a workflow does it, and the room sees to it that one does, again and again with
//! longer and longer pauses, and not for ever.

use selvage_object::{Failure, Param, Timestamp};
use selvage_protocol::elsewhere::Sought;
use selvage_protocol::work::Work as Workflow;

use crate::accept::Work;
use crate::event_ref;

/// The timer that asks again.
pub(crate) const TIMER: &str = "gaps";
/// How long a workflow has before another is started, in milliseconds.
const LEASE_MS: u64 = 120_000;
/// The first pause before a missing event is asked for again, in milliseconds; each further one is twice as long.
const PAUSE_MIN_MS: u64 = 30_000;
/// The longest pause, in milliseconds.
const PAUSE_MAX_MS: u64 = 3_600_000;
/// How often a missing event is asked for. Then what waits for it is forgotten: nobody has it, or nobody gives it.
const ATTEMPTS_MAX: u64 = 12;
/// The most events that are forgotten because of one.
const FORGOTTEN_MAX: usize = 2_000;

/// The timer rang: the workflow has not come to its end, or a pause has.
pub(crate) fn again(mut work: Work<'_, '_>) -> Result<(), Failure> {
    work.memory.change().seeking_until = Timestamp(0);
    work.go_on_seeking()
}

/// Takes note of what was asked for; see [`Sought`].
pub(crate) fn sought(mut work: Work<'_, '_>, command: &Sought) -> Result<(), Failure> {
    work.memory.change().seeking_until = Timestamp(0);
    for id in &command.event_ids {
        let packed = event_ref::pack(id);
        if work.is_missing(&packed)? {
            work.put_off(&packed)?;
        }
    }
    let sql = "DELETE FROM room_sought WHERE object = ?1 AND event_id NOT IN \
               (SELECT needs FROM room_waits WHERE object = ?1)";
    work.turn.write(sql, &[])?;
    work.go_on_seeking()
}

impl Work<'_, '_> {
    /// Starts the workflow when something is missing and none is under way.
    pub(crate) fn seek(&mut self) -> Result<(), Failure> {
        if self.memory.seeking_until > self.turn.now() || !self.is_any_due()? {
            return Ok(());
        }
        let until = self.turn.now().plus_ms(LEASE_MS);
        self.memory.change().seeking_until = until;
        self.turn.set_timer(TIMER, until)?;
        Ok(self.turn.start(&Workflow::FillGaps {})?)
    }

    /// Starts the workflow, or sets the timer for when the next pause ends, or stops it.
    fn go_on_seeking(&mut self) -> Result<(), Failure> {
        self.seek()?;
        if self.memory.seeking_until > self.turn.now() {
            return Ok(());
        }
        let sql = "SELECT min(due) FROM room_sought WHERE object = ?1";
        let due = self.turn.row(sql, &[])?;
        match due.map(|row| row.optional_integer(0)).transpose()?.flatten() {
            Some(due) => Ok(self
                .turn
                .set_timer(TIMER, Timestamp(u64::try_from(due).unwrap_or(0)))?),
            None => Ok(self.turn.stop_timer(TIMER)?),
        }
    }

    /// Whether something is missing that is not to be left for later.
    fn is_any_due(&self) -> Result<bool, Failure> {
        // What came of paging back waits for the next page.
        let sql = "SELECT 1 FROM room_waits AS w JOIN room_staged AS s ON s.object = w.object AND s.event_id = w.event_id \
                   WHERE w.object = ?1 AND s.history_before IS NULL AND NOT EXISTS \
                   (SELECT 1 FROM room_staged AS h WHERE h.object = ?1 AND h.event_id = w.needs) AND NOT EXISTS \
                   (SELECT 1 FROM room_sought AS t WHERE t.object = ?1 AND t.event_id = w.needs AND t.due > ?2) LIMIT 1";
        let row = self.turn.row(sql, &[Param::number(self.turn.now().0)])?;
        Ok(row.is_some())
    }

    fn is_missing(&self, id: &[u8]) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM room_waits WHERE object = ?1 AND needs = ?2 AND NOT EXISTS \
                   (SELECT 1 FROM room_staged WHERE object = ?1 AND event_id = ?2) LIMIT 1";
        Ok(self.turn.row(sql, &[Param::Blob(id)])?.is_some())
    }

    /// Leaves a missing event for later, or gives it up.
    fn put_off(&self, id: &[u8]) -> Result<(), Failure> {
        let sql = "SELECT attempts FROM room_sought WHERE object = ?1 AND event_id = ?2";
        let row = self.turn.row(sql, &[Param::Blob(id)])?;
        let attempts = row.map(|row| row.number(0)).transpose()?.unwrap_or(0) + 1;
        if attempts >= ATTEMPTS_MAX {
            return self.forget_waiting_for(id);
        }
        let pause = PAUSE_MIN_MS
            .saturating_mul(1 << attempts.min(20))
            .min(PAUSE_MAX_MS);
        let sql =
            "INSERT OR REPLACE INTO room_sought (object, event_id, attempts, due) VALUES (?1, ?2, ?3, ?4)";
        let due = self.turn.now().plus_ms(pause).0;
        let params = [Param::Blob(id), Param::number(attempts), Param::number(due)];
        Ok(self.turn.write(sql, &params)?)
    }

    /// Forgets the events that wait for one, and those that wait for these.
    fn forget_waiting_for(&self, id: &[u8]) -> Result<(), Failure> {
        let mut open = vec![id.to_vec()];
        let mut forgotten = 0;
        while let Some(needed) = open.pop() {
            let sql = "SELECT DISTINCT event_id FROM room_waits WHERE object = ?1 AND needs = ?2";
            for mut row in self.turn.rows(sql, &[Param::Blob(&needed)])? {
                let waiting = row.blob(0)?;
                let sql = "DELETE FROM room_staged WHERE object = ?1 AND event_id = ?2";
                self.turn.write(sql, &[Param::Blob(&waiting)])?;
                let sql = "DELETE FROM room_waits WHERE object = ?1 AND event_id = ?2";
                self.turn.write(sql, &[Param::Blob(&waiting)])?;
                forgotten += 1;
                if forgotten < FORGOTTEN_MAX {
                    open.push(waiting);
                }
            }
        }
        Ok(())
    }
}
