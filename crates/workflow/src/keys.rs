//! The keys of other servers: held by their destinations, fetched where they are missing.
//! spec: `server-server-api §retrieving-server-keys`

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;
use http::Method;
use selvage_event::key::is_ed25519_key_id;
use selvage_event::{Map, PublicKey, ReceivedEvent, RoomVersion, ServerName};
use selvage_protocol::destination::{self, Fetch, HeldKey, Keys, KeysFailed, StoreKeys};
use selvage_protocol::federation::ServerKey;
use selvage_protocol::{Json, destination_key};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::key_document::{DOCUMENT_MAX_BYTES, KeyDocument};
use crate::{AskError, Host, RemoteError, Workflows};

/// The most servers whose keys are looked up at once.
const SERVERS_AT_ONCE: usize = 8;
/// The most signatures of one server on one event whose keys are looked up.
const KEYS_OF_EVENT_MAX: usize = 8;
/// The most servers whose keys are fetched at once: whoever makes a request can name any server, and have it asked.
const FETCHES_MAX: usize = 64;
/// How often somebody waits for keys that others fetch, before doing without.
const WAITS_MAX: usize = 2;
/// How long each of these waits is at the most, in milliseconds.
const WAIT_MS: u64 = 15_000;
/// Where a server publishes its keys.
const KEYS_PATH: &str = "/_matrix/key/v2/server";

/// Which keys of one server are needed.
#[derive(Clone, Debug, Default)]
struct Needed {
    key_ids: BTreeSet<String>,
    valid_at: Option<i64>,
}

/// What is looked at of an event to know whose keys verify it.
#[derive(Deserialize)]
struct Outline {
    sender: String,
    /// Of the first room versions, in which the server that the id names signs too.
    event_id: Option<String>,
    origin_server_ts: i64,
    #[serde(default)]
    content: OutlineContent,
    signatures: BTreeMap<String, BTreeMap<String, IgnoredAny>>,
}

#[derive(Default, Deserialize)]
struct OutlineContent {
    join_authorised_via_users_server: Option<String>,
}

impl<H: Host> Workflows<H> {
    /// The keys that verify these events: of the servers of their senders, of authorisers of restricted joins, and in versions
    /// 1 and 2 of those in event ids. What cannot be had is left out, and what is no event passed over: the room refuses
    /// those events.
    pub async fn keys_of(&self, events: &[Json], version: RoomVersion) -> Vec<ServerKey> {
        let mut needed = BTreeMap::new();
        for event in events {
            if let Ok(event) = ReceivedEvent::parse(event.get().as_bytes(), version) {
                self.need(&mut needed, &event);
            }
        }
        self.look_up(needed).await
    }

    /// As [`Workflows::keys_of`], of events whose room version is not known here. The room tells which keys count.
    pub async fn keys_of_unknown(&self, events: &[Json]) -> Vec<ServerKey> {
        let mut needed = BTreeMap::new();
        for event in events {
            if let Ok(outline) = serde_json::from_str::<Outline>(event.get()) {
                self.need_outlined(&mut needed, outline);
            }
        }
        self.look_up(needed).await
    }

    fn need_outlined(&self, needed: &mut BTreeMap<ServerName, Needed>, mut outline: Outline) {
        let signers = [
            Some(outline.sender),
            outline.event_id,
            outline.content.join_authorised_via_users_server,
        ];
        let servers = signers
            .iter()
            .flatten()
            .filter_map(|id| Some(id.split_once(':')?.1));
        for server in servers {
            let key_ids = outline.signatures.remove(server).unwrap_or_default();
            if let Ok(server) = ServerName::parse(server) {
                let key_ids = key_ids.into_keys().filter(|id| is_ed25519_key_id(id));
                self.need_one(needed, server, key_ids.collect(), Some(outline.origin_server_ts));
            }
        }
    }

    async fn look_up(&self, needed: BTreeMap<ServerName, Needed>) -> Vec<ServerKey> {
        let lookups = needed.into_iter().map(|(server, needed)| async move {
            let ids: Vec<&str> = needed.key_ids.iter().map(String::as_str).collect();
            self.server_keys(&server, &ids, needed.valid_at).await
        });
        let found: Vec<Vec<ServerKey>> = stream::iter(lookups)
            .buffer_unordered(SERVERS_AT_ONCE)
            .collect()
            .await;
        found.into_iter().flatten().collect()
    }

    fn need(&self, needed: &mut BTreeMap<ServerName, Needed>, event: &ReceivedEvent) {
        let valid_at = event
            .event()
            .rules()
            .key_validity
            .then(|| event.event().origin_server_ts());
        for (server, key_ids) in event.needed_keys() {
            self.need_one(needed, server, key_ids, valid_at);
        }
    }

    fn need_one(
        &self,
        needed: &mut BTreeMap<ServerName, Needed>,
        server: ServerName,
        key_ids: Vec<String>,
        valid_at: Option<i64>,
    ) {
        if server != *self.server_name() && !key_ids.is_empty() {
            let needed = needed.entry(server).or_default();
            needed.key_ids.extend(key_ids.into_iter().take(KEYS_OF_EVENT_MAX));
            needed.valid_at = needed.valid_at.max(valid_at);
        }
    }

    /// The keys of a server, fetched when one of these ids is not among those that are held, or not valid at that moment
    /// (milliseconds since 1970).
    pub async fn keys_of_server(
        &self,
        server: &ServerName,
        key_ids: &[&str],
        valid_at: i64,
    ) -> Vec<ServerKey> {
        self.server_keys(server, key_ids, Some(valid_at)).await
    }

