//! The gateway: a host to stand on, settings, and the routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use selvage_event::{ServerName, SigningKey, UserId};
use selvage_object::{ObjectKey, Timestamp};
use selvage_protocol::server::IdentityReply;
use selvage_protocol::{Ask, user_key};
use selvage_workflow::Workflows;

use crate::router::{Found, Router};
use crate::secret::MacKey;
use crate::{
    ApiError, AskError, Host, PASSWORD_HASH_MEMORY_MAX_KIB, PASSWORD_HASH_MEMORY_MIN_KIB, Settings, admin,
    client, federation,
};

/// Why a gateway cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The server's identity makes no sense.
    #[error("the server's identity is damaged: {0}")]
    Identity(&'static str),
    /// A setting is impossible.
    #[error("{setting}: {problem}")]
    Setting {
        /// The field of [`Settings`].
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Two endpoints have the same path.
    #[error("the routes contradict each other: {0}")]
    Routes(String),
}

/// The gateway. Cheap to clone.
pub struct Gateway<H> {
    inner: Arc<Inner<H>>,
}

struct Inner<H> {
    workflows: Workflows<H>,
    settings: Settings,
    mac_key: MacKey,
    router: Router<H>,
    origins: Arc<federation::Origins>,
    /// Tells the requests of this gateway from those of others and of before a restart.
    epoch: u32,
    requests: AtomicU64,
}

impl<H> Clone for Gateway<H> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<H: Host> Gateway<H> {
    /// A gateway over a host, with the server's identity as the server object gave it.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn new(host: H, settings: Settings, identity: &IdentityReply) -> Result<Self, GatewayError> {
        check(&settings)?;
        let seed = key_bytes(&identity.seed).ok_or(GatewayError::Identity("seed"))?;
        let signing_key =
            SigningKey::from_seed(&identity.key_id, &seed).map_err(|_| GatewayError::Identity("key id"))?;
        let mac_key = key_bytes(&identity.mac_key).ok_or(GatewayError::Identity("mac key"))?;
        let router = Router::new(|routes| {
            client::routes(routes);
            admin::routes(routes);
            federation::routes(routes);
        })
        .map_err(|error| GatewayError::Routes(error.to_string()))?;
        let [a, b, c, d, ..] = host.random();
        let epoch = u32::from_be_bytes([a, b, c, d]);
        let (mac_key, requests) = (MacKey::new(mac_key), AtomicU64::new(0));
        let (name, federation) = (settings.server_name.clone(), settings.federation.clone());
        let workflows = Workflows::new(host, name, signing_key, federation);
        let inner = Inner {
            workflows,
            settings,
            mac_key,
            router,
            origins: Arc::default(),
            epoch,
            requests,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &H {
        self.inner.workflows.host()
    }

    /// The workflows of this server.
    #[must_use]
    pub fn workflows(&self) -> &Workflows<H> {
        &self.inner.workflows
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The most bytes that the body of a request may have. Hosts stop reading there and answer with
    /// [`crate::respond_to_too_large`].
    #[must_use]
    pub fn body_limit(&self, method: &Method, path: &str) -> usize {
        self.find(method, path).body_limit()
    }

    /// Whether a request is carried out to its end though its client hangs up, so that what was begun for it is ended: a
    /// server whose transaction is under way is not heard until it is taken in.
    #[must_use]
    pub fn outlives_connection(&self, path: &str) -> bool {
        federation::is_transaction(path)
    }

    /// The id of this server's user of that localpart.
    ///
    /// # Errors
    /// When the whole is no user id.
    pub(crate) fn local_user(&self, localpart: &str) -> Result<UserId, ApiError> {
        UserId::from_parts(localpart, self.server_name())
            .map_err(|error| ApiError::invalid_param(format!("user name: {error}")))
    }

    pub(crate) fn server_name(&self) -> &ServerName {
        &self.inner.settings.server_name
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        self.inner.workflows.signing_key()
    }

    pub(crate) fn mac_key(&self) -> &MacKey {
        &self.inner.mac_key
    }

    /// What other servers are doing here.
    pub(crate) fn origins(&self) -> &Arc<federation::Origins> {
        &self.inner.origins
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.workflows.now()
    }

    pub(crate) fn find<'a>(&'a self, method: &Method, path: &'a str) -> Found<'a, H> {
        self.inner.router.find(method, path)
    }

    /// An id for the next request.
    pub(crate) fn next_request_id(&self) -> String {
        let number = self.inner.requests.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-{number:x}", self.inner.epoch)
    }

    /// Asks an object and reads its reply.
    ///
    /// # Errors
    /// See [`AskError`].
    pub(crate) async fn ask<C: Ask>(&self, to: ObjectKey, command: C) -> Result<C::Reply, AskError> {
        self.inner.workflows.ask(to, command).await
    }

    /// Asks the object of a local user.
    ///
    /// # Errors
    /// See [`AskError`].
    pub(crate) async fn ask_user<C: Ask>(&self, user_id: &str, command: C) -> Result<C::Reply, AskError> {
        self.ask(user_key(user_id), command).await
    }
}

fn key_bytes(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn check(settings: &Settings) -> Result<(), GatewayError> {
    let wrong = |setting, problem: String| Err(GatewayError::Setting { setting, problem });
    let allowed = PASSWORD_HASH_MEMORY_MIN_KIB..=PASSWORD_HASH_MEMORY_MAX_KIB;
    if !allowed.contains(&settings.password_hash_memory_kib) {
        let problem = format!("not between {} and {} KiB", allowed.start(), allowed.end());
        return wrong("password_hash_memory_kib", problem);
    }
    if !settings.federation.pauses_make_sense() {
        return wrong(
            "federation",
            "the first pause is 0, or longer than the longest".to_owned(),
        );
    }
    if settings.registration_shared_secret.as_deref() == Some("") {
        return wrong("registration_shared_secret", "empty".to_owned());
    }
    Ok(())
}
