//! A turn happens whole or not at all.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{add, ask, insist, json, log, must, probe, refusal, sum};
use crate::probe::{Command, Ending, Instant, Sum};
use crate::{HostUnderTest, NoAnswer};

const FAILURES: [Ending; 4] = [Ending::Refusal, Ending::Fault, Ending::SqlFault, Ending::Panic];

const fn both(sum: i64) -> Sum {
    Sum {
        stored: sum,
        remembered: sum,
    }
}

/// Neither in storage nor in memory, whatever the failure; and the shard goes on.
pub(super) fn failed_turns_leave_nothing(host: &dyn HostUnderTest) {
    must::<Sum>(host, "sum", &add(5, Ending::Reply));
    for (failed, ending) in (1..).zip(FAILURES) {
        let answer = ask::<Value>(host, "sum", &add(100, ending));
        match ending {
            Ending::Refusal => assert_eq!(refusal(answer).errcode, "M_FORBIDDEN"),
            _ => assert!(
                matches!(answer, Err(NoAnswer::Unavailable(_))),
                "{ending:?}: {answer:?}"
            ),
        }
        assert_eq!(sum(host, "sum"), both(4 + failed), "{ending:?}");
        assert_eq!(must::<Sum>(host, "sum", &add(1, Ending::Reply)), both(5 + failed));
    }
    host.crash();
    assert_eq!(sum(host, "sum"), both(9));
}

/// What a failed turn told is not told, and its numbers are given again.
pub(super) fn failed_turns_tell_nobody(host: &dyn HostUnderTest) {
    let tell = |ending| Command::Tell {
        to: vec!["listener".to_owned()],
        count: 1,
        ending,
    };
    must::<Sum>(host, "teller", &add(1, Ending::Reply));
    for ending in FAILURES {
        ask::<Value>(host, "teller", &tell(ending)).expect_err("a turn that fails");
    }
    assert_eq!(insist::<u64>(host, "teller", &tell(Ending::Reply)), 1);
    let heard = super::until("the listener heard", || {
        Some(log(host, "listener", "teller").numbers).filter(|numbers| !numbers.is_empty())
    });
    assert_eq!(heard, [1]);
}

/// An object whose first turn fails does not come to be.
pub(super) fn failed_first_turns_leave_no_object(host: &dyn HostUnderTest) {
    for ending in FAILURES {
        let name = format!("unborn {ending:?}");
        ask::<Value>(host, &name, &add(1, ending)).expect_err("a turn that fails");
        assert_eq!(sum(host, &name), both(0));
        assert_eq!(must::<Sum>(host, &name, &add(2, Ending::Reply)), both(2));
        assert_eq!(sum(host, &name), both(2));
    }
}

/// An answer means that the writes before it are durable.
pub(super) fn what_was_answered_survives_a_crash(host: &dyn HostUnderTest) {
    for round in 1..=5 {
        assert_eq!(must::<Sum>(host, "sum", &add(1, Ending::Reply)), both(round));
        host.crash();
        assert_eq!(sum(host, "sum"), both(round));
    }
}

/// Memory is made again from rows.
pub(super) fn what_was_answered_survives_an_eviction(host: &dyn HostUnderTest) {
    for round in 1..=5 {
        assert_eq!(must::<Sum>(host, "sum", &add(1, Ending::Reply)), both(round));
        host.evict(&probe("sum"));
        assert_eq!(sum(host, "sum"), both(round));
    }
}

/// Time does not run back from turn to turn, and no two turns draw the same.
pub(super) fn turns_see_time_and_chance(host: &dyn HostUnderTest) {
    let instants: Vec<Instant> = (0..20).map(|_| must(host, "clock", &Command::Instant)).collect();
    assert!(
        instants.is_sorted_by_key(|instant| instant.now_ms),
        "{instants:?}"
    );
    // 2026-01-01, in milliseconds.
    assert!(
        instants.iter().all(|instant| instant.now_ms > 1_767_225_600_000),
        "{instants:?}"
    );
    let letters: BTreeSet<_> = instants.iter().map(|instant| &instant.letters).collect();
    assert_eq!(letters.len(), instants.len());
}

/// With the Matrix error code for it.
pub(super) fn commands_that_nobody_understands_are_refused(host: &dyn HostUnderTest) {
    for command in [json(&"Dance"), json(&Value::Null), b"{".to_vec(), Vec::new()] {
        match host.ask(&probe("polite"), command.clone()) {
            Err(NoAnswer::Refused(refusal)) => assert_eq!(refusal.errcode, "M_UNRECOGNIZED"),
            other => panic!("{command:?}: {other:?}"),
        }
    }
}

/// A row without further indexes counts as one.
pub(super) fn written_rows_are_counted(host: &dyn HostUnderTest) {
    for rows in [1, 50] {
        let name = format!("{rows} rows");
        assert_eq!(must::<i64>(host, &name, &Command::AddRows { rows }), rows);
    }
}
