//! What can go wrong in a turn, sorted by who must act.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::SqlFault;

/// The object understood the command and says no. Whoever sent the command must change it or live with the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{errcode}: {message}")]
pub struct Refusal {
    /// The Matrix error code (`M_FORBIDDEN`, …), which the gateway turns into an HTTP status.
    pub errcode: Cow<'static, str>,
    /// A sentence for the person or the program at the other end.
    pub message: String,
    /// When to try again, in milliseconds from now, where waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal that waiting does not mend.
    pub fn new(errcode: &'static str, message: impl Into<String>) -> Self {
        Self {
            errcode: Cow::Borrowed(errcode),
            message: message.into(),
            retry_after_ms: None,
        }
    }

    /// A refusal that ends after `retry_after_ms` milliseconds.
    #[must_use]
    pub fn retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }
}

/// Something is broken that the sender of the command cannot mend: the operator must act, or we must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The database refused or failed.
    #[error(transparent)]
    Sql(#[from] SqlFault),
    /// What storage holds does not make sense.
    #[error("stored data are damaged: {0}")]
    Corrupt(String),
    /// The turn panicked or an assertion failed. Its writes and its changes in memory are undone.
    #[error("the turn panicked: {0}")]
    Panicked(String),
    /// The shard holds as much undelivered work as it may ([`crate::OUTBOX_ROWS_MAX`]).
    #[error("too much undelivered work")]
    Backlog,
}

impl Fault {
    /// A fault of stored data.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}

/// Why a command was not carried out. Whichever it is, the turn's writes and changes in memory are undone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The object says no.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// Something is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<SqlFault> for Failure {
    fn from(fault: SqlFault) -> Self {
        Self::Fault(Fault::Sql(fault))
    }
}
