//! Servers for tests of what goes out.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a request is answered.
#[derive(Clone)]
pub enum Page {
    /// These bytes.
    Whole(String),
    /// A body that goes on for ever.
    Endless,
    /// Nothing at all.
    Silent,
    /// A byte now and then.
    Trickle,
    /// Less than was promised.
    Half,
}

impl Page {
    pub fn body(body: &str) -> Self {
        let length = body.len();
        Self::Whole(format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    pub fn status(status: u16) -> Self {
        Self::Whole(format!(
            "HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        ))
    }

    pub fn redirect(to: &str) -> Self {
        Self::Whole(format!(
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
        ))
    }

    fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        const BEGIN: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        match self {
            Self::Whole(text) => to.write_all(text.as_bytes())?,
            Self::Silent => sleep(Duration::from_secs(600)),
            Self::Half => {
                to.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{")?
            }
            Self::Endless => {
                to.write_all(BEGIN)?;
                loop {
                    to.write_all(&[b' '; 4096])?;
                }
            }
            Self::Trickle => {
                to.write_all(BEGIN)?;
                loop {
                    to.write_all(b"x")?;
                    to.flush()?;
                    sleep(Duration::from_millis(100));
                }
            }
        }
        to.flush()
    }
}

/// A request as it came.
#[derive(Clone)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    fn read(from: &mut impl Read) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            from.read_exact(&mut byte).ok()?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).ok()?;
        let length = head
            .to_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        from.read_exact(&mut body).ok()?;
        Some(Self { head, body })
    }

    fn path(&self) -> &str {
        self.head.split(' ').nth(1).expect("a path")
    }

    fn host(&self) -> String {
        let lines = self.head.to_lowercase();
        lines
            .lines()
            .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
            .expect("a host")
    }
}

type Pages = BTreeMap<(String, String), Page>;

/// All web sites at one address.
pub struct Web {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    /// Sites, by host and path; what is not there is not found.
    pub fn start(pages: &[(&str, &str, Page)]) -> Self {
        let pages: Pages = pages
            .iter()
            .map(|(host, path, page)| (((*host).to_owned(), (*path).to_owned()), page.clone()))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, requests) = (listener.local_addr().expect("an address"), Arc::default());
        let (pages, seen) = (Arc::new(pages), Arc::clone(&requests));
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, seen) = (Arc::clone(&pages), Arc::clone(&seen));
                spawn(move || serve(stream, &pages, &seen));
            }
        });
        Self { address, requests }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }

    /// The paths that a host was asked for so far.
    pub fn asked(&self, host: &str) -> Vec<String> {
        let requests = self.requests();
        let of = requests.iter().filter(|request| request.host() == host);
        of.map(|request| request.path().to_owned()).collect()
    }
}

fn serve(mut stream: TcpStream, pages: &Pages, seen: &Mutex<Vec<Request>>) {
    while let Some(request) = Request::read(&mut stream) {
        let page = pages.get(&(request.host(), request.path().to_owned())).cloned();
        seen.lock().expect("requests").push(request);
        // Whoever goes away is no concern of the test's.
        if page
            .unwrap_or_else(|| Page::status(404))
            .write(&mut stream)
            .is_err()
        {
            return;
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
}

/// Signs certificates.
pub struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// A new one, with its own certificate as PEM.
    pub fn new() -> (String, Self) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.pem(), Self(Issuer::new(params, key)))
    }

    /// A server with a certificate for this name, which answers everything with `{}`.
    pub fn server(&self, name: &str) -> SocketAddr {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a configuration");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, config) = (listener.local_addr().expect("an address"), Arc::new(config));
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                spawn(move || {
                    let mut stream = StreamOwned::new(connection, stream);
                    // One that does not believe the certificate sends no request.
                    if Request::read(&mut stream).is_some() {
                        let _ = Page::body("{}").write(&mut stream);
                        stream.conn.send_close_notify();
                        let _ = stream.flush();
                    }
                });
            }
        });
        address
    }
}
