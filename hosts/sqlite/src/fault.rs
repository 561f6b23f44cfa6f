//! What SQLite's errors mean to the turn loop.

use rusqlite::{Error, ErrorCode};
use selvage_object::{SqlFault, SqlFaultKind};

/// How the messages of broken limits begin or what they contain: SQLite gives these no code of their own.
const LIMIT_MESSAGES: [&str; 6] = [
    "too many",
    "pattern too complex",
    "variable number must be",
    "Expression tree is too large",
    "query string is too large",
    "parser stack overflow",
];

pub(crate) fn fault(error: Error) -> SqlFault {
    let message = match error {
        Error::SqlInputError { ref msg, .. } => msg.clone(),
        ref other => other.to_string(),
    };
    SqlFault::new(kind(&error, &message), message)
}

fn kind(error: &Error, message: &str) -> SqlFaultKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => SqlFaultKind::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => SqlFaultKind::Damaged,
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => SqlFaultKind::Constraint,
        Some(ErrorCode::TooBig) => SqlFaultKind::Limit,
        _ if LIMIT_MESSAGES.iter().any(|limit| message.contains(limit)) => SqlFaultKind::Limit,
        _ => SqlFaultKind::Other,
    }
}
