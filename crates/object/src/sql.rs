//! The SQL port: what both hosts' SQLite can do, and the limits that both enforce.

/// The most bound parameters of one statement; Durable Objects refuse the next. Longer lists go through `json_each(?)`.
pub const BOUND_PARAMETERS_MAX: usize = 100;
/// The longest text or blob, in bytes.
pub const VALUE_MAX_BYTES: usize = 2_000_000;
/// The longest statement, in bytes.
pub const SQL_TEXT_MAX_BYTES: usize = 100_000;
/// The largest integer either way, 2^53 - 1: beyond it the Workers host would round.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// A value bound to a statement. There are no floats and no booleans: bind 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// An integer of at most [`INTEGER_MAX`] either way.
    Integer(i64),
    /// A text of at most [`VALUE_MAX_BYTES`].
    Text(&'a str),
    /// A blob of at most [`VALUE_MAX_BYTES`].
    Blob(&'a [u8]),
}

impl<'a> Param<'a> {
    /// An unsigned number; one that does not fit is refused when the statement runs.
    #[must_use]
    pub fn number(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// 0 or 1.
    #[must_use]
    pub const fn flag(flag: bool) -> Self {
        Self::Integer(flag as i64)
    }

    /// A text, or NULL.
    #[must_use]
    pub fn optional_text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

/// A value in a row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
    /// A blob.
    Blob(Vec<u8>),
}

/// One row of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn take(&mut self, column: usize) -> Value {
        self.0
            .get_mut(column)
            .map_or(Value::Null, |value| std::mem::replace(value, Value::Null))
    }

    fn mistyped(column: usize, wanted: &str) -> SqlFault {
        SqlFault::new(SqlFaultKind::Mistyped, format!("column {column} is no {wanted}"))
    }

    /// The integer in this column.
    ///
    /// # Errors
    /// When the column holds anything else.
    pub fn integer(&self, column: usize) -> Result<i64, SqlFault> {
        match self.0.get(column) {
            Some(Value::Integer(integer)) => Ok(*integer),
            _ => Err(Self::mistyped(column, "integer")),
        }
    }

    /// The integer in this column, which is not negative.
    ///
    /// # Errors
    /// When the column holds anything else.
    pub fn number(&self, column: usize) -> Result<u64, SqlFault> {
        u64::try_from(self.integer(column)?).map_err(|_| Self::mistyped(column, "number"))
    }

    /// The flag (0 or 1) in this column.
    ///
    /// # Errors
    /// When the column holds no integer.
    pub fn flag(&self, column: usize) -> Result<bool, SqlFault> {
        Ok(self.integer(column)? != 0)
    }

    /// Takes the text out of this column.
    ///
    /// # Errors
    /// When the column holds anything else.
    pub fn text(&mut self, column: usize) -> Result<String, SqlFault> {
        self.optional_text(column)?
            .ok_or_else(|| Self::mistyped(column, "text"))
    }

    /// Takes the text, or NULL, out of this column.
    ///
    /// # Errors
    /// When the column holds anything else.
    pub fn optional_text(&mut self, column: usize) -> Result<Option<String>, SqlFault> {
        match self.take(column) {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => Err(Self::mistyped(column, "text")),
        }
    }

    /// The integer, or NULL, in this column.
    ///
    /// # Errors
    /// When the column holds anything else.
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>, SqlFault> {
        match self.0.get(column) {
            Some(Value::Integer(integer)) => Ok(Some(*integer)),
            Some(Value::Null) => Ok(None),
            _ => Err(Self::mistyped(column, "integer")),
        }
    }

    /// Takes the blob out of this column.
    ///
    /// # Errors
    /// When the column holds anything else.
    pub fn blob(&mut self, column: usize) -> Result<Vec<u8>, SqlFault> {
        match self.take(column) {
            Value::Blob(blob) => Ok(blob),
            _ => Err(Self::mistyped(column, "blob")),
        }
    }

    /// Takes the blob, or NULL, out of this column.
    ///
    /// # Errors
    /// When the column holds anything else.
    pub fn optional_blob(&mut self, column: usize) -> Result<Option<Vec<u8>>, SqlFault> {
        match self.take(column) {
            Value::Blob(blob) => Ok(Some(blob)),
            Value::Null => Ok(None),
            _ => Err(Self::mistyped(column, "blob")),
        }
    }
}

