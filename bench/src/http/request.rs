//! Requests, written into one buffer.

use std::fmt::Write as _;

/// A request of the client-server API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// `GET`, `PUT` or `POST`.
    method: &'static str,
    /// Path and query, already encoded.
    path: &'a str,
    /// Access token, if the request is somebody's.
    token: Option<&'a str>,
    /// JSON body.
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A request without body.
    pub(crate) fn get(path: &'a str, token: Option<&'a str>) -> Self {
        Self {
            method: "GET",
            path,
            token,
            body: b"",
        }
    }

    /// A request with a JSON body.
    pub(crate) fn post(path: &'a str, token: Option<&'a str>, body: &'a [u8]) -> Self {
        Self {
            method: "POST",
            path,
            token,
            body,
        }
    }

    /// A request with a JSON body.
    pub(crate) fn put(path: &'a str, token: Option<&'a str>, body: &'a [u8]) -> Self {
        Self {
            method: "PUT",
            path,
            token,
            body,
        }
    }

    /// Appends the request as it goes over the wire, head and body together, so that it leaves in one write.
    pub(super) fn write(&self, host: &str, out: &mut Vec<u8>) {
        let head = [self.method, " ", self.path, " HTTP/1.1\r\nhost: ", host];
        head.iter()
            .for_each(|part| out.extend_from_slice(part.as_bytes()));
        if let Some(token) = self.token {
            out.extend_from_slice(b"\r\nauthorization: Bearer ");
            out.extend_from_slice(token.as_bytes());
        }
        if self.method != "GET" {
            out.extend_from_slice(b"\r\ncontent-type: application/json\r\ncontent-length: ");
            out.extend_from_slice(self.body.len().to_string().as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(self.body);
    }
}

/// Encodes an identifier (room, user, sync token) as one segment of a path, or one value of a query (RFC 3986 §2.1).
pub(crate) fn path_segment(raw: &str) -> String {
    let mut encoded = String::with_capacity(raw.len() + 8);
    for byte in raw.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            // Writing to a string does not fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_encoded() {
        assert_eq!(path_segment("!aB9_-.~:localhost"), "%21aB9_-.~%3Alocalhost");
        assert_eq!(path_segment("s1/é &?"), "s1%2F%C3%A9%20%26%3F");
    }

    #[test]
    fn requests_as_they_are_on_the_wire() {
        let mut out = Vec::new();
        Request::get("/versions", None).write("h:1", &mut out);
        assert_eq!(out, b"GET /versions HTTP/1.1\r\nhost: h:1\r\n\r\n");
        out.clear();
        Request::put("/x", Some("t"), b"{}").write("h:1", &mut out);
        let head = "PUT /x HTTP/1.1\r\nhost: h:1\r\nauthorization: Bearer t\r\n";
        let rest = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{head}{rest}"));
    }
}
