//! As much of HTTP as tests need that must see what is on the wire: one request a connection.

use std::io::{Error, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// A response that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Sends a request and reads the response.
///
/// # Errors
/// When the connection breaks before the response is whole.
pub fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {length}\r\n"
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut request = request.into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    parse(&response).ok_or_else(|| Error::other("the host broke off"))
}

/// A response that ended with its connection.
fn parse(response: &[u8]) -> Option<Response> {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = response.split_at(end);
    let head = std::str::from_utf8(head).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = body.get(4..)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body = if head.contains("\ntransfer-encoding: chunked") {
        joined(body)?
    } else if length.is_none_or(|length| length.trim().parse() == Ok(body.len())) {
        body.to_vec()
    } else {
        return None;
    };
    Some(Response { status, head, body })
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
            let found = parse(response.as_bytes()).map(|found| (found.status, found.body));
            assert_eq!(found, parsed, "{response}");
        }
    }
}
