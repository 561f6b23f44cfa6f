//! The second simulator: many servers that share a room, some of them hostile, over a network that delays, loses, repeats
//! and reorders, and parts and heals.
//!
//! A run is a [`Plan`], drawn from a seed. Honest servers are the product's own room objects over databases in memory
//! ([`crate::Server`]); they die and start anew at any turn. Hostile ones have real keys and send what they like. The
//! asking side of federation is `driver`. Beside them all stands `reference`, which computes every state naively.
//!
//! At the end everything is delivered, and then: the state before each event is the naive one, at every server; servers
//! with the same events have the same state; what the rules refuse is shown to nobody and is in no state; what failed
//! softly is shown to nobody and is no extremity; the counts of members are those of the state; nothing waits for what is
//! here; timelines lost and repeated nothing; and a restart changes nothing.

mod acts;
mod checks;
mod driver;
mod finish;
mod host;
mod network;
mod plan;
mod ports;
mod reference;
mod villain;
mod watch;
mod world;

pub use plan::Plan;
