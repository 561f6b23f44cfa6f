//! Whether a redaction takes effect, where the authorisation rules leave that open. spec: `rooms/v3 §Handling
//! redactions`.

use super::{AuthError, PowerLevels, StateLookup};
use crate::event::Event;

/// Whether a redaction that was accepted is to be applied to its target, given the state before the redaction.
///
/// From room version 3 on: when its sender has the power to redact, or is of the same server as the target's sender.
/// In versions 1 and 2 the authorisation rules have decided already. Events of different rooms never match, nor does
/// a redaction that names another target.
///
/// # Errors
/// The lookup's.
pub fn may_redact<S: StateLookup>(
    redaction: &Event,
    target: &Event,
    state: &S,
) -> Result<bool, AuthError<S::Error>> {
    let is_about = redaction.redacts() == Some(target.event_id()) && redaction.room_id() == target.room_id();
    if !is_about {
        return Ok(false);
    }
    if redaction.rules().auth.redaction_rule || redaction.sender().domain() == target.sender().domain() {
        return Ok(true);
    }
    let power = PowerLevels::of_state(state)?;
    Ok(power.is_some_and(|power| power.user(redaction.sender().as_str()).reaches(power.redact())))
}
