//! What an event is that is kept and not in the timeline.

use selvage_object::Fault;

/// Why an event is not in the timeline. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Its place in the graph is not known: it came as part of a state or an auth chain.
    Outlier = 1,
    /// It was allowed where it stands and refused by the current state. Shown to nobody, no forward extremity; what
    /// follows it counts with it (spec: server-server-api §soft-failure).
    SoftFailed = 2,
    /// It was refused by its auth events or the state before it. It changes no state and authorises nothing
    /// (spec: server-server-api §rejection).
    Rejected = 3,
}

impl Status {
    /// The status of a stored number.
    pub(crate) fn of(number: i64) -> Result<Self, Fault> {
        match number {
            1 => Ok(Self::Outlier),
            2 => Ok(Self::SoftFailed),
            3 => Ok(Self::Rejected),
            other => Err(Fault::corrupt(format!("a status {other}"))),
        }
    }
}
