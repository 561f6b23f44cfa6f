//! Who waits for news is told, and costs nothing meanwhile.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{Scope, sleep};
use std::time::Duration;

use super::{insist, must, probe};
use crate::probe::Command;
use crate::{HostUnderTest, NoAnswer};

/// So long that a watch which ends by itself is a failure, in milliseconds.
const LONG_MS: u64 = 80_000;
/// How long a watch may take to end that has a reason to.
const PATIENCE: Duration = Duration::from_secs(30);
/// About as long as a watch takes to be set up. No promise rests on it: earlier or later, news must arrive.
const A_MOMENT: Duration = Duration::from_millis(300);

struct Watch(Receiver<Result<(), NoAnswer>>);

impl Watch {
    fn start<'scope, 'host: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        host: &'host dyn HostUnderTest,
        name: &'static str,
        seen: u64,
    ) -> Self {
        let (ended, end) = channel();
        scope.spawn(move || ended.send(host.wait(&probe(name), seen, LONG_MS)));
        Self(end)
    }

    fn ended(&self) -> Result<(), NoAnswer> {
        self.0.recv_timeout(PATIENCE).expect("the watch ends")
    }

    fn goes_on(&self) {
        assert_eq!(self.0.try_recv(), Err(TryRecvError::Empty));
    }
}

fn raise(host: &dyn HostUnderTest, name: &str) -> u64 {
    must(host, name, &Command::Raise)
}

/// Of this object, above what was seen; not with others'.
pub(super) fn watches_end_with_news(host: &dyn HostUnderTest) {
    let seen = raise(host, "star");
    std::thread::scope(|scope| {
        let watches: Vec<_> = (0..3).map(|_| Watch::start(scope, host, "star", seen)).collect();
        let patient = Watch::start(scope, host, "star", seen + 1);
        let other = Watch::start(scope, host, "other", 0);
        sleep(A_MOMENT);
        watches.iter().chain([&patient, &other]).for_each(Watch::goes_on);
        raise(host, "star");
        for watch in &watches {
            assert_eq!(watch.ended(), Ok(()));
        }
        patient.goes_on();
        raise(host, "star");
        assert_eq!(patient.ended(), Ok(()));
        other.goes_on();
        raise(host, "other");
        assert_eq!(other.ended(), Ok(()));
    });
}

/// Nothing is waited for that is there.
pub(super) fn watches_end_at_once_when_there_is_news(host: &dyn HostUnderTest) {
    let version = raise(host, "star");
    for seen in 0..version {
        std::thread::scope(|scope| {
            assert_eq!(Watch::start(scope, host, "star", seen).ended(), Ok(()));
        });
    }
}

/// Without news and without error.
pub(super) fn watches_end_when_their_time_is_over(host: &dyn HostUnderTest) {
    let seen = raise(host, "star");
    assert_eq!(host.wait(&probe("star"), seen, 200), Ok(()));
    assert_eq!(host.wait(&probe("nobody"), 0, 200), Ok(()));
    assert_eq!(must::<u64>(host, "star", &Command::Version), seen);
}

/// The watched object leaves memory, comes back with the news, and who watches is told.
pub(super) fn watches_outlive_evictions(host: &dyn HostUnderTest) {
    let seen = raise(host, "star");
    std::thread::scope(|scope| {
        let watch = Watch::start(scope, host, "star", seen);
        sleep(A_MOMENT);
        host.evict(&probe("star"));
        watch.goes_on();
        raise(host, "star");
        assert_eq!(watch.ended(), Ok(()));
    });
}

/// Nobody waits for a host that is gone.
pub(super) fn watches_end_with_a_crash(host: &dyn HostUnderTest) {
    let seen = raise(host, "star");
    std::thread::scope(|scope| {
        let watch = Watch::start(scope, host, "star", seen);
        sleep(A_MOMENT);
        host.crash();
        assert!(watch.ended().is_err(), "the connection broke");
    });
    assert_eq!(insist::<u64>(host, "star", &Command::Version), seen);
}

/// News that comes while the watch is set up.
pub(super) fn no_news_is_lost_between_looking_and_watching(host: &dyn HostUnderTest) {
    for _ in 0..50 {
        std::thread::scope(|scope| {
            let seen = must(host, "star", &Command::Version);
            let watch = Watch::start(scope, host, "star", seen);
            raise(host, "star");
            assert_eq!(watch.ended(), Ok(()));
        });
    }
}
