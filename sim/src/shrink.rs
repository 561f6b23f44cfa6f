//! Making a failing run small.

use crate::plan::{Plan, Verdict};

/// The most runs that shrinking takes.
const RUNS_MAX: usize = 3_000;

/// Leaves out as many steps as it can while the run still fails, and returns what is left with its verdict.
#[must_use]
pub fn shrink<P: Plan>(plan: &P) -> (P, Verdict) {
    let verdict = plan.run();
    let mut search = Search {
        smallest: plan.clone(),
        verdict,
        runs: 0,
    };
    if let Some((at, _)) = search.verdict.failure
        && at + 1 < plan.len()
    {
        search.smallest = plan.without(at + 1..plan.len());
    }
    search.steps();
    while search.simplify() {
        search.steps();
    }
    (search.smallest, search.verdict)
}

/// The smallest plan so far that fails.
struct Search<P> {
    smallest: P,
    verdict: Verdict,
    runs: usize,
}

impl<P: Plan> Search<P> {
    /// Takes a smaller plan, if it fails too.
    fn take(&mut self, smaller: P) -> bool {
        self.runs += 1;
        let judged = smaller.run();
        let fails = judged.failure.is_some();
        if fails {
            (self.smallest, self.verdict) = (smaller, judged);
        }
        fails
    }

    fn steps(&mut self) {
        let mut chunk = self.smallest.len().div_ceil(2);
        while chunk > 0 && self.runs < RUNS_MAX {
            let before = self.smallest.len();
            let mut start = 0;
            while start < self.smallest.len() && self.runs < RUNS_MAX {
                let end = (start + chunk).min(self.smallest.len());
                let fewer = self.smallest.without(start..end);
                if !self.take(fewer) {
                    start += chunk;
                }
            }
            if chunk > 1 || self.smallest.len() == before {
                chunk /= 2;
            }
        }
    }

    /// Takes the first simpler plan that fails too.
    fn simplify(&mut self) -> bool {
        let simpler = self.smallest.simpler();
        self.runs < RUNS_MAX && simpler.into_iter().any(|plan| self.take(plan))
    }
}
