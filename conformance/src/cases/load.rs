//! Too much at once is refused, not lost.

use super::{add, json, must, probe, sum};
use crate::HostUnderTest;
use crate::probe::{Ending, Sum};

/// What was answered was done, what was sent back was not, and afterwards all is well.
pub(super) fn too_many_questions_are_told_to_come_back(host: &dyn HostUnderTest) {
    let count = 4 * host.questions_max();
    must::<Sum>(host, "busy", &add(0, Ending::Reply));
    let flood = host.flood(&probe("busy"), json(&add(1, Ending::Reply)), count);
    let flood = flood.expect("the host is reached");
    assert_eq!(flood.failed, 0);
    assert_eq!(flood.answered + flood.overloaded, count as u64);
    assert!(flood.overloaded > 0 && flood.answered > 0, "{flood:?}");
    let done = sum(host, "busy");
    assert_eq!(done.stored.unsigned_abs(), flood.answered);
    assert_eq!(done.remembered, done.stored);
}
