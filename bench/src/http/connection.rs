//! One keep-alive connection.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    Address, Request,
    response::{Chunks, Framing, Head, parse_head},
};

/// No request may take longer; a long poll of 30 s and an initial sync of a slow server fit.
const PATIENCE: Duration = Duration::from_secs(120);
/// Room that is made before each read, in bytes.
const READ_BYTES: usize = 16 * 1_024;

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// No connection to that address.
    #[error("no connection to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The server closed the connection in the middle of a request.
    #[error("the server closed the connection")]
    Closed,
    /// The response is not HTTP/1.1 as this client knows it.
    #[error("a response that cannot be understood: {0}")]
    Malformed(&'static str),
    /// There was no response in time.
    #[error("no response within {} s", PATIENCE.as_secs())]
    Slow,
}

/// A response, valid until the connection's next request.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The whole body, decoded.
    pub(crate) body: &'a [u8],
}

/// A connection that carries one request at a time and is opened again when the server closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    address: Address,
    /// None after a failure, or when the server said that it closes.
    stream: Option<TcpStream>,
    /// The request being sent.
    out: Vec<u8>,
    /// The response as it arrives.
    raw: Vec<u8>,
    /// The body of a chunked response, decoded.
    decoded: Vec<u8>,
}

impl Connection {
    /// Opens a connection.
    pub(crate) async fn open(address: &Address) -> Result<Self, HttpError> {
        let stream = Some(connect(address).await?);
        Ok(Self {
            address: address.clone(),
            stream,
            out: Vec::new(),
            raw: Vec::new(),
            decoded: Vec::new(),
        })
    }

    /// Sends one request and waits for its response, at most [`PATIENCE`].
    pub(crate) async fn call(&mut self, request: &Request<'_>) -> Result<Response<'_>, HttpError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.address).await?,
        };
        let exchange = timeout(PATIENCE, self.exchange(&mut stream, request));
        let head = exchange.await.unwrap_or(Err(HttpError::Slow))?;
        // Only here is the connection known to be between two requests.
        self.stream = (!head.closes).then_some(stream);
        let body = match head.framing {
            Framing::Length(_) => self.raw.get(head.length..).unwrap_or_default(),
            Framing::Chunked => &self.decoded,
        };
        Ok(Response {
            status: head.status,
            body,
        })
    }

    async fn exchange(&mut self, stream: &mut TcpStream, request: &Request<'_>) -> Result<Head, HttpError> {
        self.out.clear();
        self.raw.clear();
        self.decoded.clear();
        request.write(&self.address.authority, &mut self.out);
        stream.write_all(&self.out).await?;
        let head = self.read_head(stream).await?;
        self.read_body(stream, &head).await?;
        Ok(head)
    }

    async fn read_head(&mut self, stream: &mut TcpStream) -> Result<Head, HttpError> {
        loop {
            self.read(stream).await?;
            if let Some(head) = parse_head(&self.raw)? {
                return Ok(head);
            }
        }
    }

    /// Reads up to the body's last byte. A byte after it is an answer to nothing.
    async fn read_body(&mut self, stream: &mut TcpStream, head: &Head) -> Result<(), HttpError> {
        let mut chunks = Chunks::default();
        loop {
            let arrived = self.raw.get(head.length..).unwrap_or_default();
            let length = match head.framing {
                Framing::Length(length) => Some(length).filter(|length| arrived.len() >= *length),
                Framing::Chunked => chunks.advance(arrived, &mut self.decoded)?,
            };
            match length {
                Some(length) if length == arrived.len() => return Ok(()),
                Some(_) => return Err(HttpError::Malformed("bytes after its end")),
                None => self.read(stream).await?,
            }
        }
    }

    async fn read(&mut self, stream: &mut TcpStream) -> Result<(), HttpError> {
        self.raw.reserve(READ_BYTES);
        match stream.read_buf(&mut self.raw).await? {
            0 => Err(HttpError::Closed),
            _ => Ok(()),
        }
    }
}

async fn connect(address: &Address) -> Result<TcpStream, HttpError> {
    let stream = TcpStream::connect(&address.authority)
        .await
        .map_err(|source| HttpError::Connect {
            address: address.authority.clone(),
            source,
        })?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
