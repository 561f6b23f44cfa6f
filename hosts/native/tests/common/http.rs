//! The least of an HTTP client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Far more than any answer takes; only there so that a broken server ends a test.
pub const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends bytes and returns all that comes back until the server closes.
pub fn exchange(to: SocketAddr, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> std::io::Result<Answer> {
    let token = token
        .map(|token| format!("authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{token}content-length: {length}\r\n\r\n{body}"
    );
    let answer = String::from_utf8(exchange(to, text.as_bytes())?).unwrap();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}

/// Makes an account; on success returns its access token.
pub fn register(to: SocketAddr, name: &str) -> std::io::Result<Result<String, Answer>> {
    let body =
        format!(r#"{{"username":"{name}","password":"long enough","auth":{{"type":"m.login.dummy"}}}}"#);
    let answer = request(to, "POST", "/_matrix/client/v3/register", None, &body)?;
    if answer.status != 200 {
        return Ok(Err(answer));
    }
    Ok(Ok(answer.json()["access_token"].as_str().unwrap().to_owned()))
}
