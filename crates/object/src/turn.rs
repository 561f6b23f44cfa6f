//! What an object sees while it handles one command.

use std::cell::Cell;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Fault, Moment, ObjectKey, Param, Random, Row, Sql, SqlFault, Timestamp, timers};

/// One turn: its input beside the command, its object's rows, and the effects that it asks for.
///
/// Every statement gets the object's number as `?1`, before the parameters given. Effects are data: the host carries them
/// out after the turn's writes are durable, and drops them when the turn fails.
pub struct Turn<'a> {
    sql: &'a dyn Sql,
    key: &'a ObjectKey,
    number: i64,
    exists: Cell<bool>,
    rows_written: Cell<u64>,
    moment: Moment,
    version_floor: u64,
    random: Random,
    pub(crate) effects: Effects,
}

/// What a turn asks the host to do once its writes are durable.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) tells: Vec<(Vec<ObjectKey>, Box<RawValue>)>,
    pub(crate) hints: Vec<(Vec<ObjectKey>, Box<RawValue>)>,
    pub(crate) wake: Option<u64>,
    pub(crate) timers_changed: bool,
    pub(crate) started: Vec<Box<RawValue>>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        sql: &'a dyn Sql,
        key: &'a ObjectKey,
        number: i64,
        exists: bool,
        moment: Moment,
        version_floor: u64,
    ) -> Self {
        Self {
            sql,
            key,
            number,
            exists: Cell::new(exists),
            rows_written: Cell::new(0),
            moment,
            version_floor,
            random: Random::new(moment.seed),
            effects: Effects::default(),
        }
    }

    /// The object's key.
    #[must_use]
    pub const fn key(&self) -> &ObjectKey {
        self.key
    }

    /// The time of this turn.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.moment.now
    }

    /// The highest version that any object has had since the shard was opened: an object that is loaded anew begins no lower,
    /// so that its version rises above all that watchers have seen of it.
    #[must_use]
    pub const fn version_floor(&self) -> u64 {
        self.version_floor
    }

    /// Whether the object has, or had before, any rows.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.exists.get()
    }

    /// How many rows this turn wrote so far, as [`Sql::run`] counts them.
    #[must_use]
    pub const fn rows_written(&self) -> u64 {
        self.rows_written.get()
    }

    /// The turn's random bytes.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Reads rows, one by one.
    ///
    /// # Errors
    /// When the database refuses the statement or `each` fails.
    pub fn each(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), SqlFault>,
    ) -> Result<(), SqlFault> {
        self.run(sql, params, each).map(|_| ())
    }

    /// Reads all rows of a short answer.
    ///
    /// # Errors
    /// When the database refuses the statement.
    pub fn rows(&self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, SqlFault> {
        let mut rows = Vec::new();
        self.run(sql, params, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Reads the first row, if there is one.
    ///
    /// # Errors
    /// When the database refuses the statement.
    pub fn row(&self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Row>, SqlFault> {
        Ok(self.rows(sql, params)?.into_iter().next())
    }

    /// Runs a statement that writes; the first one makes the object exist.
    ///
    /// # Errors
    /// When the database refuses the statement.
    pub fn write(&self, sql: &'static str, params: &[Param<'_>]) -> Result<(), SqlFault> {
        self.come_to_be()?;
        let written = self.run(sql, params, &mut |_| Ok(()))?;
        self.rows_written.set(self.rows_written.get() + written);
        Ok(())
    }

    /// Tells some objects something: delivered at least once, and in order for each pair of objects.
    ///
    /// # Errors
    /// When the message has no JSON form.
    pub fn tell(&mut self, to: Vec<ObjectKey>, message: &impl Serialize) -> Result<(), Fault> {
        if !to.is_empty() {
            self.effects.tells.push((to, raw(message)?));
        }
        Ok(())
    }

    /// Tells some objects something that may be lost: delivered at most once, in no order, and never stored on the way.
    ///
    /// # Errors
    /// When the message has no JSON form.
    pub fn hint(&mut self, to: Vec<ObjectKey>, message: &impl Serialize) -> Result<(), Fault> {
        if !to.is_empty() {
            self.effects.hints.push((to, raw(message)?));
        }
        Ok(())
    }

    /// Wakes whoever watches this object and has seen less than `version`.
    pub const fn wake(&mut self, version: u64) {
        self.effects.wake = Some(version);
    }

    /// Starts a workflow: the host runs it beside the shard once the turn's writes are durable. It may be lost when the host
    /// stops, so an object that needs it done sets a timer that starts it again.
    ///
    /// # Errors
    /// When the description has no JSON form.
    pub fn start(&mut self, workflow: &impl Serialize) -> Result<(), Fault> {
        self.effects.started.push(raw(workflow)?);
        Ok(())
    }

    /// Sets the timer `name` of this object to ring at `due`, instead of when it would have.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_timer(&mut self, name: &'static str, due: Timestamp) -> Result<(), SqlFault> {
        self.effects.timers_changed = true;
        self.write(timers::SET, &[Param::Text(name), Param::number(due.0)])
    }

    /// Stops the timer `name`, if it is set.
    ///
    /// # Errors
    /// When the database fails.
    pub fn stop_timer(&mut self, name: &str) -> Result<(), SqlFault> {
        self.effects.timers_changed = true;
        self.write(timers::STOP, &[Param::Text(name)])
    }

    fn come_to_be(&self) -> Result<(), SqlFault> {
        if self.exists.replace(true) {
            return Ok(());
        }
        let params = [
            Param::Integer(self.key.kind().number()),
            Param::Text(self.key.name()),
        ];
        let written = self.run(
            "INSERT INTO objects (object, kind, name) VALUES (?1, ?2, ?3)",
            &params,
            &mut |_| Ok(()),
        )?;
        self.rows_written.set(self.rows_written.get() + written);
        Ok(())
    }

    fn run(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), SqlFault>,
    ) -> Result<u64, SqlFault> {
        let mut all = Vec::with_capacity(params.len() + 1);
        all.push(Param::Integer(self.number));
        all.extend_from_slice(params);
        crate::check_statement(sql, &all)?;
        self.sql.run(sql, &all, each)
    }
}

fn raw(message: &impl Serialize) -> Result<Box<RawValue>, Fault> {
    serde_json::value::to_raw_value(message)
        .map_err(|error| Fault::corrupt(format!("a message without JSON form: {error}")))
}
