//! Timers ring once, not before their time, and after a crash all the same.

use std::collections::BTreeMap;

use super::{insist, must, until};
use crate::HostUnderTest;
use crate::probe::{Command, Ending};

fn set(host: &dyn HostUnderTest, name: &str, timer: &str, in_ms: u64) {
    let timer = timer.to_owned();
    // Where panics end more than the turn, one may be due to another's.
    insist::<()>(host, name, &Command::SetTimer { timer, in_ms });
}

fn rings(host: &dyn HostUnderTest, name: &str, timer: &str) -> i64 {
    let rings: BTreeMap<String, i64> = insist(host, name, &Command::Rings);
    rings.get(timer).copied().unwrap_or_default()
}

fn rung(host: &dyn HostUnderTest, name: &str, timer: &str) {
    until(&format!("{timer} of {name} rings"), || {
        (rings(host, name, timer) > 0).then_some(())
    });
    assert_eq!(rings(host, name, timer), 1, "{timer} of {name}");
}

/// Each of several, of several objects.
pub(super) fn timers_ring_once(host: &dyn HostUnderTest) {
    let timers = [
        ("a", "first", 50),
        ("a", "second", 400),
        ("b", "first", 0),
        ("c", "third", 200),
    ];
    for (name, timer, in_ms) in timers {
        set(host, name, timer, in_ms);
    }
    for (name, timer, _) in timers {
        rung(host, name, timer);
    }
    // Once the last has rung, none of the others has rung again.
    for (name, timer, _) in timers {
        assert_eq!(rings(host, name, timer), 1, "{timer} of {name}");
    }
}

/// A timer that is set again rings at its new time only.
pub(super) fn timers_can_be_moved_and_stopped(host: &dyn HostUnderTest) {
    let far_ms = 24 * 60 * 60 * 1_000;
    set(host, "mover", "first", far_ms);
    set(host, "mover", "first", 100);
    set(host, "mover", "second", 100);
    set(host, "mover", "second", far_ms);
    set(host, "mover", "third", 100);
    must::<()>(
        host,
        "mover",
        &Command::StopTimer {
            timer: "third".to_owned(),
        },
    );
    set(host, "witness", "first", 300);
    rung(host, "mover", "first");
    rung(host, "witness", "first");
    assert_eq!(rings(host, "mover", "second"), 0);
    assert_eq!(rings(host, "mover", "third"), 0);
}

/// Whether their time comes before, during or after it.
pub(super) fn timers_survive_crashes(host: &dyn HostUnderTest) {
    for (timer, in_ms) in [("first", 0), ("second", 30), ("third", 1_500)] {
        set(host, "sleeper", timer, in_ms);
    }
    host.crash();
    host.crash();
    for timer in ["first", "second", "third"] {
        rung(host, "sleeper", timer);
    }
}

/// It is put off, and they ring.
pub(super) fn a_timer_that_fails_does_not_stop_the_others(host: &dyn HostUnderTest) {
    for ending in [Ending::Refusal, Ending::Fault, Ending::SqlFault, Ending::Panic] {
        let (bad, good) = (format!("bad {ending:?}"), format!("good {ending:?}"));
        must::<()>(host, &bad, &Command::Trouble { ending });
        set(host, &bad, "first", 0);
        set(host, &good, "first", 100);
        rung(host, &good, "first");
        assert_eq!(rings(host, &bad, "first"), 0, "{ending:?}");
    }
}
