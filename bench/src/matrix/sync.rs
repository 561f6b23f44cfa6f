//! Sync.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::parse;
use crate::{
    clock,
    fault::Fault,
    http::{Connection, Request, path_segment},
};

#[derive(Deserialize)]
struct Batch {
    next_batch: String,
}

/// A sync response.
#[derive(Debug)]
pub(crate) struct Poll {
    /// Token of the next sync.
    pub(crate) next_batch: String,
    /// Size of the body in bytes.
    pub(crate) bytes: usize,
    /// When its last byte arrived, before it was parsed.
    pub(crate) arrived: Instant,
    /// Whether the text that was looked for is in it.
    pub(crate) found: bool,
}

/// Syncs once, and looks for `marker` in the response (spec: client-server-api §get_matrixclientv3sync).
///
/// Without `since` it is an initial sync. `wait` is the long poll's timeout.
pub(crate) async fn sync(
    connection: &mut Connection,
    token: &str,
    since: Option<&str>,
    wait: Duration,
    marker: &str,
) -> Result<Poll, Fault> {
    let path = path(since, wait);
    let response = connection.call(&Request::get(&path, Some(token))).await?;
    let arrived = clock::now();
    if response.status != 200 {
        return Err(Fault::refused("sync", response.status, response.body));
    }
    let found = String::from_utf8_lossy(response.body).contains(marker);
    let Batch { next_batch } = parse(response.body, "sync")?;
    Ok(Poll {
        next_batch,
        bytes: response.body.len(),
        arrived,
        found,
    })
}

fn path(since: Option<&str>, wait: Duration) -> String {
    let mut path = format!("/_matrix/client/v3/sync?timeout={}", wait.as_millis());
    if let Some(since) = since {
        // Writing to a string does not fail.
        let _ = write!(path, "&since={}", path_segment(since));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(path(None, Duration::ZERO), "/_matrix/client/v3/sync?timeout=0");
        let waiting = path(Some("s1/2&3"), Duration::from_secs(30));
        assert_eq!(waiting, "/_matrix/client/v3/sync?timeout=30000&since=s1%2F2%263");
    }
}
