//! What a driver lets the suite do to its host.

use selvage_object::{ObjectKey, Refusal};
use serde::{Deserialize, Serialize};

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The object says no.
    Refused(Refusal),
    /// The shard, or the host, has more waiting than it may; nothing was done.
    Overloaded {
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// The turn failed, or the host could not be reached: what was asked may or may not have been done.
    Unavailable(String),
}

/// What a question brings.
pub type Answer = Result<Vec<u8>, NoAnswer>;

/// What came of many questions at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flood {
    /// How many were answered.
    pub answered: u64,
    /// How many were told to come back later, each with a time.
    pub overloaded: u64,
    /// How many failed otherwise.
    pub failed: u64,
}

/// A host with probes, under test. Calls block, and come from several threads at once.
pub trait HostUnderTest: Sync {
    /// Gives a command to an object.
    ///
    /// # Errors
    /// When it is not carried out.
    fn ask(&self, to: &ObjectKey, command: Vec<u8>) -> Answer;

    /// Gives a command to an object so many times at once.
    ///
    /// # Errors
    /// When the host cannot do that.
    fn flood(&self, to: &ObjectKey, command: Vec<u8>, count: usize) -> Result<Flood, NoAnswer>;

    /// Waits until the object's version is above `seen`, or for so many milliseconds.
    ///
    /// # Errors
    /// When the host cannot wait.
    fn wait(&self, of: &ObjectKey, seen: u64, timeout_ms: u64) -> Result<(), NoAnswer>;

    /// Ends the host in an instant, whatever it is doing, and starts it again over the same data.
    fn crash(&self);

    /// Takes the object out of memory, as hosts do when they like; watches stay.
    fn evict(&self, of: &ObjectKey);

    /// How many unanswered questions one shard may have.
    fn questions_max(&self) -> usize;
}
