//! The canonical form of a body, made in pieces: a body may have megabytes, and nobody has shown yet who sent it.

use std::collections::BTreeMap;
use std::fmt;

use selvage_event::canonical::lenient_from_bytes;
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The largest piece that is taken apart at once, in bytes: several times the largest event. In larger ones, lists are taken
/// apart element by element; a body with a larger element is refused.
const PIECE_MAX_BYTES: usize = 400_000;
/// The most members of a body.
const MEMBERS_MAX: usize = 64;

/// A body that is no JSON object, or that is not signed as a whole by any server that means well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body has no canonical form: {0}")]
pub struct NoCanonicalForm(String);

/// The canonical form of a body, which is a JSON object. Numbers that are no integers are written as Synapse does: events of
/// the first room versions have them.
///
/// # Errors
/// [`NoCanonicalForm`].
pub fn canonical_body(body: &RawValue) -> Result<String, NoCanonicalForm> {
    let mut reader = serde_json::Deserializer::from_str(body.get());
    let members = reader.deserialize_map(Members);
    let members = members.map_err(|error| NoCanonicalForm(error.to_string()))?;
    let members = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name)));
    Ok(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

/// The members by name; one that comes twice counts once, with its last value, as everywhere in the network.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            members.insert(name, member(value).map_err(A::Error::custom)?);
            if members.len() > MEMBERS_MAX {
                return Err(A::Error::custom("too many members"));
            }
        }
        Ok(members)
    }
}

fn member(value: &RawValue) -> Result<String, String> {
    if value.get().len() <= PIECE_MAX_BYTES {
        return piece(value);
    }
    let mut reader = serde_json::Deserializer::from_str(value.get());
    reader
        .deserialize_seq(Elements)
        .map_err(|error| error.to_string())
}

/// The elements of a list, each written before the next is read.
struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list, or less than {PIECE_MAX_BYTES} bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        let mut text = String::from("[");
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if element.get().len() > PIECE_MAX_BYTES {
                return Err(A::Error::custom("a large element"));
            }
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&piece(element).map_err(A::Error::custom)?);
        }
        text.push(']');
        Ok(text)
    }
}

fn piece(value: &RawValue) -> Result<String, String> {
    lenient_from_bytes(value.get().as_bytes()).map_err(|error| error.to_string())
}
