//! What a probe can be asked and told.

use serde::{Deserialize, Serialize};

/// A value to be stored and read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Datum {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
    /// A blob, as base64.
    Blob(String),
}

/// How a turn ends that has written something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// With a reply.
    Reply,
    /// With a refusal.
    Refusal,
    /// With a fault of stored data.
    Fault,
    /// With a statement that the database refuses.
    SqlFault,
    /// With a panic.
    Panic,
}

/// What a turn uses up, with more than itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    /// The stack.
    Stack,
    /// The memory.
    Memory,
}

/// A command for a probe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Stores a value under a name.
    Put {
        /// The name.
        slot: String,
        /// The value.
        value: Datum,
    },
    /// Stores a text, or a blob, of one byte repeated.
    PutLong {
        /// The name.
        slot: String,
        /// How many bytes.
        bytes: usize,
        /// Whether it is a text.
        text: bool,
    },
    /// Reads a value: a [`Datum`], or null.
    Get {
        /// The name.
        slot: String,
    },
    /// Reads a value's length in bytes and its SHA-256 in base64: a [`Digest`].
    GetDigest {
        /// The name.
        slot: String,
    },
    /// Runs a statement of [`super::STATEMENTS`] by its name; replies how many rows it gave.
    Run {
        /// The statement's name.
        statement: String,
    },
    /// Binds so many parameters.
    Bind {
        /// How many.
        parameters: usize,
    },
    /// Adds to a sum in storage and in memory, tells nobody, and ends so; replies a [`Sum`].
    Add {
        /// How much.
        amount: i64,
        /// How the turn ends.
        ending: Ending,
    },
    /// Adds to the sum as [`Command::Add`] does, and then uses all of this up. For hosts that outlive it.
    Exhaust {
        /// What.
        resource: Resource,
    },
    /// Adds as many rows as asked; replies how many rows the host says were written.
    AddRows {
        /// How many.
        rows: i64,
    },
    /// Reads the [`Sum`].
    Sum,
    /// Replies the turn's time and some of its random letters: an [`Instant`].
    Instant,
    /// Tells some probes the next numbers of this one; replies the last of them.
    Tell {
        /// The names of the probes.
        to: Vec<String>,
        /// How many numbers.
        count: u64,
        /// How the turn ends.
        ending: Ending,
    },
    /// What [`Command::Tell`] tells.
    Told {
        /// Who tells.
        from: String,
        /// The number.
        number: u64,
    },
    /// What this probe was told by another: a [`Log`].
    Log {
        /// The name of the probe that told.
        from: String,
    },
    /// How turns that were told something, or rung, end from now on.
    Trouble {
        /// How.
        ending: Ending,
    },
    /// Hints to some probes that they may raise their version.
    Hint {
        /// The names of the probes.
        to: Vec<String>,
    },
    /// Raises the version and wakes who watches; replies the version.
    Raise,
    /// Reads the version.
    Version,
    /// Sets a timer of [`super::TIMERS`] to ring so many milliseconds from now.
    SetTimer {
        /// The timer's name.
        timer: String,
        /// How many milliseconds from now.
        in_ms: u64,
    },
    /// Stops a timer.
    StopTimer {
        /// The timer's name.
        timer: String,
    },
    /// How often each timer has rung: pairs of name and number, by name.
    Rings,
    /// How often this was asked since the probe came into memory; starts with one.
    Age,
    /// Claims to take so much memory that others have to leave it.
    Weigh {
        /// How many bytes.
        bytes: usize,
    },
}

/// Length and hash of a stored value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The length in bytes.
    pub bytes: usize,
    /// The SHA-256, base64.
    pub sha256: String,
}

/// A sum that a probe keeps twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// As stored.
    pub stored: i64,
    /// As remembered.
    pub remembered: i64,
}

/// What a turn sees of time and chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instant {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Twenty letters.
    pub letters: String,
}

/// What a probe was told by another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The numbers, in the order in which each came first.
    pub numbers: Vec<u64>,
    /// How many came again.
    pub repeated: u64,
}
