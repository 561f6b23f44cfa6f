//! A host under test in another process, over HTTP. The paths are those of `runtime/conformance.rs` in the Workers host
//! and of the program `native-probes`: `POST /_conformance/ask/KEY`, `wait/KEY/SEEN/TIMEOUT_MS`, `flood/KEY/COUNT`,
//! `evict/KEY`, with the key in url-safe base64.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::ObjectKey;
use serde::Deserialize;

use crate::{Answer, Flood, NoAnswer};

/// No answer takes longer, in seconds.
const PATIENCE_S: u64 = 90;

/// Where the host listens.
#[derive(Clone, Copy, Debug)]
pub struct Remote(pub SocketAddr);

#[derive(Deserialize)]
struct Overload {
    retry_after_ms: u64,
}

impl Remote {
    /// Gives a command to an object.
    ///
    /// # Errors
    /// When it is not carried out.
    pub fn ask(&self, to: &ObjectKey, command: &[u8]) -> Answer {
        self.order("ask", to, "", command)
    }

    /// Gives a command to an object so many times at once.
    ///
    /// # Errors
    /// When the host cannot do that.
    pub fn flood(&self, to: &ObjectKey, command: &[u8], count: usize) -> Result<Flood, NoAnswer> {
        let reply = self.order("flood", to, &format!("/{count}"), command)?;
        serde_json::from_slice(&reply).map_err(|error| NoAnswer::Unavailable(error.to_string()))
    }

    /// Waits for news of an object.
    ///
    /// # Errors
    /// When the host cannot wait.
    pub fn wait(&self, of: &ObjectKey, seen: u64, timeout_ms: u64) -> Result<(), NoAnswer> {
        self.order("wait", of, &format!("/{seen}/{timeout_ms}"), b"")
            .map(|_| ())
    }

    /// Sends an order of the suite.
    ///
    /// # Errors
    /// When it is not carried out.
    pub fn order(&self, what: &str, object: &ObjectKey, more: &str, body: &[u8]) -> Answer {
        let key = URL_SAFE_NO_PAD.encode(object.to_string());
        let sent = self.post(&format!("/_conformance/{what}/{key}{more}"), body);
        let (status, body) = sent.map_err(|error| NoAnswer::Unavailable(error.to_string()))?;
        let unclear = |error: serde_json::Error| NoAnswer::Unavailable(error.to_string());
        match status {
            200 => Ok(body),
            409 => Err(NoAnswer::Refused(serde_json::from_slice(&body).map_err(unclear)?)),
            429 => {
                let Overload { retry_after_ms } = serde_json::from_slice(&body).map_err(unclear)?;
                Err(NoAnswer::Overloaded { retry_after_ms })
            }
            _ => Err(NoAnswer::Unavailable(format!(
                "{status} {}",
                String::from_utf8_lossy(&body)
            ))),
        }
    }

    fn post(&self, path: &str, body: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(self.0)?;
        stream.set_read_timeout(Some(Duration::from_secs(PATIENCE_S)))?;
        stream.set_nodelay(true)?;
        let length = body.len();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n",
            self.0
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request)?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        parse(&response).ok_or_else(|| std::io::Error::other("the host broke off"))
    }
}

/// Status and body of a response that ended with its connection.
fn parse(response: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = response.split_at(end);
    let head = std::str::from_utf8(head).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = body.get(4..)?;
    if head.contains("\ntransfer-encoding: chunked") {
        return Some((status, joined(body)?));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = length.is_none_or(|length| length.trim().parse() == Ok(body.len()));
    whole.then(|| (status, body.to_vec()))
}

/// The chunks of a body, up to the empty one.
fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(chunks.get(..end)?).ok()?, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let start = end + 2;
        body.extend_from_slice(chunks.get(start..start + length)?);
        chunks = chunks.get(start + length + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_whole_or_none() {
        let cases = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                Some((200, b"ok".to_vec())),
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", None),
            (
                "HTTP/1.0 503 Oh\r\n\r\nx\r\n\r\ny",
                Some((503, b"x\r\n\r\ny".to_vec())),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n",
                Some((200, b"ok!".to_vec())),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
                None,
            ),
            ("HTTP/1.1 200 OK\r\n", None),
            ("", None),
        ];
        for (response, parsed) in cases {
            assert_eq!(parse(response.as_bytes()), parsed, "{response}");
        }
    }
}
