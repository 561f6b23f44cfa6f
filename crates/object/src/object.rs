//! What an object is to the turn loop.

use std::any::Any;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::{Failure, Fault, Kind, Migration, Refusal, Sql, SqlFault, Tracked, Turn};

/// One kind of object. The value that implements this holds what all objects of the kind share: settings and keys.
///
/// An object's data lie in its rows. Its memory is a cache of them, made by [`Object::load`], plus what may be lost at any
/// time; the turn loop drops it when it likes and after every failed turn that wrote or changed something.
pub trait Object: 'static {
    /// What kind it is.
    const KIND: Kind;
    /// What one object keeps in memory between turns.
    type Memory: 'static;
    /// What the object can be asked and told, as JSON.
    type Command: DeserializeOwned;

    /// The schema of this kind's tables, step by step. Every table's key starts with `object INTEGER`.
    fn schema(&self) -> &'static [Migration];

    /// Makes the memory of an object from its rows; for an object that does not exist, the memory of an empty one.
    ///
    /// # Errors
    /// When the database fails or its rows make no sense.
    fn load(&self, turn: &Turn<'_>) -> Result<Self::Memory, Fault>;

    /// Handles one command and returns the reply as JSON.
    ///
    /// Commands that were told and not asked can come more than once: handling one again changes nothing.
    ///
    /// # Errors
    /// When the object refuses, or something is broken. Nothing that the turn did remains.
    fn handle(
        &self,
        memory: &mut Tracked<Self::Memory>,
        turn: &mut Turn<'_>,
        command: Self::Command,
    ) -> Result<Vec<u8>, Failure>;

    /// Handles a timer that the object set and that has rung; it is no longer set.
    ///
    /// # Errors
    /// As for [`Object::handle`]; a timer whose handling fails rings again later.
    fn ring(
        &self,
        memory: &mut Tracked<Self::Memory>,
        turn: &mut Turn<'_>,
        timer: &str,
    ) -> Result<(), Failure> {
        let _ = (memory, turn, timer);
        Ok(())
    }

    /// The object's version for those who watch it: it rises when something happens that they wait for, and does not fall
    /// when the object is loaded anew (see [`Turn::version_floor`]).
    fn version(&self, memory: &Self::Memory) -> u64 {
        let _ = memory;
        0
    }

    /// About how many bytes the memory takes.
    fn memory_bytes(&self, memory: &Self::Memory) -> usize {
        std::mem::size_of_val(memory)
    }

    /// Reads the rows of all objects of this kind in one shard and returns what is wrong with them, a line each.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn check(&self, sql: &dyn Sql) -> Result<Vec<String>, SqlFault> {
        let _ = sql;
        Ok(Vec::new())
    }
}

/// A `Tracked<M>` whose `M` is not known here.
pub(crate) trait Memory: Any {
    fn take_changed(&mut self) -> bool;
}

impl<M: 'static> Memory for Tracked<M> {
    fn take_changed(&mut self) -> bool {
        Self::take_changed(self)
    }
}

/// An [`Object`] without its types.
pub(crate) trait Erased {
    fn schema(&self) -> &'static [Migration];
    fn load(&self, turn: &Turn<'_>) -> Result<Box<dyn Memory>, Fault>;
    fn handle(
        &self,
        memory: &mut dyn Memory,
        turn: &mut Turn<'_>,
        command: &[u8],
    ) -> Result<Vec<u8>, Failure>;
    fn ring(&self, memory: &mut dyn Memory, turn: &mut Turn<'_>, timer: &str) -> Result<(), Failure>;
    fn version(&self, memory: &mut dyn Memory) -> Result<u64, Fault>;
    fn memory_bytes(&self, memory: &mut dyn Memory) -> Result<usize, Fault>;
    fn check(&self, sql: &dyn Sql) -> Result<Vec<String>, SqlFault>;
}

struct Typed<O>(O, PhantomData<fn(O)>);

fn typed<M: 'static>(memory: &mut dyn Memory) -> Result<&mut Tracked<M>, Fault> {
    let memory: &mut dyn Any = memory;
    memory
        .downcast_mut()
        .ok_or_else(|| Fault::corrupt("memory of another kind of object"))
}

impl<O: Object> Erased for Typed<O> {
    fn schema(&self) -> &'static [Migration] {
        self.0.schema()
    }

    fn load(&self, turn: &Turn<'_>) -> Result<Box<dyn Memory>, Fault> {
        Ok(Box::new(Tracked::new(self.0.load(turn)?)))
    }

    fn handle(
        &self,
        memory: &mut dyn Memory,
        turn: &mut Turn<'_>,
        command: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let command = serde_json::from_slice(command).map_err(|error| {
            let object = turn.key();
            Refusal::new(
                "M_UNRECOGNIZED",
                format!("{object} does not understand the command: {error}"),
            )
        })?;
        self.0.handle(typed(memory)?, turn, command)
    }

    fn ring(&self, memory: &mut dyn Memory, turn: &mut Turn<'_>, timer: &str) -> Result<(), Failure> {
        self.0.ring(typed(memory)?, turn, timer)
    }

    fn version(&self, memory: &mut dyn Memory) -> Result<u64, Fault> {
        Ok(self.0.version(typed(memory)?))
    }

    fn memory_bytes(&self, memory: &mut dyn Memory) -> Result<usize, Fault> {
        Ok(self.0.memory_bytes(typed(memory)?))
    }

    fn check(&self, sql: &dyn Sql) -> Result<Vec<String>, SqlFault> {
        self.0.check(sql)
    }
}

/// The kinds of object that a shard can house.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<Kind, Box<dyn Erased>>,
}

impl Registry {
    /// A registry without kinds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind of object.
    #[must_use]
    pub fn with<O: Object>(mut self, object: O) -> Self {
        self.kinds.insert(O::KIND, Box::new(Typed(object, PhantomData)));
        self
    }

    pub(crate) fn get(&self, kind: Kind) -> Option<&dyn Erased> {
        self.kinds.get(&kind).map(AsRef::as_ref)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Kind, &dyn Erased)> {
        self.kinds.iter().map(|(kind, object)| (*kind, object.as_ref()))
    }
}
