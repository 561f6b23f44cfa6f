//! What can end a run, and what is only counted.

use std::{io, path::PathBuf};

use serde::Serialize;

use crate::http::HttpError;

/// How much of an answer's body is quoted in a message, in bytes.
const QUOTE_BYTES: usize = 200;
/// How many failed requests are quoted in the report; all are counted.
const SAMPLES: usize = 5;

/// Ends the run: it could not be set up, or the server went away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The connection failed, or what came over it was not HTTP.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// The server answered with another status than the one asked for.
    #[error("{what}: status {status}: {body}")]
    Refused {
        /// The request, for the reader.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The server's JSON is not what the specification says.
    #[error("{what}: {source}")]
    Json {
        /// The request, for the reader.
        what: String,
        /// Where the JSON is wrong.
        source: serde_json::Error,
    },
    /// A file, a pipe or a process.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A file or a process, named.
    #[error("{}: {source}", path.display())]
    Path {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A server under test did not start or stop.
    #[error("{name}: {problem} (its log: {})", log.display())]
    Server {
        /// Which server.
        name: String,
        /// What went wrong.
        problem: String,
        /// Where it logs.
        log: PathBuf,
    },
    /// An option, or a combination of options, that cannot be carried out.
    #[error("{0}")]
    Usage(String),
}

impl Fault {
    /// A [`Fault::Refused`] that quotes the beginning of `body`.
    pub(crate) fn refused(what: impl Into<String>, status: u16, body: &[u8]) -> Self {
        let quoted = body.get(..QUOTE_BYTES).unwrap_or(body);
        Fault::Refused {
            what: what.into(),
            status,
            body: String::from_utf8_lossy(quoted).into_owned(),
        }
    }
}

/// Requests that failed while the load ran. They do not end the run; they make it fail at its end.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Errors {
    /// How many requests failed.
    pub(crate) count: u64,
    /// The first few, quoted.
    pub(crate) samples: Vec<String>,
}

impl Errors {
    /// Counts one failed request.
    pub(crate) fn add(&mut self, fault: &Fault) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(fault.to_string());
        }
    }

    /// Takes over what another part of the run counted.
    pub(crate) fn absorb(&mut self, other: Errors) {
        self.count += other.count;
        let room = SAMPLES.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_all_counted_and_few_quoted() {
        let mut errors = Errors::default();
        for status in 400..420 {
            errors.add(&Fault::refused("send", status, b"{}"));
        }
        let mut sum = Errors::default();
        sum.add(&Fault::refused("sync", 500, &[b'x'; 1_000]));
        sum.absorb(errors);
        assert_eq!(sum.count, 21);
        assert_eq!(sum.samples.len(), SAMPLES);
        assert_eq!(sum.samples[0].len(), "sync: status 500: ".len() + QUOTE_BYTES);
        assert_eq!(sum.samples[1], "send: status 400: {}");
    }
}
