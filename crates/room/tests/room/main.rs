//! Scenarios of the room object, over real shards.

mod attacks;
mod create;
mod fixture;
mod history;
mod membership;
mod messages;
mod profile;
mod receipts;
mod redaction;
mod rows;
mod send;
mod slices;
mod state_of_slices;
mod txns;
mod typing;
