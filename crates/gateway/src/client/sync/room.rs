//! One room's part of a sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use selvage_protocol::room::{Slice, SliceFilter, SliceReply, Summary, Viewer};
use selvage_protocol::user::{AccountDatum, Membership, RoomChange, Window, WindowStart};
use selvage_protocol::{Json, errcode, room_key};
use serde::Serialize;
use serde_json::json;
use serde_json::value::to_raw_value;

use super::request::StateAfter;
use crate::client::filter::{Filter, RoomEventFilter};
use crate::client::position::room_token;
use crate::{ApiError, Gateway, Host};

/// The events of a timeline unless asked otherwise.
const TIMELINE_LIMIT_DEFAULT: u32 = 10;
/// The most events of a timeline.
const TIMELINE_LIMIT_MAX: u32 = 100;

/// What holds for all rooms of a sync.
pub(super) struct Context {
    pub(super) viewer: Viewer,
    pub(super) initial: bool,
    pub(super) full_state: bool,
    pub(super) state_after: StateAfter,
    pub(super) filter: Filter,
}

/// Where in the answer a room stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Invite,
    Join,
    Knock,
    Leave,
}

impl Section {
    /// The first in the order in which sections are written.
    pub(super) const FIRST: Self = Self::Invite;

    /// The one after it.
    pub(super) const fn next(self) -> Option<Self> {
        match self {
            Self::Invite => Some(Self::Join),
            Self::Join => Some(Self::Knock),
            Self::Knock => Some(Self::Leave),
            Self::Leave => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Join => "join",
            Self::Knock => "knock",
            Self::Leave => "leave",
        }
    }

    const fn of(membership: Membership) -> Self {
        match membership {
            Membership::Invite => Self::Invite,
            Membership::Join => Self::Join,
            Membership::Knock => Self::Knock,
            Membership::Leave | Membership::Ban => Self::Leave,
        }
    }
}

/// A room that changed, as far as the user object knows.
pub(super) struct Changed {
    section: Section,
    room_id: String,
    change: RoomChange,
}

/// A room's part of the answer, written out.
pub(super) struct Part {
    pub(super) section: Section,
    pub(super) room_id: String,
    pub(super) json: Vec<u8>,
}

/// The rooms that the filter wants, by section.
pub(super) fn changed(rooms: BTreeMap<String, RoomChange>, filter: &Filter) -> Vec<Changed> {
    let wanted = rooms
        .into_iter()
        .filter(|(room_id, _)| filter.room.wants_room(room_id));
    let with_section = |(room_id, change): (String, RoomChange)| {
        let section = Section::of(change.membership);
        Changed {
            section,
            room_id,
            change,
        }
    };
    let mut rooms: Vec<Changed> = wanted.map(with_section).collect();
    rooms.sort_by(|one, other| (one.section, &one.room_id).cmp(&(other.section, &other.room_id)));
    rooms
}

#[derive(Default, Serialize)]
struct Events {
    events: Vec<Json>,
}

#[derive(Serialize)]
struct Timeline {
    events: Vec<Json>,
    limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<String>,
}

