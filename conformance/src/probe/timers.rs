//! Timers: a probe counts how often each has rung.

use std::collections::BTreeMap;

use selvage_object::{Failure, Refusal, Turn};

use super::{mail, sums};

/// The timers that a probe has.
pub const TIMERS: [&str; 3] = ["first", "second", "third"];

fn known(timer: &str) -> Result<&'static str, Refusal> {
    let known = TIMERS.into_iter().find(|one| *one == timer);
    known.ok_or_else(|| Refusal::new("M_NOT_FOUND", "no such timer"))
}

/// Sets a timer.
pub(super) fn set(turn: &mut Turn<'_>, timer: &str, in_ms: u64) -> Result<(), Failure> {
    let due = turn.now().plus_ms(in_ms);
    Ok(turn.set_timer(known(timer)?, due)?)
}

/// Stops a timer.
pub(super) fn stop(turn: &mut Turn<'_>, timer: &str) -> Result<(), Failure> {
    Ok(turn.stop_timer(known(timer)?)?)
}

/// Counts a ring.
pub(super) fn rung(turn: &Turn<'_>, timer: &str) -> Result<(), Failure> {
    let name = format!("rings {timer}");
    sums::set(turn, &name, sums::get(turn, &name)? + 1)?;
    mail::trouble(turn)
}

/// How often each timer has rung.
pub(super) fn rings(turn: &Turn<'_>) -> Result<BTreeMap<&'static str, i64>, Failure> {
    let ring = |timer| Ok((timer, sums::get(turn, &format!("rings {timer}"))?));
    TIMERS.into_iter().map(ring).collect()
}
