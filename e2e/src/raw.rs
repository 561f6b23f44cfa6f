//! HTTP by hand, for requests that a well-behaved client library would not send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long to wait for more of an answer.
const READ_LIMIT: Duration = Duration::from_secs(60);
/// How much of a long body is written at a time, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Sends `head` (request line and headers, up to and with the empty line), then a JSON string of `length` bytes in all,
/// and returns the answer, headers and all.
///
/// A server may answer and hang up before it has read everything, so writing may fail; the answer counts.
pub fn exchange(base_url: &str, head: &str, length: usize) -> String {
    let address = base_url.trim_start_matches("http://");
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(READ_LIMIT)).expect("a read limit");
    let mut writing = stream.try_clone().expect("a second handle");
    let head = head.to_owned();
    let writer = std::thread::spawn(move || write_body(&mut writing, &head, length));
    let answer = read_answer(stream);
    drop(writer.join());
    answer
}

fn write_body(stream: &mut TcpStream, head: &str, length: usize) -> std::io::Result<()> {
    stream.write_all(head.as_bytes())?;
    if length < 2 {
        return Ok(());
    }
    stream.write_all(b"\"")?;
    let mut left = length - 2;
    let piece = vec![b'a'; PIECE_BYTES];
    while left > 0 {
        let (now, _) = piece.split_at(left.min(PIECE_BYTES));
        stream.write_all(now)?;
        left -= now.len();
    }
    stream.write_all(b"\"")
}

/// Reads until the headers and, as far as they tell, the body are there.
fn read_answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while answer.len() < ANSWER_BYTES_MAX && !complete(&answer) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A JSON object as body ends with a brace; that is all the framing these tests need.
fn complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    text.split_once("\r\n\r\n")
        .is_some_and(|(_, body)| body.trim_end_matches("\r\n0").trim_end().ends_with('}'))
}
