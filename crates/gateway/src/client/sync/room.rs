//! One room's part of a sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use selvage_protocol::room::{Slice, SliceFilter, SliceReply, Viewer};
use selvage_protocol::user::{Membership, RoomChange, Window};
use selvage_protocol::{errcode, room_key};
use serde::Serialize;
use serde_json::json;

use super::form::{Events, timed};
use super::request::StateAfter;
use crate::client::filter::Filter;
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
        Section::Leave if change.out_of_band => {
            encode(&json!({ "timeline": Events { events: Vec::new() } }))?
        }
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
