//! The simulator: clients of a server, played step by step beside a reference model.
//!
//! A run is a [`Plan`], drawn from a seed, and is judged after each step and at its end: each request is answered as the
//! rules say; what was acknowledged arrives once, in one order, at every device of everybody entitled to it; nobody is
//! shown what history visibility or leaving hides; crashes lose nothing that was acknowledged and repeat nothing; the
//! outboxes drain; and a restart changes nothing.

mod device;
mod finish;
mod model;
mod ops;
mod plan;
mod rules;
mod syncing;
mod world;

pub use plan::Plan;
