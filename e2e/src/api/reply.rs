//! An answer, and what tests say about it.

use serde_json::Value;
use ureq::Body;
use ureq::http::{HeaderMap, Response};

/// A whole answer of the server.
#[derive(Clone, Debug)]
pub struct Reply {
    what: String,
    /// The HTTP status.
    pub status: u16,
    /// The HTTP headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub bytes: Vec<u8>,
    /// The body as JSON; null when it is none.
    pub json: Value,
}

impl Reply {
    pub(super) fn read(what: String, mut response: Response<Body>, limit: u64) -> Result<Reply, ureq::Error> {
        let bytes = response.body_mut().with_config().limit(limit).read_to_vec()?;
        Ok(Reply {
            what,
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
        })
    }

    /// The answer, which must be 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        self.json
    }

    /// Asserts that it is this error, in the standard shape. spec: client-server-api §standard-error-response
    #[track_caller]
    pub fn refused(&self, status: u16, errcode: &str) {
        assert_eq!((self.status, self.errcode()), (status, errcode), "{self}");
        assert!(
            self.json.get("error").is_some_and(Value::is_string),
            "an error says why: {self}"
        );
    }

    /// The `errcode`, empty when there is none.
    pub fn errcode(&self) -> &str {
        self.json
            .get("errcode")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A header's value, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The string at a JSON pointer of the body.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn string(&self, pointer: &str) -> String {
        let value = self.json.pointer(pointer).and_then(Value::as_str);
        value
            .unwrap_or_else(|| panic!("no string {pointer} in {self}"))
            .to_owned()
    }
}

/// How much of a body is shown in a failure.
const SHOWN_BYTES: usize = 2_000;

impl std::fmt::Display for Reply {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(self.bytes.get(..SHOWN_BYTES).unwrap_or(&self.bytes));
        write!(out, "{} -> {} {body}", self.what, self.status)
    }
}
