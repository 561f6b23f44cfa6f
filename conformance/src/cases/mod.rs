//! The promises, each a function that asks probes and asserts what comes of it. Each is given a host of its own.

mod load;
mod mail;
mod rooms;
mod timers;
mod turns;
mod values;
mod watches;

use std::thread::sleep;
use std::time::Duration;

use selvage_object::{Kind, ObjectKey, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::probe::{Command, Ending, Log, Sum};
use crate::{HostUnderTest, NoAnswer};

/// One promise.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What asserts it. Panics where the host breaks it.
    pub check: fn(&dyn HostUnderTest),
}

/// Lists functions by their names.
macro_rules! list {
    ($($module:ident::$check:ident),* $(,)?) => {
        /// All promises.
        pub const CASES: &[Case] = &[$(Case { name: stringify!($check), check: $module::$check }),*];
    };
}

list![
    values::values_come_back_as_they_went_in,
    values::the_largest_values_fit_and_larger_ones_do_not,
    values::integers_that_would_be_rounded_are_refused,
    values::statements_are_understood_or_refused_alike,
    values::parameters_are_limited,
    turns::failed_turns_leave_nothing,
    turns::failed_turns_tell_nobody,
    turns::failed_first_turns_leave_no_object,
    turns::what_was_answered_survives_a_crash,
    turns::what_was_answered_survives_an_eviction,
    turns::turns_see_time_and_chance,
    turns::commands_that_nobody_understands_are_refused,
    turns::written_rows_are_counted,
    mail::tells_arrive_once_and_in_order,
    mail::objects_can_tell_themselves,
    mail::tells_survive_crashes,
    mail::tells_wait_for_receivers_that_fail,
    mail::tells_that_are_refused_are_over,
    mail::hints_arrive,
    timers::timers_ring_once,
    timers::timers_can_be_moved_and_stopped,
    timers::timers_survive_crashes,
    timers::a_timer_that_fails_does_not_stop_the_others,
    watches::watches_end_with_news,
    watches::watches_end_at_once_when_there_is_news,
    watches::watches_end_when_their_time_is_over,
    watches::watches_outlive_evictions,
    watches::watches_end_with_a_crash,
    watches::no_news_is_lost_between_looking_and_watching,
    rooms::rooms_end_alike,
    load::too_many_questions_are_told_to_come_back,
];

/// The promise of this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn named(name: &str) -> Case {
    let found = CASES.iter().find(|case| case.name == name);
    *found.unwrap_or_else(|| panic!("no case {name}"))
}

fn probe(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Probe, name)
}

/// Asks a probe and reads its reply.
fn ask<T: DeserializeOwned>(host: &dyn HostUnderTest, name: &str, command: &Command) -> Result<T, NoAnswer> {
    let reply = host.ask(&probe(name), json(command))?;
    Ok(serde_json::from_slice(&reply).expect("a reply of the command's type"))
}

/// Asks a probe that must answer.
fn must<T: DeserializeOwned>(host: &dyn HostUnderTest, name: &str, command: &Command) -> T {
    ask(host, name, command).unwrap_or_else(|error| panic!("{name}, asked {command:?}: {error:?}"))
}

/// Asks until there is an answer: as clients do that live through crashes, with commands that may be repeated.
fn insist<T: DeserializeOwned>(host: &dyn HostUnderTest, name: &str, command: &Command) -> T {
    until(&format!("{name} answers {command:?}"), || {
        ask(host, name, command).ok()
    })
}

fn json(command: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(command).expect("commands have a JSON form")
}

fn refusal(result: Result<serde_json::Value, NoAnswer>) -> Refusal {
    match result {
        Err(NoAnswer::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn sum(host: &dyn HostUnderTest, name: &str) -> Sum {
    must(host, name, &Command::Sum)
}

fn add(amount: i64, ending: Ending) -> Command {
    Command::Add { amount, ending }
}

fn log(host: &dyn HostUnderTest, name: &str, from: &str) -> Log {
    insist(
        host,
        name,
        &Command::Log {
            from: from.to_owned(),
        },
    )
}

const TRIES: u32 = 1_600;
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Looks again and again until there is something to see; panics after 80 seconds, which is longer than any promise takes
/// that is kept.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..TRIES {
        if let Some(seen) = look() {
            return seen;
        }
        sleep(TRY_EVERY);
    }
    panic!("in vain: {what}");
}
