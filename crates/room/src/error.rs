//! What goes wrong in a room, as refusals and faults.

use selvage_event::FormatError;
use selvage_object::{Failure, Fault, Refusal, SqlFault};
use selvage_protocol::errcode;

use crate::trie::TrieError;

/// The state could not be read.
pub(crate) fn trie(error: TrieError) -> Fault {
    match error {
        TrieError::Store(error) => match error.downcast::<SqlFault>() {
            Ok(fault) => Fault::Sql(*fault),
            Err(error) => Fault::corrupt(error.to_string()),
        },
        other => Fault::corrupt(other.to_string()),
    }
}

/// An event that was to be made here would be malformed.
pub(crate) fn format(error: &FormatError) -> Refusal {
    let errcode = if error.is_too_large() {
        errcode::TOO_LARGE
    } else {
        errcode::BAD_JSON
    };
    Refusal::new(errcode, format!("the event would not be valid: {error}"))
}

/// What storage holds is no event.
pub(crate) fn stored(error: &FormatError) -> Fault {
    Fault::corrupt(format!("a stored event: {error}"))
}

/// The user may not do this.
pub(crate) fn forbidden(why: impl Into<String>) -> Failure {
    Refusal::new(errcode::FORBIDDEN, why).into()
}

/// The room's rules forbid an event; the refusal names the rule.
pub(crate) fn refused(refusal: selvage_event::Refusal) -> Failure {
    forbidden(format!("the room's rules forbid this: {refusal}"))
}

/// There is no such thing, or the user may not know of it.
pub(crate) fn not_found(what: impl Into<String>) -> Failure {
    Refusal::new(errcode::NOT_FOUND, what).into()
}

/// A value that has no JSON form, which is a fault of ours.
pub(crate) fn json(error: &serde_json::Error) -> Fault {
    Fault::corrupt(error.to_string())
}
