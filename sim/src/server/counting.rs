//! Storage that counts the rows it writes as Workers bill them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use selvage_object::{Param, Rollback, Row, Sql, SqlFault, Storage};
use selvage_sqlite::Shared;

const INDEXES_OF: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1";

/// A database in memory that outlives its shard, and the rows written to each of its tables.
///
/// SQLite counts changed rows; Workers bill each entry of an index as a row too. So each changed row counts once for its
/// table and once for each index of it. That is exact for inserts and deletes, and the most that an update can cost. The key
/// of a table `WITHOUT ROWID` is the table itself and no index.
#[derive(Clone)]
pub struct Counting {
    database: Shared,
    written: Rc<RefCell<BTreeMap<String, u64>>>,
    read: Rc<RefCell<BTreeMap<String, u64>>>,
    indexes: Rc<RefCell<BTreeMap<String, u64>>>,
}

impl Counting {
    pub(crate) fn new(database: Shared) -> Self {
        Self {
            database,
            written: Rc::default(),
            read: Rc::default(),
            indexes: Rc::default(),
        }
    }

    pub(crate) fn database(&self) -> &Shared {
        &self.database
    }

    /// The rows written since the last call, by table.
    pub(crate) fn take_written(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.written.borrow_mut())
    }

    /// The rows that were answered since the last call, by the first table that a statement names.
    pub(crate) fn take_read(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.read.borrow_mut())
    }

    fn count(&self, statement: &str, changed: u64) -> Result<(), SqlFault> {
        let Some(table) = table_of(statement).filter(|_| changed > 0) else {
            return Ok(());
        };
        let rows = changed * (1 + self.indexes(table)?);
        *self.written.borrow_mut().entry(table.to_owned()).or_default() += rows;
        Ok(())
    }

    fn indexes(&self, table: &str) -> Result<u64, SqlFault> {
        if let Some(known) = self.indexes.borrow().get(table) {
            return Ok(*known);
        }
        let mut count = 0;
        self.database.run(INDEXES_OF, &[Param::Text(table)], &mut |row| {
            count = row.number(0)?;
            Ok(())
        })?;
        self.indexes.borrow_mut().insert(table.to_owned(), count);
        Ok(count)
    }
}

/// The first table that a statement reads from.
fn read_table_of(statement: &str) -> Option<&str> {
    let mut words = statement.split_ascii_whitespace();
    words.find(|word| *word == "FROM").and_then(|_| words.next())
}

/// The table that a statement writes to.
fn table_of(statement: &str) -> Option<&str> {
    let mut words = statement.split_ascii_whitespace();
    match words.next()? {
        "INSERT" => words.find(|word| *word == "INTO").and_then(|_| words.next()),
        "DELETE" => words.nth(1),
        "UPDATE" => words.next(),
        _ => None,
    }
}

impl Sql for Counting {
    fn run(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), SqlFault>,
    ) -> Result<u64, SqlFault> {
        let mut answered = 0;
        let changed = self.database.run(sql, params, &mut |row| {
            answered += 1;
            each(row)
        })?;
        if let Some(table) = read_table_of(sql).filter(|_| answered > 0) {
            *self.read.borrow_mut().entry(table.to_owned()).or_default() += answered;
        }
        self.count(sql, changed)?;
        Ok(changed)
    }
}

impl Storage for Counting {
    fn sql(&self) -> &dyn Sql {
        self
    }

    fn atomically(&self, work: &mut dyn FnMut(&dyn Sql) -> Result<(), Rollback>) -> Result<(), Rollback> {
        self.database.atomically(&mut |_| work(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvage_sqlite::Sqlite;

    #[test]
    fn rows_count_once_for_the_table_and_once_for_each_index() {
        let counting = Counting::new(Shared::new(Sqlite::in_memory().unwrap()));
        let run = |sql| counting.run(sql, &[], &mut |_| Ok(())).unwrap();
        run("CREATE TABLE a (x INTEGER, y INTEGER, PRIMARY KEY (x, y)) STRICT");
        run("CREATE INDEX a_y ON a (y)");
        run("CREATE TABLE b (x INTEGER, y INTEGER, PRIMARY KEY (x, y)) STRICT, WITHOUT ROWID");
        run("CREATE TABLE c (x INTEGER PRIMARY KEY) STRICT");
        assert!(counting.take_written().is_empty());
        run("INSERT INTO a (x, y) VALUES (1, 1), (1, 2)");
        run("INSERT OR IGNORE INTO b (x, y) VALUES (1, 1)");
        run("INSERT OR IGNORE INTO b (x, y) VALUES (1, 1)");
        run("INSERT INTO c (x) VALUES (1)");
        run("UPDATE c SET x = 2 WHERE x = 1");
        run("DELETE FROM c WHERE x = 3");
        let written: Vec<_> = counting.take_written().into_iter().collect();
        assert_eq!(
            written,
            [("a", 6), ("b", 1), ("c", 2)].map(|(table, rows)| (table.to_owned(), rows))
        );
    }
}
