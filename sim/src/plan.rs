//! What all simulators share: a run is a plan of steps, drawn from a seed before it begins, and ends with a verdict.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A run that can be played again, with fewer steps too.
pub trait Plan: Clone {
    /// The plan that a seed determines.
    fn of(seed: u64) -> Self;

    /// Plays the plan to its end, or to the first thing that is wrong.
    fn run(&self) -> Verdict;

    /// How many steps there are.
    fn len(&self) -> usize;

    /// Whether there is nothing to do.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The plan without some steps.
    #[must_use]
    fn without(&self, steps: std::ops::Range<usize>) -> Self;

    /// Smaller plans that differ in other things than steps, the smallest first.
    #[must_use]
    fn simpler(&self) -> Vec<Self> {
        Vec::new()
    }

    /// What the plan does, a line each.
    fn lines(&self) -> Vec<String>;
}

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// A hash of all that happened: two runs of one plan have the same.
    pub trace: u64,
    /// What was wrong, with the index of the step that showed it.
    pub failure: Option<(usize, String)>,
}

/// What a run may find wrong, in words.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// Does each step and then the end; a panic is what is wrong too. The index of a failure at the end is the number of steps.
pub(crate) fn play<W, S>(
    world: &mut W,
    steps: &[S],
    step: impl Fn(&mut W, &S) -> Checked,
    finish: impl Fn(&mut W) -> Checked,
) -> Option<(usize, String)> {
    let mut at = 0;
    let played = catch_unwind(AssertUnwindSafe(|| {
        for (index, next) in steps.iter().enumerate() {
            at = index;
            step(world, next)?;
        }
        at = steps.len();
        finish(world)
    }));
    match played {
        Ok(Ok(())) => None,
        Ok(Err(wrong)) => Some((at, wrong)),
        Err(panic) => Some((at, said(panic.as_ref()))),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    format!("panicked: {}", text.unwrap_or_default())
}
