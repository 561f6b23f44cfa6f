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
mod shrink;
mod syncing;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use plan::Plan;
pub use shrink::shrink;
use world::World;

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// A hash of all requests and replies: two runs of one plan have the same.
    pub trace: u64,
    /// What was wrong, with the index of the step that showed it.
    pub failure: Option<(usize, String)>,
}

/// Plays a plan to its end, or to the first thing that is wrong.
#[must_use]
pub fn run(plan: &Plan) -> Verdict {
    let mut world = World::new(plan);
    let mut at = 0;
    let played = catch_unwind(AssertUnwindSafe(|| {
        for (index, step) in plan.steps.iter().enumerate() {
            at = index;
            world.step(step)?;
        }
        at = plan.steps.len();
        world.finish()
    }));
    let failure = match played {
        Ok(Ok(())) => None,
        Ok(Err(wrong)) => Some((at, wrong)),
        Err(panic) => Some((at, said(panic.as_ref()))),
    };
    Verdict {
        trace: world.trace.value(),
        failure,
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    format!("panicked: {}", text.unwrap_or_default())
}
