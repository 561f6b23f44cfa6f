//! What a very large room costs, in time and bytes: `cargo bench -p selvage-room --bench large_room -- --help`.
//!
//! Nothing fails here but what does not work: budgets that can be counted are asserted by tests (`tests/budgets`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a tool of developers that may fail as tests do"
)]

mod clock;
mod disk;
#[path = "../../../event/tests/oracle/pdu.rs"]
mod pdu;
mod resolution;
mod room;
mod storage;

/// What is measured.
#[derive(Clone, Copy)]
struct Size {
    members: usize,
    events: usize,
    differing: usize,
    rounds: usize,
}

const USAGE: &str = "options, each with a number:
  --members    members of the room (100000)
  --events     events of the room (1000000)
  --differing  state events in which forks differ (100)
  --rounds     how often resolution is measured (5)";

fn main() {
    let mut size = Size {
        members: 100_000,
        events: 1_000_000,
        differing: 100,
        rounds: 5,
    };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(option) = arguments.next() {
        let number = arguments.next().and_then(|number| number.parse().ok());
        let Some(number) = number else {
            println!("{USAGE}");
            return;
        };
        match option.as_str() {
            "--members" => size.members = number,
            "--events" => size.events = number,
            "--differing" => size.differing = number,
            "--rounds" => size.rounds = number,
            _ => {
                println!("{USAGE}");
                return;
            }
        }
    }
    resolution::measure(size);
    storage::measure(size);
}
