//! Making a failing run small.

use super::{Plan, Verdict, run};

/// The most runs that shrinking takes.
const RUNS_MAX: usize = 3_000;

/// Leaves out as many steps as it can while the run still fails, and returns what is left with its verdict.
#[must_use]
pub fn shrink(plan: &Plan) -> (Plan, Verdict) {
    let mut smallest = plan.clone();
    let mut verdict = run(plan);
    if let Some((at, _)) = verdict.failure {
        smallest.steps.truncate(at + 1);
    }
    let mut runs = 0;
    let mut chunk = smallest.steps.len().div_ceil(2);
    while chunk > 0 && runs < RUNS_MAX {
        let before = smallest.steps.len();
        let mut start = 0;
        while start < smallest.steps.len() && runs < RUNS_MAX {
            let mut fewer = smallest.clone();
            let end = (start + chunk).min(fewer.steps.len());
            fewer.steps.drain(start..end);
            runs += 1;
            let judged = run(&fewer);
            if judged.failure.is_some() {
                (smallest, verdict) = (fewer, judged);
            } else {
                start += chunk;
            }
        }
        if chunk > 1 || smallest.steps.len() == before {
            chunk /= 2;
        }
    }
    (smallest, verdict)
}
