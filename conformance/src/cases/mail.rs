//! Tells arrive at least once and in order, and receivers see each once; hints arrive mostly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{add, ask, insist, log, must, until};
use crate::HostUnderTest;
use crate::probe::{Command, Ending, Log, Sum};

fn tell(to: &[&str], count: u64) -> Command {
    Command::Tell {
        to: to.iter().map(ToString::to_string).collect(),
        count,
        ending: Ending::Reply,
    }
}

/// Waits until `name` has heard so many numbers of `from`, and checks that they are all, once and in order.
///
/// It looks at the teller as well: a host that lost it in a crash may need a reason to open it again.
fn heard(host: &dyn HostUnderTest, name: &str, from: &str, last: u64) -> Log {
    let heard = until(&format!("{name} hears {last} of {from}"), || {
        insist::<u64>(host, from, &Command::Version);
        Some(log(host, name, from)).filter(|log| log.numbers.last().is_some_and(|number| *number >= last))
    });
    let expected: Vec<u64> = (1..=last).collect();
    assert_eq!(heard.numbers, expected, "{name} of {from}");
    heard
}

/// From each of several tellers to each of several receivers.
pub(super) fn tells_arrive_once_and_in_order(host: &dyn HostUnderTest) {
    let names = ["a", "b", "c", "d"];
    for round in 1..=10 {
        for from in names {
            assert_eq!(must::<u64>(host, from, &tell(&names[..3], 10)), round * 10);
        }
    }
    for from in names {
        for name in &names[..3] {
            let log = heard(host, name, from, 100);
            assert_eq!(log.repeated, 0, "nothing failed, so nothing comes again");
        }
        assert_eq!(log(host, "d", from).numbers, [0; 0]);
    }
}

/// As they tell others.
pub(super) fn objects_can_tell_themselves(host: &dyn HostUnderTest) {
    must::<u64>(host, "self", &tell(&["self", "other"], 3));
    heard(host, "self", "self", 3);
    heard(host, "other", "self", 3);
}

/// Crashes come at any moment of the way from a turn's commit to the acknowledgement of its tells.
pub(super) fn tells_survive_crashes(host: &dyn HostUnderTest) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // Whether it was done or not shows in the numbers later.
                let _ = ask::<u64>(host, "teller", &tell(&["x", "y", "z"], 2));
            }
        });
        for crash in 0..12 {
            // From no time at all to long enough for some deliveries.
            thread::sleep(Duration::from_millis(crash * 13));
            host.crash();
        }
        over.store(true, Ordering::Relaxed);
    });
    let last = insist::<u64>(host, "teller", &tell(&["x", "y", "z"], 1));
    for name in ["x", "y", "z"] {
        heard(host, name, "teller", last);
    }
}

/// However they fail; and what was told later waits behind.
pub(super) fn tells_wait_for_receivers_that_fail(host: &dyn HostUnderTest) {
    for ending in [Ending::Fault, Ending::SqlFault, Ending::Panic] {
        let (name, from) = (format!("deaf {ending:?}"), format!("teller {ending:?}"));
        must::<Sum>(host, &from, &add(1, Ending::Reply));
        must::<()>(host, &name, &Command::Trouble { ending });
        for _ in 0..2 {
            // Where panics end more than the turn, the answer can be lost; the tells are not.
            let _ = ask::<u64>(host, &from, &tell(&[&name], 2));
        }
        let last = insist::<u64>(host, &from, &tell(&[&name], 1));
        assert_eq!(log(host, &name, &from), Log::default(), "{ending:?}");
        insist::<()>(
            host,
            &name,
            &Command::Trouble {
                ending: Ending::Reply,
            },
        );
        heard(host, &name, &from, last);
    }
}

/// A refusal is an answer: the tell does not come again, and the next one does.
pub(super) fn tells_that_are_refused_are_over(host: &dyn HostUnderTest) {
    let trouble = |ending| must::<()>(host, "proud", &Command::Trouble { ending });
    trouble(Ending::Refusal);
    must::<u64>(host, "teller", &tell(&["proud", "witness"], 3));
    heard(host, "witness", "teller", 3);
    // Once a tell after it has arrived at the same receiver, the first ones are over.
    must::<u64>(host, "teller", &tell(&["witness"], 1));
    heard(host, "witness", "teller", 4);
    trouble(Ending::Reply);
    must::<u64>(host, "teller", &tell(&["proud"], 1));
    let heard = until("the proud one hears", || {
        Some(log(host, "proud", "teller").numbers).filter(|numbers| !numbers.is_empty())
    });
    assert_eq!(heard, [5]);
}

/// In a host without faults they all do.
pub(super) fn hints_arrive(host: &dyn HostUnderTest) {
    let to = vec!["here".to_owned(), "there".to_owned()];
    must::<Value>(host, "whisperer", &Command::Hint { to });
    for name in ["here", "there"] {
        until("the hint arrives", || {
            (must::<u64>(host, name, &Command::Version) == 1).then_some(())
        });
    }
}
