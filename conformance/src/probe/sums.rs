//! Named numbers of a probe, in storage.

use selvage_object::{Param, SqlFault, Turn};

/// The number of this name; zero when there is none.
pub(super) fn get(turn: &Turn<'_>, name: &str) -> Result<i64, SqlFault> {
    let select = "SELECT sum FROM probe_sums WHERE object = ?1 AND name = ?2";
    turn.row(select, &[Param::Text(name)])?
        .map_or(Ok(0), |row| row.integer(0))
}

/// Sets the number of this name.
pub(super) fn set(turn: &Turn<'_>, name: &str, sum: i64) -> Result<(), SqlFault> {
    let insert = "INSERT INTO probe_sums (object, name, sum) VALUES (?1, ?2, ?3) \
                  ON CONFLICT DO UPDATE SET sum = excluded.sum";
    turn.write(insert, &[Param::Text(name), Param::Integer(sum)])
}
