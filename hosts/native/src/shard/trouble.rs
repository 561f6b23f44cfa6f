//! What the gateway is told when a command was not carried out.

use selvage_gateway::{AskError, STORAGE_FULL};
use selvage_object::{Failure, Fault, ObjectKey, SqlFault, SqlFaultKind};

/// When to come back to a shard whose queue is full, in milliseconds.
pub(crate) const OVERLOAD_RETRY_MS: u64 = 1_000;
/// When to come back to a shard with too much undelivered work, in milliseconds.
const BACKLOG_RETRY_MS: u64 = 5_000;

/// The error of one turn. Details go to the log and not to whoever asked.
pub(crate) fn of_turn(object: &ObjectKey, failure: Failure) -> AskError {
    let fault = match failure {
        Failure::Refusal(refusal) => return AskError::Refused(refusal),
        Failure::Fault(Fault::Backlog) => {
            return AskError::Overloaded {
                retry_after_ms: BACKLOG_RETRY_MS,
            };
        }
        Failure::Fault(fault) => fault,
    };
    tracing::error!(%object, %fault, "a turn failed");
    match fault {
        Fault::Sql(fault) => of_database(&fault),
        _ => AskError::Unavailable("internal error".to_owned()),
    }
}

/// The error of everybody whose turn was in a batch that was not committed.
pub(crate) fn of_database(fault: &SqlFault) -> AskError {
    AskError::Unavailable(match fault.kind {
        SqlFaultKind::Full => STORAGE_FULL.to_owned(),
        SqlFaultKind::Damaged => "the database is damaged".to_owned(),
        _ => "the database failed".to_owned(),
    })
}
