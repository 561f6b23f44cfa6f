//! Listening, and stopping to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::sleep;

use super::{Context, connection};

/// The most connections at once, all listeners together. The next are closed at once.
pub(crate) const CONNECTIONS_MAX: usize = 16_384;
/// How long to wait when the system has no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Says when the server stops, and knows when all that heed it have ended.
#[derive(Clone)]
pub(crate) struct Stop {
    stopping: watch::Receiver<bool>,
    /// Held by everyone who still runs.
    _running: mpsc::Sender<()>,
}

/// The other end of [`Stop`].
pub(crate) struct Stopper {
    stop: watch::Sender<bool>,
    running: mpsc::Receiver<()>,
}

impl Stop {
    pub(crate) fn new() -> (Stopper, Self) {
        let (stop, stopping) = watch::channel(false);
        let (held, running) = mpsc::channel(1);
        let own = Self {
            stopping,
            _running: held,
        };
        (Stopper { stop, running }, own)
    }

    /// Waits until the server stops.
    pub(crate) async fn wait(&self) {
        // An error says that the stopper is gone, which is a stop as well.
        drop(self.stopping.clone().wait_for(|stopping| *stopping).await);
    }
}

impl Stopper {
    /// Tells everybody to stop, and waits until they have.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        // Nothing is ever sent: this ends when the last sender is dropped.
        self.running.recv().await;
    }
}

/// A socket that is listened on.
pub(crate) struct Listener {
    socket: TcpListener,
    context: Context,
    connections: Arc<Semaphore>,
}

impl Listener {
    /// Begins to listen; clients wait until [`serve`].
    pub(crate) async fn bind(
        address: SocketAddr,
        context: Context,
        connections: &Arc<Semaphore>,
    ) -> io::Result<Self> {
        Ok(Self {
            socket: TcpListener::bind(address).await?,
            context,
            connections: Arc::clone(connections),
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn begin(&self, stream: TcpStream, permit: OwnedSemaphorePermit, stop: &Stop) {
        self.context.metrics.connections.add(1);
        let (context, stop) = (self.context.clone(), stop.clone());
        tokio::spawn(async move {
            connection::serve(context, stream, stop).await;
            drop(permit);
        });
    }
}

/// Accepts connections until the server stops.
pub(crate) async fn serve(listener: Listener, stop: Stop) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = stop.wait() => return,
        };
        match (accepted, Arc::clone(&listener.connections).try_acquire_owned()) {
            (Ok((stream, _)), Ok(permit)) => listener.begin(stream, permit, &stop),
            (Ok(_), Err(_)) => listener.context.metrics.connections_refused.add(1),
            (Err(error), _) => {
                tracing::warn!(%error, "no connection could be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
