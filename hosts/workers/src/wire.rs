//! What the Worker and the shards say to each other. During an update old and new programs mix, so a form, once
//! deployed, is never changed: a new one gets a new path.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::{Failure, Fault, ObjectKey, Refusal};
use serde::{Deserialize, Serialize};

/// The path of a command for one object.
pub(crate) const ASK: &str = "/ask";
/// The path of a delivery.
pub(crate) const DELIVER: &str = "/deliver";
/// The path of a watch, a WebSocket.
pub(crate) const WATCH: &str = "/watch";
/// Requests to shards need a host name, which nobody reads.
pub(crate) const ORIGIN: &str = "https://shard";
/// When an overloaded shard is worth another try, in milliseconds.
pub(crate) const OVERLOAD_RETRY_MS: u64 = 1_000;

/// A command and the object it is for, as a body: the key's length in two bytes, the key, the command.
pub(crate) fn ask_body(to: &ObjectKey, command: &[u8]) -> Option<Vec<u8>> {
    let key = to.to_string();
    let length = u16::try_from(key.len()).ok()?;
    let mut body = Vec::with_capacity(2 + key.len() + command.len());
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(key.as_bytes());
    body.extend_from_slice(command);
    Some(body)
}

/// What [`ask_body`] made.
pub(crate) fn parse_ask(body: &[u8]) -> Option<(ObjectKey, &[u8])> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (key, command) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(key).ok()?.parse().ok()?, command))
}

/// The path and query of a watch.
pub(crate) fn watch_path(of: &ObjectKey, seen: u64) -> String {
    let key = URL_SAFE_NO_PAD.encode(of.to_string());
    format!("{WATCH}?seen={seen}&of={key}")
}

/// What [`watch_path`] made, from its query.
pub(crate) fn parse_watch(query: &str) -> Option<(ObjectKey, u64)> {
    let (seen, key) = query.strip_prefix("seen=")?.split_once("&of=")?;
    let key = String::from_utf8(URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
    Some((key.parse().ok()?, seen.parse().ok()?))
}

/// What a shard answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is done; the reply of an ask, empty for a delivery.
    Done(Vec<u8>),
    /// The object says no.
    Refused(Refusal),
    /// The shard has too much to do, and did nothing.
    Overloaded(Wait),
    /// The shard failed, or could not be reached.
    Unavailable(String),
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wait {
    /// In milliseconds.
    pub(crate) retry_after_ms: u64,
}

impl Reply {
    /// The answer of a shard with too much to do.
    pub(crate) const OVERLOADED: Self = Self::Overloaded(Wait {
        retry_after_ms: OVERLOAD_RETRY_MS,
    });

    /// The HTTP status that stands for the kind of reply.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Done(_) => 200,
            Self::Refused(_) => 409,
            Self::Overloaded(_) => 429,
            Self::Unavailable(_) => 503,
        }
    }

    /// The body.
    pub(crate) fn into_body(self) -> Vec<u8> {
        match self {
            Self::Done(reply) => reply,
            Self::Refused(refusal) => serde_json::to_vec(&refusal).unwrap_or_default(),
            Self::Overloaded(wait) => serde_json::to_vec(&wait).unwrap_or_default(),
            Self::Unavailable(why) => why.into_bytes(),
        }
    }

    /// What status and body say; anything that no shard of ours says is an [`Self::Unavailable`].
    pub(crate) fn parse(status: u16, body: Vec<u8>) -> Self {
        let known = match status {
            200 => return Self::Done(body),
            409 => serde_json::from_slice(&body).ok().map(Self::Refused),
            429 => serde_json::from_slice(&body).ok().map(Self::Overloaded),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Unavailable(String::from_utf8_lossy(&body).into_owned()))
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refusal(refusal) => Self::Refused(refusal),
            Failure::Fault(Fault::Backlog) => Self::OVERLOADED,
            Failure::Fault(fault) => Self::Unavailable(fault.to_string()),
        }
    }
}

impl From<Result<Vec<u8>, Failure>> for Reply {
    fn from(result: Result<Vec<u8>, Failure>) -> Self {
        result.map_or_else(Self::from, Self::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvage_object::Kind;

    fn key() -> ObjectKey {
        ObjectKey::new(Kind::User, "@ü&seen=1:example.org")
    }

    #[test]
    fn asks_survive_the_way() {
        for command in ["", "{}", "\n\0"] {
            let body = ask_body(&key(), command.as_bytes()).unwrap();
            assert_eq!(parse_ask(&body).unwrap(), (key(), command.as_bytes()));
        }
    }

    #[test]
    fn bodies_that_are_no_asks_are_refused() {
        let bodies: [&[u8]; 5] = [b"", b"\0", b"\0\x09user/", b"\0\x04user{}", b"\0\x01\xff"];
        for body in bodies {
            assert_eq!(parse_ask(body), None, "{body:?}");
        }
        let long = ObjectKey::new(Kind::User, "u".repeat(70_000));
        assert_eq!(ask_body(&long, b""), None);
    }

    #[test]
    fn watches_survive_the_way() {
        let path = watch_path(&key(), u64::MAX);
        let query = path.strip_prefix("/watch?").unwrap();
        assert_eq!(parse_watch(query), Some((key(), u64::MAX)));
        for query in ["", "seen=1", "seen=x&of=dXNlci9h", "seen=1&of=dXNlcg"] {
            assert_eq!(parse_watch(query), None, "{query}");
        }
    }

    #[test]
    fn replies_survive_the_way() {
        let refusal = Refusal::new("M_FORBIDDEN", "no").retry_after_ms(5);
        let replies = [
            Reply::Done(vec![0, 255]),
            Reply::Refused(refusal),
            Reply::OVERLOADED,
            Reply::Unavailable("broken".to_owned()),
        ];
        for reply in replies {
            assert_eq!(Reply::parse(reply.status(), reply.clone().into_body()), reply);
        }
    }

    #[test]
    fn other_answers_are_no_replies() {
        for (status, body) in [(500, "Internal"), (409, "{}"), (429, ""), (101, "")] {
            let unavailable = Reply::Unavailable(body.to_owned());
            assert_eq!(Reply::parse(status, body.as_bytes().to_vec()), unavailable);
        }
    }
}
