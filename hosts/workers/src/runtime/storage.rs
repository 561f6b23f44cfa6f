//! The storage port over a Durable Object's SQLite.

use selvage_object::{Failure, Fault, Param, Row, Sql, SqlFault, SqlFaultKind, Storage, Timestamp, Value};
use wasm_bindgen::{JsCast, JsValue};
use worker::{SqlStorage, SqlStorageValue};

use super::js;
use crate::class::Class;
use crate::counts;
use crate::sql_error;

/// One Durable Object's storage.
pub(crate) struct DoStorage {
    storage: worker::Storage,
    sql: DoSql,
}

struct DoSql {
    sql: SqlStorage,
    class: Class,
}

impl DoStorage {
    /// The storage of the object that `state` belongs to.
    pub(crate) fn new(state: &worker::State, class: Class) -> Self {
        let storage = state.storage();
        let sql = DoSql {
            sql: storage.sql(),
            class,
        };
        Self { storage, sql }
    }

    fn raw(&self) -> &js::Storage {
        let raw: &JsValue = self.storage.as_raw().as_ref();
        raw.unchecked_ref()
    }

    /// When the alarm rings that is set now.
    pub(crate) async fn alarm(&self) -> worker::Result<Option<Timestamp>> {
        let at = self.storage.get_alarm().await?;
        Ok(at.map(|ms| Timestamp(ms.unsigned_abs())))
    }

    /// Sets the alarm, durably together with the writes before it.
    pub(crate) fn set_alarm(&self, at: Timestamp) -> worker::Result<js_sys::Promise> {
        counts::rows(self.sql.class, 0, 1);
        #[allow(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 are far below 2^53"
        )]
        Ok(self.raw().set_alarm(at.0 as f64)?)
    }
}

impl Storage for DoStorage {
    fn sql(&self) -> &dyn Sql {
        &self.sql
    }

    fn atomically(&self, work: &mut dyn FnMut(&dyn Sql) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut failure = None;
        let settled = self.raw().transaction_sync(&mut || match work(&self.sql) {
            Ok(()) => Ok(JsValue::UNDEFINED),
            Err(failed) => {
                failure = Some(failed);
                // What is thrown does not matter; that something is thrown rolls back.
                Err(JsValue::NULL)
            }
        });
        match (failure, settled) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) => Err(Fault::Sql(fault(error.into())).into()),
            (None, Ok(_)) => Ok(()),
        }
    }
}

impl Sql for DoSql {
    fn run(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), SqlFault>,
    ) -> Result<u64, SqlFault> {
        let params: Vec<JsValue> = params.iter().map(bound).collect();
        let cursor = self.sql.exec_raw(sql, params).map_err(fault)?;
        let read = cursor
            .raw()
            .try_for_each(|values| each(row(values.map_err(fault)?)?));
        let written = cursor.rows_written() as u64;
        counts::rows(self.class, cursor.rows_read() as u64, written);
        read.map(|()| written)
    }
}

/// Numbers are bound as doubles, which every column of type INTEGER turns back; [`Param`] is at most 2^53 - 1.
#[allow(
    clippy::cast_precision_loss,
    reason = "integers beyond 2^53 - 1 are refused before"
)]
fn bound(param: &Param<'_>) -> JsValue {
    match param {
        Param::Null => JsValue::NULL,
        Param::Integer(integer) => JsValue::from_f64(*integer as f64),
        Param::Text(text) => JsValue::from_str(text),
        Param::Blob(blob) => js_sys::Uint8Array::from(*blob).into(),
    }
}

fn row(values: Vec<SqlStorageValue>) -> Result<Row, SqlFault> {
    values.into_iter().map(value).collect::<Result<_, _>>().map(Row)
}

fn value(value: SqlStorageValue) -> Result<Value, SqlFault> {
    Ok(match value {
        SqlStorageValue::Null => Value::Null,
        SqlStorageValue::Integer(integer) => Value::Integer(integer),
        SqlStorageValue::String(text) => Value::Text(text),
        SqlStorageValue::Blob(blob) => Value::Blob(blob),
        SqlStorageValue::Float(_) | SqlStorageValue::Boolean(_) => {
            return Err(SqlFault::new(
                SqlFaultKind::Mistyped,
                "a number that is no safe integer",
            ));
        }
    })
}

fn fault(error: worker::Error) -> SqlFault {
    sql_error::fault(match error {
        worker::Error::UnknownJsError { message, .. } => message,
        other => other.to_string(),
    })
}
