//! What is known of other servers' delegations.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use selvage_event::ServerName;
use selvage_object::Timestamp;

use super::authority::{Authority, HostName};
use super::freshness;
use super::lookups::Lookups;
use super::well_known::{self, Said};
use crate::{FederationSettings, RemoteError};

/// The most hosts of which it is remembered what they delegate; the one that would be asked again soonest goes first.
const KNOWN_MAX: usize = 10_000;

/// Says by which name a server is spoken to, and remembers it. All of it can be forgotten at any time.
#[derive(Debug, Default)]
pub struct Discovery {
    federation: FederationSettings,
    known: Mutex<BTreeMap<String, Known>>,
}

/// What is known of a host.
#[derive(Clone, Debug)]
struct Known {
    delegate: Option<Authority>,
    /// When it last said so itself.
    said_at: Timestamp,
    /// When it is to be asked again.
    until: Timestamp,
    /// How many times in a row it could not be asked.
    errors: u32,
}

impl Discovery {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(federation: FederationSettings) -> Self {
        Self {
            federation,
            known: Mutex::new(BTreeMap::new()),
        }
    }

    /// By which name this server is spoken to: steps 1 to 3, and for the other steps its own.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] when the operator does not allow speaking with it, or its name can lead nowhere.
    pub async fn authority(
        &self,
        lookups: &impl Lookups,
        server: &ServerName,
        now: Timestamp,
    ) -> Result<Authority, RemoteError> {
        if !self.federation.allows(server) {
            let problem = format!("this server's operator does not allow speaking with {server}");
            return Err(RemoteError::Unsupported(problem));
        }
        let own = Authority::new(server)?;
        let HostName::Name(host) = own.host() else {
            return Ok(own);
        };
        if server.port().is_some() {
            return Ok(own);
        }
        let delegate = self.delegate(lookups, host, now).await;
        Ok(delegate.unwrap_or(own))
    }

    async fn delegate(&self, lookups: &impl Lookups, host: &str, now: Timestamp) -> Option<Authority> {
        let before = self.known().get(host).cloned();
        if let Some(known) = before.as_ref().filter(|known| now < known.until) {
            return known.delegate.clone();
        }
        let said = well_known::ask(lookups, host, now).await;
        tracing::debug!(host, ?said, "asked for a delegation");
        let known = learn(before, said, now);
        let delegate = known.delegate.clone();
        self.remember(host, known);
        delegate
    }

    fn remember(&self, host: &str, known: Known) {
        let mut all = self.known();
        all.insert(host.to_owned(), known);
        if all.len() <= KNOWN_MAX {
            return;
        }
        let soonest = all.iter().min_by_key(|(_, known)| known.until);
        if let Some(host) = soonest.map(|(host, _)| host.clone()) {
            all.remove(&host);
        }
    }

    /// Nothing is done under this lock that could leave it half changed.
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn learn(before: Option<Known>, said: Said, now: Timestamp) -> Known {
    let (delegate, ms) = match said {
        Said::Delegates { to, fresh_ms } => (Some(to), fresh_ms),
        Said::Nothing(_) => (None, freshness::ERROR_MAX_MS),
        Said::NoAnswer(_) => return keep(before, now),
    };
    Known {
        delegate,
        said_at: now,
        until: now.plus_ms(ms),
        errors: 0,
    }
}

/// A host that cannot be asked for a while has not taken back what it said: while that is not older than it may get, it
/// holds, so that an outage of a web site does not part servers from each other.
fn keep(before: Option<Known>, now: Timestamp) -> Known {
    let mut known = before.unwrap_or(Known {
        delegate: None,
        said_at: now,
        until: now,
        errors: 0,
    });
    if now.ms_since(known.said_at) >= freshness::MAX_MS {
        known.delegate = None;
    }
    known.errors = known.errors.saturating_add(1);
    known.until = now.plus_ms(freshness::of_errors(known.errors));
    known
}
