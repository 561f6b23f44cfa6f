//! What objects start: workflows, as data. The object that starts one is what it is about.

use serde::{Deserialize, Serialize};

/// A workflow. It may be lost before it runs, and may run twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// Started by a destination: sends the server what waits for it.
    Deliver {},
    /// Started by a room: asks other servers for the events that it waits for.
    FillGaps {},
}
