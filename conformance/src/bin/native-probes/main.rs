//! The native host with probes in place of rooms and users, for the conformance suite: `native-probes ADDR:PORT DIR`
//! serves the paths of [`selvage_conformance::Remote`] over the shards in a directory.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

mod request;

use futures_util::future::join_all;
use request::Request;
use selvage::host::NativeHost;
use selvage::metrics::Metrics;
use selvage::remote::Remotes;
use selvage::settings::Outgoing;
use selvage::shard::{Kinds, ShardPool};
use selvage_conformance::Flood;
use selvage_conformance::probe::Probe;
use selvage_event::{ServerName, SigningKey};
use selvage_gateway::{AskError, FederationSettings, Host};
use selvage_object::Registry;
use selvage_room::{Identity, RoomObject};
use tokio::runtime::{Handle, Runtime};

/// Two, so that probes tell each other within a shard and between shards.
const SHARDS: u16 = 2;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [address, directory] => {
            serve(address, Path::new(directory)).map_or_else(failed, |()| ExitCode::SUCCESS)
        }
        _ => failed("usage: native-probes ADDR:PORT DIR".into()),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the end of a `map_or_else`")]
fn failed(error: Box<dyn std::error::Error>) -> ExitCode {
    eprintln!("native-probes: {error}");
    ExitCode::FAILURE
}

fn serve(address: &str, directory: &Path) -> Anything<()> {
    let metrics = Arc::new(Metrics::default());
    let kinds: Kinds = Arc::new(|| Registry::new().with(Probe).with(rooms()));
    let shards = ShardPool::start(directory, SHARDS, &kinds, &metrics)?;
    let remotes = Remotes::new(&Outgoing::default(), FederationSettings::default())?;
    let host = NativeHost::new(shards, remotes, metrics);
    let runtime = Runtime::new()?;
    for stream in TcpListener::bind(address)?.incoming() {
        let (stream, host, handle) = (stream?, host.clone(), runtime.handle().clone());
        thread::spawn(move || {
            // A client that is gone needs no answer.
            drop(converse(&stream, &host, &handle));
        });
    }
    Ok(())
}

/// Rooms of a server whose key nobody else knows; what other servers' events come to does not depend on it.
#[allow(clippy::expect_used, reason = "constants that are well-formed")]
fn rooms() -> RoomObject {
    let name = ServerName::parse("conformance.test").expect("a name");
    let key = SigningKey::from_seed("ed25519:1", &[1; 32]).expect("a key id");
    RoomObject::new(Identity::new(name, key))
}

/// Reads one request and answers it.
fn converse(mut stream: &TcpStream, host: &NativeHost, handle: &Handle) -> Anything<()> {
    let request = Request::read(&mut BufReader::new(stream))?;
    let (status, body) = handle.block_on(answer(host, request));
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(&body)?;
    Ok(())
}

async fn answer(host: &NativeHost, request: Request) -> (u16, Vec<u8>) {
    let Request {
        order,
        key,
        numbers,
        body,
    } = request;
    let number = |index: usize| numbers.get(index).copied().unwrap_or_default();
    match order.as_str() {
        "ask" => reply(host.ask(&key, body).await),
        "wait" => reply(host.wait(&key, number(0), number(1)).await.map(|()| Vec::new())),
        "flood" => {
            let asks = (0..number(0)).map(|_| host.ask(&key, body.clone()));
            let mut flood = Flood::default();
            join_all(asks)
                .await
                .iter()
                .for_each(|answer| count(&mut flood, answer));
            reply(Ok(serde_json::to_vec(&flood).unwrap_or_default()))
        }
        _ => (404, Vec::new()),
    }
}

fn count(flood: &mut Flood, answer: &Result<Vec<u8>, AskError>) {
    *match answer {
        Ok(_) => &mut flood.answered,
        Err(AskError::Overloaded { retry_after_ms }) if *retry_after_ms > 0 => &mut flood.overloaded,
        Err(_) => &mut flood.failed,
    } += 1;
}

fn reply(result: Result<Vec<u8>, AskError>) -> (u16, Vec<u8>) {
    match result {
        Ok(reply) => (200, reply),
        Err(AskError::Refused(refusal)) => (409, serde_json::to_vec(&refusal).unwrap_or_default()),
        Err(AskError::Overloaded { retry_after_ms }) => (
            429,
            format!(r#"{{"retry_after_ms":{retry_after_ms}}}"#).into_bytes(),
        ),
        Err(AskError::Unavailable(why)) => (503, why.into_bytes()),
        Err(stopping @ AskError::Stopping) => (503, stopping.to_string().into_bytes()),
    }
}
