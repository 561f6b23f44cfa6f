//! A server behind TLS.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;
type Handler = Arc<dyn Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync>;
type Speaker = Arc<dyn Fn(TlsStream<TcpStream>) -> Ended + Send + Sync>;

/// What a server does.
#[derive(Clone)]
pub enum Behaviour {
    /// Answers requests.
    Http(Handler),
    /// Writes bytes as it likes.
    Raw(Speaker),
}

/// What a server has seen.
#[derive(Default)]
pub struct Seen {
    pub connections: AtomicUsize,
    /// Method, host, path, version and `x-test` header of every request.
    pub requests: Mutex<Vec<String>>,
    /// The key exchange of every connection.
    pub key_exchanges: Mutex<Vec<String>>,
}

pub struct Site {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

impl Site {
    pub async fn start(address: SocketAddr, tls: rustls::ServerConfig, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Seen>::default());
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        tokio::spawn(accept(listener, acceptor, behaviour, Arc::clone(&seen)));
        Self { address, seen }
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, behaviour: Behaviour, seen: Arc<Seen>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let (acceptor, behaviour, seen) = (acceptor.clone(), behaviour.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            match behaviour {
                Behaviour::Http(handler) => http(stream, handler, seen).await,
                Behaviour::Raw(speak) => speak(stream).await,
            }
        });
    }
}

async fn http(stream: TlsStream<TcpStream>, handler: Handler, seen: Arc<Seen>) {
    let group = stream.get_ref().1.negotiated_key_exchange_group();
    let group = group
        .map(|group| format!("{:?}", group.name()))
        .unwrap_or_default();
    seen.key_exchanges.lock().unwrap().push(group);
    let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request: Request<Incoming>| {
        seen.requests.lock().unwrap().push(note(&request));
        let response = handler(&request);
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    // A client that goes away is no concern of the test's.
    if two {
        let _ = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    } else {
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

/// What a request asked, in a line.
fn note(request: &Request<Incoming>) -> String {
    let host = request
        .headers()
        .get(header::HOST)
        .map(|host| host.to_str().unwrap().to_owned());
    let host = host.or_else(|| request.uri().authority().map(ToString::to_string));
    let path = request.uri().path_and_query().unwrap();
    format!(
        "{} {} {path} {:?}",
        request.method(),
        host.unwrap(),
        request.version()
    )
}
