//! An object's memory, which tells whether a turn changed it.

use std::ops::Deref;

/// What an object keeps in memory between turns: a cache of its rows, and what is allowed to be lost.
///
/// Reading goes through `Deref`; every change goes through [`Tracked::change`], which is how the turn loop knows that a
/// failed turn left memory other than storage, and drops it. The next turn loads it anew.
#[derive(Debug)]
pub struct Tracked<M> {
    memory: M,
    changed: bool,
}

impl<M> Tracked<M> {
    pub(crate) const fn new(memory: M) -> Self {
        Self {
            memory,
            changed: false,
        }
    }

    /// The memory, to be changed in step with this turn's writes.
    pub const fn change(&mut self) -> &mut M {
        self.changed = true;
        &mut self.memory
    }

    /// Whether a change was made since the last call.
    pub(crate) const fn take_changed(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }
}

impl<M> Deref for Tracked<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.memory
    }
}
