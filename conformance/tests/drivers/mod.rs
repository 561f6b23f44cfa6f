//! Drivers: how to start, crash and evict each host.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod process;
pub(crate) mod workerd;

use selvage_conformance::HostUnderTest;
use selvage_conformance::cases::named;

/// Checks one promise on a fresh host.
pub(crate) fn check<H: HostUnderTest>(name: &str, start: impl FnOnce() -> H) {
    (named(name).check)(&start());
}

/// Makes a test of every promise. The list is checked against the suite's own.
#[macro_export]
macro_rules! promises {
    ($start:expr; $($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                $crate::drivers::check(stringify!($name), $start);
            }
        )*

        #[test]
        fn every_promise_is_tested() {
            let tested = [$(stringify!($name)),*];
            let promised: Vec<_> = selvage_conformance::cases::CASES.iter().map(|case| case.name).collect();
            assert_eq!(tested.as_slice(), promised.as_slice());
        }
    };
}

/// The suite, for a driver's `start`.
#[macro_export]
macro_rules! suite {
    ($start:expr) => {
        $crate::promises! {
            $start;
            values_come_back_as_they_went_in,
            the_largest_values_fit_and_larger_ones_do_not,
            integers_that_would_be_rounded_are_refused,
            statements_are_understood_or_refused_alike,
            parameters_are_limited,
            failed_turns_leave_nothing,
            failed_turns_tell_nobody,
            failed_first_turns_leave_no_object,
            what_was_answered_survives_a_crash,
            what_was_answered_survives_an_eviction,
            turns_see_time_and_chance,
            commands_that_nobody_understands_are_refused,
            written_rows_are_counted,
            tells_arrive_once_and_in_order,
            objects_can_tell_themselves,
            tells_survive_crashes,
            tells_wait_for_receivers_that_fail,
            tells_that_are_refused_are_over,
            hints_arrive,
            timers_ring_once,
            timers_can_be_moved_and_stopped,
            timers_survive_crashes,
            a_timer_that_fails_does_not_stop_the_others,
            watches_end_with_news,
            watches_end_at_once_when_there_is_news,
            watches_end_when_their_time_is_over,
            watches_outlive_evictions,
            watches_end_with_a_crash,
            no_news_is_lost_between_looking_and_watching,
            rooms_end_alike,
            too_many_questions_are_told_to_come_back,
        }
    };
}
