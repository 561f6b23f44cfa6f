//! How many requests to other servers are under way at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use selvage_event::ServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests under way; others wait.
const ALL_MAX: usize = 512;
/// The most requests under way to one server, so that one that is slow does not take all places.
const EACH_MAX: usize = 16;
/// How many servers are remembered before those with nothing under way are forgotten.
const SERVERS_SWEPT: usize = 1_024;

/// The places of requests under way.
pub(super) struct Places {
    all: Arc<Semaphore>,
    each: Mutex<BTreeMap<ServerName, Arc<Semaphore>>>,
}

/// The place of one request, until its answer was read or dropped.
pub(super) struct Place {
    _one: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL_MAX)),
            each: Mutex::default(),
        }
    }
}

impl Places {
    /// Waits for a place. Whoever waits for one server takes no place of others. `None` is never: nobody closes these
    /// semaphores.
    pub(super) async fn take(&self, server: &ServerName) -> Option<Place> {
        let one = self.of(server).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { _one: one, _all: all })
    }

    fn of(&self, server: &ServerName) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if each.len() >= SERVERS_SWEPT {
            // Who has a place or waits for one holds the semaphore too.
            each.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = each.entry(server.clone());
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(EACH_MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn take(places: &Places, server: &str) -> Option<Place> {
        places.take(&server.parse().unwrap()).now_or_never().flatten()
    }

    #[test]
    fn one_server_does_not_take_all_places() {
        let places = Places::default();
        let mut held: Vec<_> = (0..EACH_MAX)
            .map(|_| take(&places, "slow.org").unwrap())
            .collect();
        assert!(take(&places, "slow.org").is_none());
        assert!(take(&places, "other.org").is_some());
        held.pop();
        assert!(take(&places, "slow.org").is_some());
    }

    #[test]
    fn all_servers_together_have_an_end() {
        let places = Places::default();
        let held: Vec<_> = (0..ALL_MAX)
            .map(|number| take(&places, &format!("h{number}.org")).unwrap())
            .collect();
        assert!(take(&places, "one-more.org").is_none());
        drop(held);
        assert!(take(&places, "one-more.org").is_some());
    }

    #[test]
    fn servers_without_requests_are_forgotten() {
        let places = Places::default();
        let _held = take(&places, "busy.org").unwrap();
        for number in 0..5 * SERVERS_SWEPT {
            take(&places, &format!("h{number}.org")).unwrap();
        }
        let each = places.each.lock().unwrap();
        assert!(each.len() <= SERVERS_SWEPT && each.contains_key("busy.org"));
    }
}
