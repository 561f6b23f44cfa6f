//! Why a workflow did not do what a user asked for.

use selvage_event::ServerName;
use selvage_object::Refusal;
use selvage_protocol::errcode;

use crate::{AskError, RemoteError};

/// Why a workflow did not do what a user asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    /// An object of this server refused, or could not be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Another server did not do its part.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl WorkflowError {
    /// Refused here, with an error code for the client.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::Ask(AskError::Refused(Refusal::new(code, message)))
    }

    /// There is no server to ask.
    pub(crate) fn nobody() -> Self {
        Self::refused(errcode::NOT_HERE, "no server is known that is in this room")
    }

    /// Another server's answer makes no sense.
    pub(crate) fn misbehaved(server: &ServerName, why: impl std::fmt::Display) -> Self {
        Self::Remote(RemoteError::Misbehaved(format!("{server}: {why}")))
    }

    /// How much it tells the user, so that of several the one is told that tells most: a server that knows the room and says
    /// no tells more than one that is not there.
    pub(crate) const fn weight(&self) -> u8 {
        match self {
            Self::Ask(_) => 4,
            Self::Remote(RemoteError::Refused { status, .. }) if *status < 500 && *status != 404 => 3,
            Self::Remote(RemoteError::Refused { .. }) => 2,
            Self::Remote(RemoteError::Misbehaved(_)) => 1,
            Self::Remote(RemoteError::Unreachable(_) | RemoteError::Unsupported(_)) => 0,
        }
    }
}
