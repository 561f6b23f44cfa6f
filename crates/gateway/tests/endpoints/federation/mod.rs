//! What other servers may do here: each test is a server with a real key of its own.

mod authentication;
mod edus;
mod handshakes;
mod invites;
mod keys;
mod peer;
mod reading;
mod transactions;
