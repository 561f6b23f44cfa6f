//! Scenarios of the user object, over real shards.

mod account;
mod account_data;
mod devices;
mod fixture;
mod log;
mod transitions;
mod typing;
