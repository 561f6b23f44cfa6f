//! Asking a host to whom it delegates. spec: server-server-api §getwell-knownmatrixserver.

use bytes::Bytes;
use http::{Response, StatusCode, Uri, header};
use selvage_event::ServerName;
use selvage_object::Timestamp;
use serde::Deserialize;

use super::authority::Authority;
use super::lookups::Lookups;
use super::{freshness, redirect};
use crate::RemoteError;

/// The most redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// What a host says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Servers of its name are spoken to by that one.
    Delegates {
        /// That name.
        to: Authority,
        /// How long this holds, in milliseconds.
        fresh_ms: u64,
    },
    /// It does not delegate, or not in a way that makes sense.
    Nothing(String),
    /// It could not be asked, this time.
    NoAnswer(String),
}

#[derive(Deserialize)]
struct WellKnown {
    #[serde(rename = "m.server")]
    server: ServerName,
}

/// Asks a host, whose name is one in DNS.
pub(super) async fn ask(lookups: &impl Lookups, host: &str, now: Timestamp) -> Said {
    let Ok(mut uri) = format!("https://{host}/.well-known/matrix/server").parse::<Uri>() else {
        return Said::Nothing(format!("{host} makes no address"));
    };
    for _ in 0..=REDIRECTS_MAX {
        let answer = match lookups.get(&uri).await {
            Ok(answer) => answer,
            Err(RemoteError::Misbehaved(why) | RemoteError::Unsupported(why)) => return Said::Nothing(why),
            Err(error) => return Said::NoAnswer(error.to_string()),
        };
        match next(&uri, &answer) {
            Some(Ok(next)) => uri = next,
            Some(Err(why)) => return Said::Nothing(why),
            None => return read(&answer, now),
        }
    }
    Said::Nothing(format!("more than {REDIRECTS_MAX} redirects"))
}

/// Where an answer sends, if it does.
fn next(at: &Uri, answer: &Response<Bytes>) -> Option<Result<Uri, String>> {
    const REDIRECTS: [StatusCode; 5] = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if !REDIRECTS.contains(&answer.status()) {
        return None;
    }
    let location = answer.headers().get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok()).unwrap_or_default();
    Some(redirect::follow(at, location).ok_or_else(|| format!("a redirect to {location:?}")))
}

fn read(answer: &Response<Bytes>, now: Timestamp) -> Said {
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Said::NoAnswer(format!("status {status}"));
    }
    if status != StatusCode::OK {
        return Said::Nothing(format!("status {status}"));
    }
    let delegate = serde_json::from_slice::<WellKnown>(answer.body()).map_err(|error| error.to_string());
    let delegate = delegate.and_then(|said| Authority::new(&said.server).map_err(|error| error.to_string()));
    match delegate {
        Ok(to) => Said::Delegates {
            to,
            fresh_ms: freshness::of_answer(answer.headers(), now),
        },
        Err(why) => Said::Nothing(why),
    }
}
