//! What a joined or left room looks like in the answer.

use selvage_protocol::Json;
use selvage_protocol::room::{SliceReply, Summary};
use selvage_protocol::user::{AccountDatum, RoomChange, Window, WindowStart};
use serde::Serialize;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::request::StateAfter;
use super::room::{Context, Section};
use crate::ApiError;
use crate::client::filter::RoomEventFilter;
use crate::client::position::room_token;

#[derive(Default, Serialize)]
pub(super) struct Events {
    pub(super) events: Vec<Json>,
}

#[derive(Default, Serialize)]
struct Timeline {
    events: Vec<Json>,
    limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<String>,
}

/// A joined or left room. spec: `client-server-api §get_matrixclientv3sync` (`Joined Room`, `Left Room`)
#[derive(Serialize)]
pub(super) struct Timed {
    timeline: Timeline,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_after: Option<Events>,
    #[serde(
        rename = "org.matrix.msc4222.state_after",
        skip_serializing_if = "Option::is_none"
    )]
    state_after_unstable: Option<Events>,
    account_data: Events,
    #[serde(skip_serializing_if = "Option::is_none")]
    ephemeral: Option<Events>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<ShownSummary>,
}

#[derive(Serialize)]
struct ShownSummary {
    #[serde(rename = "m.heroes", skip_serializing_if = "Vec::is_empty")]
    heroes: Vec<String>,
    #[serde(rename = "m.joined_member_count")]
    joined: u64,
    #[serde(rename = "m.invited_member_count")]
    invited: u64,
}

/// What a room said, in the parts of the answer; all empty where the room was not asked.
#[derive(Default)]
struct Told {
    timeline: Timeline,
    state: Vec<Json>,
    receipts: Vec<Json>,
    summary: Option<Summary>,
}

impl From<SliceReply> for Told {
    fn from(slice: SliceReply) -> Self {
        let prev_batch = Some(room_token(slice.prev_batch));
        let timeline = Timeline {
            events: slice.timeline,
            limited: slice.limited,
            prev_batch,
        };
        Self {
            timeline,
            state: slice.state,
            receipts: slice.receipts,
            summary: slice.summary,
        }
    }
}

/// Whether the client must hear of the room though nothing in it is new: it did not know it so far.
fn is_new(context: &Context, section: Section, window: Option<Window>) -> bool {
    let begins = window.is_some_and(|window| !matches!(window.from, WindowStart::After(_)));
    begins || context.initial || context.full_state || section == Section::Leave
}

/// Puts together what the user object and the room said; `None` when the client learns nothing from it.
pub(super) fn timed(
    context: &Context,
    section: Section,
    room_id: &str,
    change: RoomChange,
    slice: Option<SliceReply>,
) -> Result<Option<Timed>, ApiError> {
    let is_new = is_new(context, section, change.window);
    let told = slice.map(Told::from).unwrap_or_default();
    let filter = &context.filter.room;
    let account_data = account_data(&filter.account_data, room_id, change.account_data)?;
    let ephemeral = ephemeral(&filter.ephemeral, room_id, change.typing, told.receipts)?;
    let lists = [&told.timeline.events, &told.state, &account_data, &ephemeral];
    let is_news =
        told.timeline.limited || told.summary.is_some() || lists.iter().any(|list| !list.is_empty());
    if !is_new && !is_news {
        return Ok(None);
    }
    let joined = section == Section::Join;
    let mut timed = Timed {
        timeline: told.timeline,
        state: None,
        state_after: None,
        state_after_unstable: None,
        account_data: Events { events: account_data },
        ephemeral: joined.then_some(Events { events: ephemeral }),
        summary: told.summary.filter(|_| joined).map(shown),
    };
    let state = Some(Events { events: told.state });
    match context.state_after {
        StateAfter::No => timed.state = state,
        StateAfter::Stable => timed.state_after = state,
        StateAfter::Unstable => timed.state_after_unstable = state,
    }
    Ok(Some(timed))
}

fn shown(summary: Summary) -> ShownSummary {
    ShownSummary {
        heroes: summary.heroes,
        joined: summary.joined,
        invited: summary.invited,
    }
}

/// Account data as events, as far as they are wanted.
pub(super) fn account_data(
    filter: &RoomEventFilter,
    room_id: &str,
    data: Vec<AccountDatum>,
) -> Result<Vec<Json>, ApiError> {
    let wanted = |datum: &AccountDatum| filter.wants_room(room_id) && filter.wants_type(&datum.kind);
    let event = |datum: AccountDatum| typed(&datum.kind, &datum.content);
    data.into_iter().filter(wanted).map(event).collect()
}

fn ephemeral(
    filter: &RoomEventFilter,
    room_id: &str,
    typing: Option<Vec<String>>,
    receipts: Vec<Json>,
) -> Result<Vec<Json>, ApiError> {
    let wanted = |kind: &str| filter.wants_room(room_id) && filter.wants_type(kind);
    let mut events = Vec::new();
    if let Some(user_ids) = typing.filter(|_| wanted("m.typing")) {
        events.push(typed("m.typing", &json!({ "user_ids": user_ids }))?);
    }
    for content in receipts.iter().filter(|_| wanted("m.receipt")) {
        events.push(typed("m.receipt", content)?);
    }
    Ok(events)
}

/// An event of type and content.
pub(super) fn typed(kind: &str, content: &impl Serialize) -> Result<Json, ApiError> {
    #[derive(Serialize)]
    struct Typed<'a, C> {
        #[serde(rename = "type")]
        kind: &'a str,
        content: &'a C,
    }
    to_raw_value(&Typed { kind, content }).map_err(ApiError::internal)
}
