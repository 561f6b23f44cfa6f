//! A whole server: data directory, shards, gateway, listeners, and a clean stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use selvage_gateway::{Gateway, GatewayError};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::admin::{self, AdminSocket};
use crate::directory::{Directory, DirectoryError};
use crate::host::NativeHost;
use crate::http::{self, CONNECTIONS_MAX, Context, Listener, Stop, Stopper};
use crate::identity::{self, IdentityError};
use crate::kinds;
use crate::metrics::Metrics;
use crate::remote::{Remotes, RemotesError};
use crate::settings::Settings;
use crate::shard::{ShardPool, StartError};
use crate::workflows;

/// How long requests under way have to finish after the server was told to stop.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The server's identity cannot be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A shard cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The gateway refuses the settings.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// There is no way to other servers.
    #[error("other servers cannot be reached: {0}")]
    Remotes(#[from] RemotesError),
    /// An address cannot be listened on.
    #[error("{setting}: {address}: {source}")]
    Listen {
        /// The setting.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The operating system refuses something else.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Data that are open, and a gateway over them.
pub struct Opened {
    // Before the directory, so that the shards have ended when it is unlocked.
    gateway: Gateway<NativeHost>,
    metrics: Arc<Metrics>,
    directory: Directory,
}

impl Opened {
    /// Opens the data in a directory.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub fn open(directory: Directory, settings: &Settings) -> Result<Self, ServerError> {
        let (path, name) = (directory.path(), directory.server_name().clone());
        let identity = identity::load(path, directory.placement(), &name)?;
        let kinds = kinds::all(
            name.clone(),
            identity::signing_key(&identity)?,
            identity.old_keys.clone(),
        );
        let metrics = Arc::new(Metrics::default());
        let shards = ShardPool::start(path, directory.shards(), &kinds, &metrics)?;
        let remotes = Remotes::new(&settings.outgoing, settings.gateway.federation.clone())?;
        let host = NativeHost::new(shards, remotes, Arc::clone(&metrics));
        Ok(Self {
            gateway: Gateway::new(host, settings.gateway.settings(name), &identity)?,
            metrics,
            directory,
        })
    }

    /// The gateway.
    #[must_use]
    pub const fn gateway(&self) -> &Gateway<NativeHost> {
        &self.gateway
    }

    /// Makes everything durable and ends the shards. To be called outside of the runtime.
    pub fn close(self) {
        self.gateway.host().close();
        self.gateway.host().finish();
    }
}

/// A server that serves.
pub struct Server {
    opened: Opened,
    stopper: Stopper,
    /// Where HTTP is served, TLS or not, in the order of the settings.
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Opens the data and begins to serve, in this runtime.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub fn start(runtime: &Runtime, settings: &Settings) -> Result<Self, ServerError> {
        let directory = Directory::open(&settings.data_dir, &settings.wanted)?;
        let opened = Opened::open(directory, settings)?;
        let (stopper, stop) = Stop::new();
        let addresses = runtime.block_on(listen(&opened, settings, &stop))?;
        Ok(Self {
            opened,
            stopper,
            addresses,
        })
    }

    /// Where it serves HTTP and HTTPS, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The name of the server.
    #[must_use]
    pub fn name(&self) -> &str {
        self.opened.directory.server_name().as_str()
    }

    /// Takes no more requests, finishes those under way, makes everything durable, and ends.
    pub fn stop(self, runtime: Runtime) {
        let host = self.opened.gateway.host().clone();
        runtime.block_on(async {
            host.end_waits();
            if timeout(STOP_TIME_MAX, self.stopper.stop()).await.is_err() {
                tracing::warn!("requests that took too long were cut off");
            }
        });
        self.opened.close();
        runtime.shutdown_background();
    }
}

async fn listen(opened: &Opened, settings: &Settings, stop: &Stop) -> Result<Vec<SocketAddr>, ServerError> {
    let listeners = bind(opened, settings).await?;
    let mut addresses = Vec::new();
    for listener in &listeners {
        addresses.push(listener.address()?);
    }
    let metrics = bind_metrics(settings).await?;
    tokio::spawn(workflows::run(opened.gateway.workflows().clone(), stop.clone()));
    let socket = AdminSocket::bind(opened.directory.path()).inspect_err(|error| {
        tracing::warn!(%error, "no admin socket: commands like `selvage user create` need the server stopped");
    });
    for listener in listeners {
        tokio::spawn(http::serve(listener, stop.clone()));
    }
    if let Some(listener) = metrics {
        let host = opened.gateway.host().clone();
        tokio::spawn(http::serve_metrics(listener, host, stop.clone()));
    }
    if let Ok(socket) = socket {
        tokio::spawn(admin::serve(socket, opened.gateway.clone(), stop.clone()));
    }
    Ok(addresses)
}

async fn bind(opened: &Opened, settings: &Settings) -> Result<Vec<Listener>, ServerError> {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let plain = settings.listen.iter().map(|address| ("--listen", *address, None));
    let tls = settings.tls.iter().flat_map(|tls| {
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
        let addresses = tls.listen.iter();
        addresses.map(move |address| ("--listen-tls", *address, Some(acceptor.clone())))
    });
    let mut listeners = Vec::new();
    for (setting, address, tls) in plain.chain(tls) {
        let context = Context {
            gateway: opened.gateway.clone(),
            metrics: Arc::clone(&opened.metrics),
            tls,
        };
        let bound = Listener::bind(address, context, &connections).await;
        listeners.push(bound.map_err(|source| ServerError::Listen {
            setting,
            address,
            source,
        })?);
    }
    Ok(listeners)
}

async fn bind_metrics(settings: &Settings) -> Result<Option<TcpListener>, ServerError> {
    let Some(address) = settings.metrics_listen else {
        return Ok(None);
    };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|source| ServerError::Listen {
        setting: "--metrics-listen",
        address,
        source,
    })
}
