//! Who waits for which object of a shard.

use std::collections::BTreeMap;

use selvage_gateway::AskError;
use selvage_object::{ObjectKey, Wake};

use super::input::Reply;

/// Waits that ended by themselves (their client left) are looked for after so many new ones.
const SWEEP_AFTER_WATCHES: usize = 1_024;

struct Watch {
    seen: u64,
    waker: Reply<()>,
}

/// The waits of one shard. Only its thread touches them, in the order of its turns: a wait is entered after its object's
/// version was compared, and no turn lies between the two, so no wake is lost.
#[derive(Default)]
pub(crate) struct Watches {
    by_object: BTreeMap<ObjectKey, Vec<Watch>>,
    since_sweep: usize,
    /// Why nobody may wait any more.
    ended: Option<AskError>,
}

impl Watches {
    pub(crate) fn add(&mut self, of: ObjectKey, seen: u64, waker: Reply<()>) {
        if let Some(why) = &self.ended {
            return drop(waker.send(Err(why.clone())));
        }
        self.since_sweep += 1;
        if self.since_sweep >= SWEEP_AFTER_WATCHES {
            self.sweep();
        }
        let watches = self.by_object.entry(of).or_default();
        watches.retain(|watch| !watch.waker.is_closed());
        watches.push(Watch { seen, waker });
    }

    /// Wakes those who have seen less than the new version.
    pub(crate) fn wake(&mut self, wake: &Wake) {
        let Some(watches) = self.by_object.get_mut(&wake.key) else {
            return;
        };
        for watch in watches.extract_if(.., |watch| watch.seen < wake.version) {
            // A waiter that has left needs no waking.
            drop(watch.waker.send(Ok(())));
        }
        if watches.is_empty() {
            self.by_object.remove(&wake.key);
        }
    }

    /// Ends all waits.
    pub(crate) fn end(&mut self, why: &AskError) {
        let watches = std::mem::take(&mut self.by_object);
        for watch in watches.into_values().flatten() {
            drop(watch.waker.send(Err(why.clone())));
        }
    }

    /// Ends all waits, and those to come.
    pub(crate) fn end_for_good(&mut self, why: &AskError) {
        self.ended = Some(why.clone());
        self.end(why);
    }

    /// How many wait, those who have left since the last sweep among them.
    pub(crate) fn len(&self) -> usize {
        self.by_object.values().map(Vec::len).sum()
    }

    fn sweep(&mut self) {
        self.since_sweep = 0;
        self.by_object.retain(|_, watches| {
            watches.retain(|watch| !watch.waker.is_closed());
            !watches.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvage_object::Kind;
    use tokio::sync::oneshot::{self, Receiver};

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new(Kind::Probe, name)
    }

    fn watch(watches: &mut Watches, name: &str, seen: u64) -> Receiver<Result<(), AskError>> {
        let (waker, woken) = oneshot::channel();
        watches.add(key(name), seen, waker);
        woken
    }

    #[test]
    fn only_those_who_have_seen_less_are_woken() {
        let mut watches = Watches::default();
        let mut behind = watch(&mut watches, "a", 4);
        let mut ahead = watch(&mut watches, "a", 5);
        let mut other = watch(&mut watches, "b", 0);
        let version = 5;
        watches.wake(&Wake {
            key: key("a"),
            version,
        });
        assert_eq!(behind.try_recv(), Ok(Ok(())));
        assert!(ahead.try_recv().is_err() && other.try_recv().is_err());
        assert_eq!(watches.len(), 2);
    }

    #[test]
    fn waits_of_clients_that_left_do_not_add_up() {
        let mut watches = Watches::default();
        for n in 0..10 * SWEEP_AFTER_WATCHES {
            drop(watch(&mut watches, &n.to_string(), 0));
        }
        assert!(watches.len() <= SWEEP_AFTER_WATCHES, "{}", watches.len());
    }
}
