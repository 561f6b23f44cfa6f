//! Connections that are kept for the next request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use selvage_workflow::discovery::Authority;
use tokio::time::{Instant, sleep};

use super::line::Line;

/// The most connections that are kept, over all servers; the one that was used longest ago is closed.
const KEPT_MAX: usize = 256;
/// How long a connection is kept without use. Most servers close theirs after a minute.
const IDLE_MAX: Duration = Duration::from_secs(45);

/// The connections that are kept. All can be closed at any time.
#[derive(Default)]
pub(super) struct Pool {
    kept: Mutex<Kept<Line>>,
}

impl Pool {
    /// A connection to a server, which was open a moment ago.
    pub(super) fn take(&self, authority: &Authority) -> Option<Line> {
        let mut kept = self.kept();
        while let Some(line) = kept.take(authority, Instant::now()) {
            if line.is_closed() {
                continue;
            }
            if let Some(again) = line.shared() {
                kept.put(authority, again, Instant::now());
            }
            return Some(line);
        }
        None
    }

    /// Keeps a connection that was not taken from here, if others can use it meanwhile.
    pub(super) fn share(self: &Arc<Self>, authority: &Authority, line: &Line) {
        if let Some(line) = line.shared() {
            self.put(authority, line);
        }
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn give_back(self: &Arc<Self>, authority: &Authority, line: Line) {
        // One that others can use is here already.
        if matches!(line, Line::One(_)) {
            self.put(authority, line);
        }
    }

    fn put(self: &Arc<Self>, authority: &Authority, line: Line) {
        let mut kept = self.kept();
        kept.put(authority, line, Instant::now());
        if !std::mem::replace(&mut kept.swept, true) {
            tokio::spawn(sweep(Arc::clone(self)));
        }
    }

    /// Nothing is done under this lock that could leave it half changed.
    fn kept(&self) -> MutexGuard<'_, Kept<Line>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what is not used, until there is nothing left.
async fn sweep(pool: Arc<Pool>) {
    loop {
        sleep(IDLE_MAX / 2).await;
        let mut kept = pool.kept();
        kept.drop_idle(Instant::now());
        if kept.count == 0 {
            kept.swept = false;
            return;
        }
    }
}

/// Things by server, of which those used last are taken first.
struct Kept<T> {
    all: BTreeMap<Authority, Vec<(Instant, T)>>,
    count: usize,
    /// Whether somebody closes what is not used.
    swept: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            count: 0,
            swept: false,
        }
    }
}

impl<T> Kept<T> {
    fn put(&mut self, authority: &Authority, thing: T, now: Instant) {
        self.all.entry(authority.clone()).or_default().push((now, thing));
        self.count += 1;
        if self.count > KEPT_MAX {
            self.drop_oldest();
        }
    }

    fn take(&mut self, authority: &Authority, now: Instant) -> Option<T> {
        let of = self.all.get_mut(authority)?;
        let last = of.pop();
        if of.is_empty() {
            self.all.remove(authority);
        }
        let (since, thing) = last?;
        self.count -= 1;
        (now.duration_since(since) < IDLE_MAX).then_some(thing)
    }

    fn drop_idle(&mut self, now: Instant) {
        for of in self.all.values_mut() {
            of.retain(|(since, _)| now.duration_since(*since) < IDLE_MAX);
        }
        self.all.retain(|_, of| !of.is_empty());
        self.count = self.all.values().map(Vec::len).sum();
    }

    /// Each list is in order of time, so that its first is its oldest.
    fn drop_oldest(&mut self) {
        let firsts = self
            .all
            .iter()
            .filter_map(|(of, things)| Some((things.first()?.0, of)));
        let Some(oldest) = firsts.min().map(|(_, of)| of.clone()) else {
            return;
        };
        if let Some(of) = self.all.get_mut(&oldest) {
            of.remove(0);
            self.count -= 1;
            if of.is_empty() {
                self.all.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(number: usize) -> Authority {
        Authority::new(&format!("h{number}.org").parse().unwrap()).unwrap()
    }

    fn at(seconds: u64) -> Instant {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *START.get_or_init(Instant::now) + Duration::from_secs(seconds)
    }

    #[test]
    fn the_one_used_last_is_taken_first() {
        let mut kept = Kept::default();
        kept.put(&authority(0), 'a', at(0));
        kept.put(&authority(0), 'b', at(1));
        kept.put(&authority(1), 'c', at(2));
        let taken: Vec<_> = (0..3).map(|_| kept.take(&authority(0), at(3))).collect();
        assert_eq!(taken, [Some('b'), Some('a'), None]);
        assert_eq!(kept.count, 1);
    }

    #[test]
    fn what_lies_idle_is_dropped() {
        let mut kept = Kept::default();
        kept.put(&authority(0), 'a', at(0));
        kept.put(&authority(0), 'b', at(20));
        kept.drop_idle(at(50));
        assert_eq!(kept.count, 1);
        assert_eq!(kept.take(&authority(0), at(65)), None, "it is too old by now");
        assert_eq!(kept.count, 0);
    }

    #[test]
    fn no_more_are_kept_than_may_be() {
        let mut kept = Kept::default();
        for number in 0..KEPT_MAX + 10 {
            kept.put(
                &authority(number),
                number,
                at(0) + Duration::from_millis(number as u64),
            );
        }
        assert_eq!(kept.count, KEPT_MAX);
        assert_eq!(kept.take(&authority(9), at(1)), None);
        assert_eq!(kept.take(&authority(10), at(1)), Some(10));
    }
}
