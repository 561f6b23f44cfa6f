//! HTTP/1.1 and HTTP/2 before the gateway: connections, their limits, and their end.

mod body;
mod connection;
mod listener;
mod metrics;
mod request;
mod stall;

pub(crate) use listener::{CONNECTIONS_MAX, Listener, Stop, Stopper, serve};
pub(crate) use metrics::serve as serve_metrics;

use std::sync::Arc;

use selvage_gateway::Gateway;
use tokio_rustls::TlsAcceptor;

use crate::host::NativeHost;
use crate::metrics::Metrics;

/// What every connection needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) gateway: Gateway<NativeHost>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tls: Option<TlsAcceptor>,
}
