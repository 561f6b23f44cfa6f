//! As much of HTTP as [`selvage_conformance::Remote`] speaks.

use std::io::{BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::ObjectKey;

use crate::Anything;

/// `POST /_conformance/ORDER/KEY/NUMBER/…` and a body.
pub(crate) struct Request {
    pub(crate) order: String,
    pub(crate) key: ObjectKey,
    pub(crate) numbers: Vec<u64>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads a request.
    pub(crate) fn read(stream: &mut impl BufRead) -> Anything<Self> {
        let head = head(stream)?;
        let mut body = Vec::new();
        stream.take(content_length(&head)).read_to_end(&mut body)?;
        let path = head
            .split(' ')
            .nth(1)
            .and_then(|path| path.strip_prefix("/_conformance/"));
        let mut parts = path.ok_or("no path of the suite")?.split('/');
        let order = parts.next().unwrap_or_default().to_owned();
        let key = URL_SAFE_NO_PAD.decode(parts.next().unwrap_or_default());
        Ok(Self {
            order,
            key: String::from_utf8(key.map_err(|error| error.to_string())?)?.parse()?,
            numbers: parts.map(str::parse).collect::<Result<_, _>>()?,
            body,
        })
    }
}

fn head(stream: &mut impl BufRead) -> Anything<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err("the request broke off".into());
        }
    }
    Ok(head)
}

fn content_length(head: &str) -> u64 {
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