    async fn server_keys(
        &self,
        server: &ServerName,
        key_ids: &[&str],
        valid_at: Option<i64>,
    ) -> Vec<ServerKey> {
        let held = self.held_keys(server, key_ids, valid_at).await;
        let held = held.unwrap_or_else(|error| {
            tracing::warn!(%server, %error, "the keys of a server cannot be looked up");
            Vec::new()
        });
        let key = |key: HeldKey| ServerKey {
            server: server.to_string(),
            key_id: key.key_id,
            public_key: key.public_key,
            valid_until_ts: key.valid_until_ts,
        };
        held.into_iter().map(key).collect()
    }

    /// The keys with which a server may sign requests now: current ones that have not run out.
    ///
    /// # Errors
    /// When its destination cannot be asked.
    pub async fn request_keys(
        &self,
        server: &ServerName,
        key_ids: &[&str],
    ) -> Result<BTreeMap<String, PublicKey>, AskError> {
        let now = i64::try_from(self.now().0).unwrap_or(i64::MAX);
        let held = self.held_keys(server, key_ids, Some(now)).await?;
        let current = held
            .into_iter()
            .filter(|key| !key.expired && key.valid_until_ts >= now);
        let read = |key: HeldKey| {
            let public = PublicKey::from_base64(&key.public_key, key.valid_until_ts).ok()?;
            Some((key.key_id, public))
        };
        Ok(current.filter_map(read).collect())
    }

    async fn held_keys(
        &self,
        server: &ServerName,
        key_ids: &[&str],
        valid_at: Option<i64>,
    ) -> Result<Vec<HeldKey>, AskError> {
        let destination = destination_key(server.as_str());
        for _ in 0..=WAITS_MAX {
            let ask = Keys {
                key_ids: key_ids.iter().map(|id| (*id).to_owned()).collect(),
                valid_at,
            };
            let reply = self.ask(destination.clone(), ask).await?;
            match reply.fetch {
                Fetch::Nothing => return Ok(reply.keys),
                Fetch::Yours => self.fetch_keys(server).await?,
                Fetch::Wait { version } => self.host().wait(&destination, version, WAIT_MS).await?,
            }
        }
        Ok(Vec::new())
    }

    /// The document of a server's keys, to be passed on to another server; `None` when there is none that is valid at least
    /// until `minimum_valid_until_ts`, in milliseconds since 1970. It is fetched only where that is said.
    ///
    /// # Errors
    /// When its destination cannot be asked.
    pub async fn key_document(
        &self,
        server: &ServerName,
        minimum_valid_until_ts: i64,
        may_fetch: bool,
    ) -> Result<Option<Map>, AskError> {
        if may_fetch {
            let now = i64::try_from(self.now().0).unwrap_or(i64::MAX);
            self.held_keys(server, &[], Some(minimum_valid_until_ts.max(now)))
                .await?;
        }
        let json = self
            .ask(destination_key(server.as_str()), destination::KeyDocument {})
            .await?;
        let document = json.and_then(|json| serde_json::from_str::<Map>(json.get()).ok());
        let valid_until = |document: &Map| document.get("valid_until_ts").and_then(Value::as_i64);
        Ok(document.filter(|document| valid_until(document) >= Some(minimum_valid_until_ts)))
    }

    /// Fetches the keys of a server: from itself, or where it is not to be had, from a notary that the operator trusts.
    async fn fetch_keys(&self, server: &ServerName) -> Result<(), AskError> {
        let Some(_place) = self.take_place(FETCHES_MAX) else {
            let error = RemoteError::Unreachable("too many servers are asked at once".to_owned());
            return self.settle_keys(server, Err(error)).await;
        };
        let fetched = match self.published_keys(server).await {
            Err(error) => self.notarised_keys(server).await?.ok_or(error),
            document => document,
        };
        self.settle_keys(server, fetched).await
    }

    /// Tells the destination what came of fetching its keys.
    pub(crate) async fn settle_keys(
        &self,
        server: &ServerName,
        fetched: Result<KeyDocument, RemoteError>,
    ) -> Result<(), AskError> {
        match fetched {
            Ok(document) => self.store_keys(server, document).await,
            Err(error) => {
                tracing::info!(%server, %error, "the keys of a server cannot be had");
                self.ask(destination_key(server.as_str()), KeysFailed {}).await
            }
        }
    }

    pub(crate) async fn published_keys(&self, server: &ServerName) -> Result<KeyDocument, RemoteError> {
        let answer = self
            .request_unsigned(server, Method::GET, KEYS_PATH, None, DOCUMENT_MAX_BYTES)
            .await?;
        let now = self.now();
        let document = KeyDocument::verified(&answer, server, now)
            .map_err(|error| RemoteError::Misbehaved(format!("its keys: {error}")))?;
        if u64::try_from(document.valid_until_ts).unwrap_or(0) < now.0 {
            return Err(RemoteError::Misbehaved("its keys have run out".to_owned()));
        }
        Ok(document)
    }

    async fn store_keys(&self, server: &ServerName, document: KeyDocument) -> Result<(), AskError> {
        let Some(json) = document.to_json() else {
            return Ok(());
        };
        let store = StoreKeys {
            keys: document.keys,
            document: json,
        };
        let reply = self.ask(destination_key(server.as_str()), store).await?;
        if !reply.refused.is_empty() {
            tracing::warn!(%server, keys = ?reply.refused, "a server gave other keys the ids of keys that are known");
        }
        Ok(())
    }
}
