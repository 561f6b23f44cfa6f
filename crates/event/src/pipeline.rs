//! The one way in for events, as types. See the crate's page for the picture.
//!
//! spec: `server-server-api §Checks performed on receipt of a PDU`

mod checked;
mod received;
mod steps;
#[cfg(test)]
mod tests;

pub use checked::CheckedEvent;
pub use received::ReceivedEvent;
pub use steps::{
    AuthorisedEvent, ChainAuthorised, ChainError, HistoricalEvent, Outcome, OutlierEvent, RejectedEvent,
    SoftFailedEvent, Stage, StateAuthorised, Unwanted, authorise, authorise_at_extremities,
};
