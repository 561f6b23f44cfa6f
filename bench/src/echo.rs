//! A server that does nothing: it shows how fast the generator can be, and what a request costs it.

use std::{net::TcpListener, thread};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::LocalSet,
};

use crate::{fault::Fault, http::Address};

/// What it answers to everything: as many bytes as a homeserver needs to name an event.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 59\r\n\r\n\
    {\"event_id\":\"$0123456789abcdefghijklmnopqrstuvwxyzABCDEFG\"}";
/// How many bytes of requests a connection takes at once.
const READ_BYTES: usize = 8 * 1_024;

/// The server, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Echo {
    /// Where it listens.
    pub(crate) address: Address,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Echo {
    /// Starts it on a free port of 127.0.0.1.
    pub(crate) fn start() -> Result<Self, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = Address::local(listener.local_addr()?.port());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let tasks = LocalSet::new();
            tasks.spawn_local(accept(listener));
            // It ends when it is told to, or when its owner is gone.
            drop(tasks.block_on(&runtime, stopped));
        });
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// Stops it.
    pub(crate) fn stop(self) {
        drop(self.stop);
        drop(self.thread.join());
    }
}

async fn accept(listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((stream, _)) = listener.accept().await {
        tokio::task::spawn_local(serve(stream));
    }
}

/// The generator sends a request in one write and waits for its answer, so one read is one request.
async fn serve(mut stream: TcpStream) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(1..) = stream.read(&mut buffer).await {
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
