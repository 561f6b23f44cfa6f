//! How much one server may ask at once and in time. Memory of this process: servers that are not busy take none.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use selvage_event::ServerName;
use selvage_object::Timestamp;
use selvage_protocol::errcode;

use crate::{ApiError, Gateway, Host};

/// The most requests of one server at once.
const RUNNING_MAX: u32 = 32;
/// How many requests of one server may come in a burst.
const BURST: u64 = 500;
/// How long one of them takes to come back, in milliseconds: fifty a second.
const REFILL_MS: u64 = 20;
/// When a server with too many requests at once is to try again, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// How many servers are remembered. Beyond it, those without requests are forgotten, the longest unheard of first.
const SERVERS_MAX: usize = 4_096;
/// How many of the rooms that a server last asked about are remembered.
const ROOMS_MAX: usize = 32;

/// What servers are doing here.
#[derive(Default)]
pub(crate) struct Origins {
    servers: Mutex<BTreeMap<ServerName, Busy>>,
}

#[derive(Default)]
struct Busy {
    running: u32,
    /// When the bucket of requests will be, or was, full.
    full_at: Timestamp,
    /// The rooms that the server last spoke of, the latest first.
    rooms: VecDeque<String>,
}

/// One of the requests that a server may have at once.
pub(super) struct Place {
    origins: Arc<Origins>,
    server: ServerName,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.origins
            .with(&self.server, |busy| busy.running = busy.running.saturating_sub(1));
    }
}

impl Origins {
    fn with<T>(&self, server: &ServerName, act: impl FnOnce(&mut Busy) -> T) -> T {
        // Nothing that is done under the lock can panic half way.
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= SERVERS_MAX && !servers.contains_key(server) {
            forget_one(&mut servers);
        }
        act(servers.entry(server.clone()).or_default())
    }

    fn take(self: &Arc<Self>, server: &ServerName, now: Timestamp) -> Result<Place, ApiError> {
        self.with(server, |busy| busy.take(now))?;
        Ok(Place {
            origins: Arc::clone(self),
            server: server.clone(),
        })
    }

    /// Notes that a server spoke of a room.
    pub(super) fn spoke_of(&self, server: &ServerName, room_id: &str) {
        self.with(server, |busy| {
            busy.rooms.retain(|known| known != room_id);
            busy.rooms.push_front(room_id.to_owned());
            busy.rooms.truncate(ROOMS_MAX);
        });
    }

    /// The rooms that a server last spoke of, the latest first.
    pub(super) fn rooms_of(&self, server: &ServerName) -> Vec<String> {
        self.with(server, |busy| busy.rooms.iter().cloned().collect())
    }
}

impl Busy {
    fn take(&mut self, now: Timestamp) -> Result<(), ApiError> {
        if self.running >= RUNNING_MAX {
            return Err(slower(RETRY_MS));
        }
        let full_at = self.full_at.max(now).plus_ms(REFILL_MS);
        let over_ms = full_at.ms_since(now).saturating_sub(BURST * REFILL_MS);
        if over_ms > 0 {
            return Err(slower(over_ms));
        }
        self.full_at = full_at;
        self.running += 1;
        Ok(())
    }
}

fn slower(retry_after_ms: u64) -> ApiError {
    ApiError {
        retry_after_ms: Some(retry_after_ms),
        ..ApiError::new(errcode::LIMIT_EXCEEDED, "your server asks too much at once")
    }
}

fn forget_one(servers: &mut BTreeMap<ServerName, Busy>) {
    let idle = servers.iter().filter(|(_, busy)| busy.running == 0);
    let oldest = idle.min_by_key(|(_, busy)| busy.full_at);
    if let Some(name) = oldest.map(|(name, _)| name.clone()) {
        servers.remove(&name);
    }
}

impl<H: Host> Gateway<H> {
    /// A place for one more request of a server; `None` where there are no limits.
    pub(super) fn place_for(&self, server: &ServerName) -> Result<Option<Place>, ApiError> {
        if !self.settings().rate_limits {
            return Ok(None);
        }
        self.origins().take(server, self.now()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServerName {
        ServerName::parse(text).unwrap()
    }

    #[test]
    fn a_server_has_so_many_requests_at_once() {
        let origins = Arc::new(Origins::default());
        let (a, b) = (name("a.org"), name("b.org"));
        let mut places: Vec<Place> = (0..RUNNING_MAX)
            .map(|_| origins.take(&a, Timestamp(0)).unwrap())
            .collect();
        assert!(origins.take(&a, Timestamp(0)).is_err());
        assert!(origins.take(&b, Timestamp(0)).is_ok());
        places.pop();
        assert!(origins.take(&a, Timestamp(0)).is_ok());
    }

    #[test]
    fn a_burst_passes_then_one_each_refill() {
        let origins = Arc::new(Origins::default());
        let a = name("a.org");
        for _ in 0..BURST {
            origins.take(&a, Timestamp(0)).unwrap();
        }
        let refused = origins.take(&a, Timestamp(0)).err().unwrap();
        assert_eq!(
            (refused.status.as_u16(), refused.retry_after_ms),
            (429, Some(REFILL_MS))
        );
        origins.take(&a, Timestamp(REFILL_MS)).unwrap();
        assert!(origins.take(&a, Timestamp(REFILL_MS)).is_err());
    }

    #[test]
    fn the_longest_unheard_of_is_forgotten() {
        let origins = Arc::new(Origins::default());
        let busy = origins.take(&name("busy.org"), Timestamp(0)).unwrap();
        for n in 1..SERVERS_MAX + 10 {
            let server = name(&format!("s{n}.org"));
            drop(origins.take(&server, Timestamp(n as u64)));
        }
        let servers = origins.servers.lock().unwrap();
        assert_eq!(servers.len(), SERVERS_MAX);
        assert!(servers.contains_key(&name("busy.org")) && !servers.contains_key(&name("s1.org")));
        drop(servers);
        drop(busy);
    }

    #[test]
    fn the_rooms_last_spoken_of_come_first() {
        let (origins, a) = (Origins::default(), name("a.org"));
        for n in 0..40 {
            origins.spoke_of(&a, &n.to_string());
        }
        origins.spoke_of(&a, "20");
        let rooms = origins.rooms_of(&a);
        assert_eq!(
            (rooms.len(), rooms[0].as_str(), rooms[1].as_str()),
            (32, "20", "39")
        );
    }
}
