//! What the runtime's SQLite errors mean. They come as text that ends with SQLite's own name for the error.

use selvage_object::{SqlFault, SqlFaultKind};

/// Names in error messages, and what they mean. The first that occurs counts.
const MEANINGS: &[(&str, SqlFaultKind)] = &[
    ("SQLITE_FULL", SqlFaultKind::Full),
    ("SQLITE_IOERR_WRITE", SqlFaultKind::Full),
    ("SQLITE_TOOBIG", SqlFaultKind::Limit),
    ("SQLITE_CONSTRAINT", SqlFaultKind::Constraint),
    ("SQLITE_MISMATCH", SqlFaultKind::Constraint),
    ("SQLITE_CORRUPT", SqlFaultKind::Damaged),
    ("SQLITE_NOTADB", SqlFaultKind::Damaged),
];

/// The fault with this message.
pub(crate) fn fault(message: String) -> SqlFault {
    let known = MEANINGS.iter().find(|(name, _)| message.contains(name));
    let kind = known.map_or(SqlFaultKind::Other, |(_, kind)| *kind);
    SqlFault::new(kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_sorted_by_who_must_act() {
        let cases = [
            ("database or disk is full: SQLITE_FULL", SqlFaultKind::Full),
            (
                "UNIQUE constraint failed: a.b: SQLITE_CONSTRAINT",
                SqlFaultKind::Constraint,
            ),
            ("string or blob too big: SQLITE_TOOBIG", SqlFaultKind::Limit),
            (
                "database disk image is malformed: SQLITE_CORRUPT",
                SqlFaultKind::Damaged,
            ),
            ("no such table: a: SQLITE_ERROR", SqlFaultKind::Other),
            ("", SqlFaultKind::Other),
        ];
        for (message, kind) in cases {
            assert_eq!(fault(message.to_owned()).kind, kind, "{message}");
        }
    }
}
