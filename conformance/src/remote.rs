//! A host under test in another process, over HTTP. The paths are those of `runtime/conformance.rs` in the Workers host
//! and of the program `native-probes`: `POST /_conformance/ask/KEY`, `wait/KEY/SEEN/TIMEOUT_MS`, `flood/KEY/COUNT`,
//! `evict/KEY`, with the key in url-safe base64.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::ObjectKey;
use serde::Deserialize;

use crate::http::{self, Response};
use crate::{Answer, Flood, NoAnswer};

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
        let path = format!("/_conformance/{what}/{key}{more}");
        let sent = http::send(self.0, "POST", &path, &[], body);
        let Response { status, body, .. } = sent.map_err(|error| NoAnswer::Unavailable(error.to_string()))?;
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
}