/// A joined or left room. spec: `client-server-api §get_matrixclientv3sync` (`Joined Room`, `Left Room`)
#[derive(Serialize)]
struct Timed {
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

/// Asks a room for its part; `None` when the client learns nothing from it.
///
/// # Errors
/// When the room cannot answer: the sync then fails as a whole, because its token would step over what was missed.
pub(super) async fn part<H: Host>(
    gateway: Gateway<H>,
    context: Arc<Context>,
    changed: Changed,
) -> Result<Option<Part>, ApiError> {
    let Changed {
        section,
        room_id,
        change,
    } = changed;
    let json = match section {
        Section::Invite => encode(&json!({ "invite_state": Events { events: change.stripped_state } }))?,
        Section::Knock => encode(&json!({ "knock_state": Events { events: change.stripped_state } }))?,
        Section::Join | Section::Leave => {
            let slice = match change.window {
                Some(window) => slice(&gateway, &context, &room_id, window).await?,
                None => None,
            };
            match timed(&context, section, &room_id, change, slice)? {
                Some(timed) => encode(&timed)?,
                None => return Ok(None),
            }
        }
    };
    Ok(Some(Part {
        section,
        room_id,
        json,
    }))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(ApiError::internal)
}

async fn slice<H: Host>(
    gateway: &Gateway<H>,
    context: &Context,
    room_id: &str,
    window: Window,
) -> Result<Option<SliceReply>, ApiError> {
    let command = Slice {
        viewer: context.viewer.clone(),
        from: window.from,
        to: window.to,
        filter: slice_filter(&context.filter, room_id),
        full_state: context.full_state,
        state_after: context.state_after != StateAfter::No,
    };
    match gateway
        .ask(room_key(room_id), command)
        .await
        .map_err(ApiError::from)
    {
        Ok(slice) => Ok(Some(slice)),
        // The user left between the two asks, and the next sync says so; or the room shows nothing to the user.
        Err(error) if error.is(errcode::FORBIDDEN) || error.is(errcode::NOT_FOUND) => {
            tracing::warn!(%error, "a room shows nothing to a user who was said to be in it");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn slice_filter(filter: &Filter, room_id: &str) -> SliceFilter {
    let (timeline, state) = (&filter.room.timeline, &filter.room.state);
    SliceFilter {
        limit: timeline
            .limit()
            .unwrap_or(TIMELINE_LIMIT_DEFAULT)
            .min(TIMELINE_LIMIT_MAX),
        lazy_load_members: state.lazy_load_members || timeline.lazy_load_members,
        timeline: timeline.clone().into_events_of(room_id),
        state: state.clone().into_events_of(room_id),
    }
}

/// Puts together what the user object and the room said; `None` when that is nothing new.
fn timed(
    context: &Context,
    section: Section,
    room_id: &str,
    change: RoomChange,
    slice: Option<SliceReply>,
) -> Result<Option<Timed>, ApiError> {
    let begins = matches!(
        change.window,
        Some(Window {
            from: WindowStart::Nothing | WindowStart::Lost,
            ..
        })
    );
    let (mut receipts, mut summary) = (None, None);
    let (mut timeline, mut state) = (
        Timeline {
            events: Vec::new(),
            limited: false,
            prev_batch: None,
        },
        Vec::new(),
    );
    if let Some(slice) = slice {
        let prev_batch = Some(room_token(slice.prev_batch));
        timeline = Timeline {
            events: slice.timeline,
            limited: slice.limited,
            prev_batch,
        };
        (state, receipts, summary) = (slice.state, slice.receipts, slice.summary);
    }
    let filter = &context.filter.room;
    let account_data = account_data(&filter.account_data, room_id, change.account_data)?;
    let ephemeral = ephemeral(&filter.ephemeral, room_id, change.typing, receipts)?;
    let is_news = begins
        || context.initial
        || context.full_state
        || section == Section::Leave
        || timeline.limited
        || summary.is_some()
        || [&timeline.events, &state, &account_data, &ephemeral]
            .iter()
            .any(|events| !events.is_empty());
    Ok(is_news.then(|| {
        let joined = section == Section::Join;
        let in_words = |words| {
            (context.state_after == words).then(|| Events {
                events: state.clone(),
            })
        };
        Timed {
            timeline,
            state: in_words(StateAfter::No),
            state_after: in_words(StateAfter::Stable),
            state_after_unstable: in_words(StateAfter::Unstable),
            account_data: Events { events: account_data },
            ephemeral: joined.then_some(Events { events: ephemeral }),
            summary: summary.filter(|_| joined).map(shown),
        }
    }))
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
    receipts: Option<Json>,
) -> Result<Vec<Json>, ApiError> {
    let wanted = |kind: &str| filter.wants_room(room_id) && filter.wants_type(kind);
    let mut events = Vec::new();
    if let Some(user_ids) = typing.filter(|_| wanted("m.typing")) {
        events.push(typed("m.typing", &json!({ "user_ids": user_ids }))?);
    }
    if let Some(content) = receipts.filter(|_| wanted("m.receipt")) {
        events.push(typed("m.receipt", &content)?);
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
