//! Filters. spec: `client-server-api §filtering`
//!
//! `event_fields` and `event_format` are accepted and not acted on: the answer then has more in it than asked for.

use std::collections::BTreeSet;

use ruma::api::client::filter::{create_filter, get_filter};
use selvage_protocol::Json;
use selvage_protocol::room::EventFilter;
use selvage_protocol::user::{GetFilter, PutFilter};
use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, answer};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host, input};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<create_filter::v3::Request, _>(create);
    routes.on::<get_filter::v3::Request, _>(get);
}

/// A whole filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    pub(super) account_data: RoomEventFilter,
    event_fields: Option<Vec<String>>,
    event_format: Option<EventFormat>,

    pub(super) room: RoomFilter,
}

/// In which form events are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventFormat {
    Client,
    Federation,
}

/// Which rooms, and what of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct RoomFilter {
    rooms: Option<BTreeSet<String>>,
    not_rooms: BTreeSet<String>,
    pub(super) include_leave: bool,
    pub(super) timeline: RoomEventFilter,
    pub(super) state: RoomEventFilter,
    pub(super) ephemeral: RoomEventFilter,
    pub(super) account_data: RoomEventFilter,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct RoomEventFilter {
    limit: Option<i64>,
    types: Option<Vec<String>>,
    not_types: Vec<String>,
    senders: Option<Vec<String>>,
    not_senders: Vec<String>,
    rooms: Option<BTreeSet<String>>,
    not_rooms: BTreeSet<String>,
    contains_url: Option<bool>,
    pub(super) lazy_load_members: bool,
}

impl RoomFilter {
    /// Whether anything of the room is wanted.
    pub(super) fn wants_room(&self, room_id: &str) -> bool {
        wants(self.rooms.as_ref(), &self.not_rooms, room_id)
    }
}

fn wants(rooms: Option<&BTreeSet<String>>, not_rooms: &BTreeSet<String>, room_id: &str) -> bool {
    !not_rooms.contains(room_id) && rooms.is_none_or(|rooms| rooms.contains(room_id))
}

impl RoomEventFilter {
    /// The most events; a negative limit is none at all.
    pub(super) fn limit(&self) -> Option<u32> {
        self.limit
            .map(|limit| u32::try_from(limit.max(0)).unwrap_or(u32::MAX))
    }

    /// What the room is told, which does not look at room ids.
    pub(super) fn into_events_of(self, room_id: &str) -> EventFilter {
        let wanted = self.wants_room(room_id);
        EventFilter {
            types: if wanted { self.types } else { Some(Vec::new()) },
            not_types: self.not_types,
            senders: self.senders,
            not_senders: self.not_senders,
            contains_url: self.contains_url,
        }
    }

    /// Whether anything of the room is wanted.
    pub(super) fn wants_room(&self, room_id: &str) -> bool {
        wants(self.rooms.as_ref(), &self.not_rooms, room_id)
    }

    /// Whether data of this type, which have no sender, are wanted.
    pub(super) fn wants_type(&self, kind: &str) -> bool {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, kind));
        !named(&self.not_types) && self.types.as_ref().is_none_or(|types| named(types))
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = text.split_once(part) else {
            return false;
        };
        text = after;
    }
    text.ends_with(tail)
}

/// Reads a filter.
///
/// # Errors
/// `M_NOT_JSON` or `M_BAD_JSON`.
pub(super) fn parse(filter: &str) -> Result<Filter, ApiError> {
    input::json(filter.as_bytes())
}

/// spec: `client-server-api §post_matrixclientv3useruseridfilter`
async fn create<H: Host>(call: Call<H>) -> Answer {
    let session = call.session_of_arg().await?;
    let filter: Json = input::checked_object(&call.body)?;
    parse(filter.get())?;
    let filter_id = call
        .gateway
        .ask_user(&session.user_id, PutFilter { filter })
        .await?;
    answer(&json!({ "filter_id": filter_id }))
}

/// spec: `client-server-api §get_matrixclientv3useruseridfilterfilterid`
async fn get<H: Host>(call: Call<H>) -> Answer {
    let session = call.session_of_arg().await?;
    let command = GetFilter {
        filter_id: call.arg(1).to_owned(),
    };
    let filter = call.gateway.ask_user(&session.user_id, command).await?;
    answer(&filter.ok_or_else(|| ApiError::not_found("there is no such filter"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let cases = [
            ("m.room.message", "m.room.message", true),
            ("m.room.*", "m.room.message", true),
            ("m.room.*", "m.room.", true),
            ("m.room.*", "m.rooms", false),
            ("*", "", true),
            ("*.message", "m.room.message", true),
            ("m.*.m*e", "m.room.message", true),
            ("m*m", "m", false),
            ("a*b*c", "a-c-b", false),
            ("", "x", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn lists_are_checked_with_exclusion_first() {
        let filter = parse(
            r#"{"room":{"rooms":["!a","!b"],"not_rooms":["!b"],"ephemeral":{"types":["m.*"],"not_types":["m.typing"]}}}"#,
        )
        .unwrap();
        let wanted: Vec<bool> = ["!a", "!b", "!c"]
            .iter()
            .map(|room| filter.room.wants_room(room))
            .collect();
        assert_eq!(wanted, [true, false, false]);
        let wanted: Vec<bool> = ["m.typing", "m.receipt", "x"]
            .iter()
            .map(|kind| filter.room.ephemeral.wants_type(kind))
            .collect();
        assert_eq!(wanted, [false, true, false]);
    }

    #[test]
    fn a_timeline_of_other_rooms_wants_no_types_of_this_one() {
        let filter = parse(r#"{"room":{"timeline":{"rooms":["!a"],"types":["x"],"limit":-3}}}"#).unwrap();
        let timeline = filter.room.timeline;
        assert_eq!(timeline.limit(), Some(0));
        assert_eq!(
            timeline.clone().into_events_of("!a").types,
            Some(vec!["x".to_owned()])
        );
        assert_eq!(timeline.into_events_of("!b").types, Some(Vec::new()));
    }

    #[test]
    fn filters_of_another_shape_are_refused() {
        for filter in [
            "[]",
            r#"{"room":5}"#,
            r#"{"room":{"timeline":{"limit":"ten"}}}"#,
            r#"{"room":{"rooms":"!a"}}"#,
        ] {
            assert_eq!(parse(filter).unwrap_err().errcode, "M_BAD_JSON", "{filter}");
        }
        assert_eq!(parse("{}").unwrap(), Filter::default());
    }
}
