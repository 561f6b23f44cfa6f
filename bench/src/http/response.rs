//! Responses, parsed as their bytes arrive (RFC 9112 §6).

use std::str;

use super::HttpError;

/// How many header fields a response may have.
const HEADERS: usize = 64;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Framing {
    /// This many bytes follow the head.
    Length(usize),
    /// Chunks follow, an empty one ends them.
    Chunked,
}

/// What a response's head says.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Where the body begins.
    pub(super) length: usize,
    pub(super) framing: Framing,
    /// The server will close the connection after this response.
    pub(super) closes: bool,
}

/// Parses the head at the beginning of `bytes`; none while it is not complete.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<Head>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|_| HttpError::Malformed("its head"))?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let status = response.code.ok_or(HttpError::Malformed("its status"))?;
    let (framing, closes) = fields(response.headers)?;
    Ok(Some(Head {
        status,
        length,
        framing,
        closes,
    }))
}

fn fields(headers: &[httparse::Header<'_>]) -> Result<(Framing, bool), HttpError> {
    let (mut framing, mut closes) = (Framing::Length(0), false);
    for header in headers {
        let value = str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") && framing != Framing::Chunked {
            framing = Framing::Length(value.parse().map_err(|_| HttpError::Malformed("its length"))?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    Ok((framing, closes))
}

/// Decodes a chunked body, remembering how far it came.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Bytes of the encoded body that are decoded.
    at: usize,
    /// Bytes of the current chunk's data that are still to come.
    missing: usize,
}

impl Chunks {
    /// Decodes what has arrived of `encoded` into `body`; the encoded length once the last chunk is there.
    pub(super) fn advance(&mut self, encoded: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>, HttpError> {
        loop {
            self.take_data(encoded, body);
            if self.missing > 0 {
                return Ok(None);
            }
            let rest = encoded.get(self.at..).unwrap_or_default();
            // Every chunk but the first follows the line end of the chunk before it.
            let line_end: &[u8] = if self.at == 0 { b"" } else { b"\r\n" };
            let Some(line) = rest.strip_prefix(line_end) else {
                return short_or_wrong(rest, line_end);
            };
            let parsed =
                httparse::parse_chunk_size(line).map_err(|_| HttpError::Malformed("a chunk's size"))?;
            let httparse::Status::Complete((start, size)) = parsed else {
                return Ok(None);
            };
            if size == 0 {
                return trailer(
                    line.get(start..).unwrap_or_default(),
                    self.at + line_end.len() + start,
                );
            }
            self.at += line_end.len() + start;
            self.missing = usize::try_from(size).map_err(|_| HttpError::Malformed("a chunk's size"))?;
        }
    }

    fn take_data(&mut self, encoded: &[u8], body: &mut Vec<u8>) {
        let arrived = encoded.get(self.at..).unwrap_or_default();
        let data = arrived.get(..self.missing).unwrap_or(arrived);
        body.extend_from_slice(data);
        self.at += data.len();
        self.missing -= data.len();
    }
}

fn short_or_wrong(rest: &[u8], expected: &[u8]) -> Result<Option<usize>, HttpError> {
    if expected.starts_with(rest) {
        Ok(None)
    } else {
        Err(HttpError::Malformed("a chunk's end"))
    }
}

/// No server under test sends trailer fields, so only the empty line is taken.
fn trailer(rest: &[u8], at: usize) -> Result<Option<usize>, HttpError> {
    if rest.starts_with(b"\r\n") {
        Ok(Some(at + 2))
    } else {
        short_or_wrong(rest, b"\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let bytes =
            b"HTTP/1.1 401 Unauthorized\r\nServer: x\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{";
        let head = parse_head(bytes).unwrap().unwrap();
        let length = bytes.len() - 1;
        assert_eq!(
            head,
            Head {
                status: 401,
                length,
                framing: Framing::Length(12),
                closes: true
            }
        );
        for end in 0..length {
            assert_eq!(parse_head(&bytes[..end]).unwrap(), None);
        }
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(parse_head(chunked).unwrap().unwrap().framing, Framing::Chunked);
        assert!(parse_head(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_decode_wherever_the_bytes_are_cut() {
        let encoded = b"5\r\nhello\r\nA;x=y\r\n, chunked \r\n3\r\nend\r\n0\r\n\r\n";
        for cut in 0..encoded.len() {
            let (mut chunks, mut body) = (Chunks::default(), Vec::new());
            assert_eq!(chunks.advance(&encoded[..cut], &mut body).unwrap(), None);
            assert_eq!(chunks.advance(encoded, &mut body).unwrap(), Some(encoded.len()));
            assert_eq!(body, b"hello, chunked end");
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        for encoded in ["x\r\n", "1\r\nabc", "0\r\nx: y\r\n\r\n"] {
            assert!(
                Chunks::default()
                    .advance(encoded.as_bytes(), &mut Vec::new())
                    .is_err(),
                "{encoded}"
            );
        }
    }
}