/// What kind of trouble the database reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlFaultKind {
    /// The disk or the quota is full; what was acknowledged stays, and the next try may succeed.
    Full,
    /// A limit of this module was broken; both hosts refuse alike.
    Limit,
    /// A uniqueness, NOT NULL, CHECK or type constraint.
    Constraint,
    /// The database file is damaged.
    Damaged,
    /// A row does not have the types that the code expects.
    Mistyped,
    /// Anything else, a statement with an error among it.
    Other,
}

/// The database refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("database: {message}")]
pub struct SqlFault {
    /// What kind of trouble it is.
    pub kind: SqlFaultKind,
    /// What the database said.
    pub message: String,
}

impl SqlFault {
    /// A fault of this kind.
    pub fn new(kind: SqlFaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// One shard's database, as object code sees it. Hosts implement it; all statements are constants.
pub trait Sql {
    /// Runs one statement, gives each row of its answer to `each`, and returns how many rows it wrote.
    ///
    /// The count is the billed one on Workers (index entries count) and the changed rows on native.
    ///
    /// # Errors
    /// When the database refuses the statement, or `each` fails.
    fn run(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), SqlFault>,
    ) -> Result<u64, SqlFault>;
}

/// Refuses, on both hosts alike, what the stricter one could not store.
///
/// # Errors
/// [`SqlFaultKind::Limit`] with the limit's name.
pub fn check_statement(sql: &str, params: &[Param<'_>]) -> Result<(), SqlFault> {
    let limit = |what: String| Err(SqlFault::new(SqlFaultKind::Limit, what));
    if sql.len() > SQL_TEXT_MAX_BYTES {
        return limit(format!("a statement of {} bytes", sql.len()));
    }
    if params.len() > BOUND_PARAMETERS_MAX {
        return limit(format!("{} bound parameters", params.len()));
    }
    params.iter().try_for_each(check_param)
}

fn check_param(param: &Param<'_>) -> Result<(), SqlFault> {
    let bytes = match param {
        Param::Integer(integer) if integer.unsigned_abs() > INTEGER_MAX.unsigned_abs() => {
            return Err(SqlFault::new(
                SqlFaultKind::Limit,
                format!("the integer {integer}"),
            ));
        }
        Param::Null | Param::Integer(_) => 0,
        Param::Text(text) => text.len(),
        Param::Blob(blob) => blob.len(),
    };
    if bytes > VALUE_MAX_BYTES {
        return Err(SqlFault::new(
            SqlFaultKind::Limit,
            format!("a value of {bytes} bytes"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive() {
        let text = "x".repeat(VALUE_MAX_BYTES + 1);
        let longest = text.get(1..).unwrap();
        let cases = [
            (
                vec![Param::Integer(INTEGER_MAX), Param::Integer(-INTEGER_MAX)],
                true,
            ),
            (vec![Param::Integer(INTEGER_MAX + 1)], false),
            (vec![Param::Integer(i64::MIN)], false),
            (vec![Param::number(u64::MAX)], false),
            (vec![Param::Text(longest), Param::Blob(longest.as_bytes())], true),
            (vec![Param::Text(&text)], false),
            (vec![Param::Blob(text.as_bytes())], false),
            (vec![Param::Null; BOUND_PARAMETERS_MAX], true),
            (vec![Param::Null; BOUND_PARAMETERS_MAX + 1], false),
        ];
        for (params, fits) in cases {
            assert_eq!(check_statement("SELECT 1", &params).is_ok(), fits);
        }
    }
}
