//! Replacing a room by another (spec: client-server-api §room-upgrades): what the new one takes over.

use selvage_event::auth::creators;
use selvage_event::{Event, Membership};
use selvage_object::{Failure, Fault};
use selvage_protocol::Json;
use selvage_protocol::room::{NewState, PrepareUpgrade, PrepareUpgradeReply};
use serde_json::value::to_raw_value;

use crate::accept::Work;
use crate::client_event::shown;
use crate::error::{forbidden, json, trie};
use crate::members;
use crate::view::View;

/// The event that ends a room.
const TOMBSTONE: &str = "m.room.tombstone";
/// What the new room takes over as it is.
const TRANSFERRED: [&str; 9] = [
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.policy",
];
/// The rooms of a space.
const SPACE_CHILD: &str = "m.space.child";
/// The most bans, and the most rooms of a space, that the new room takes over.
const EACH_MAX: usize = 1_000;

/// What the new room takes over; see [`PrepareUpgrade`].
pub(crate) fn prepare(work: &Work<'_, '_>, command: &PrepareUpgrade) -> Result<PrepareUpgradeReply, Failure> {
    let view = work.view();
    let head = view.head()?;
    let now = view.now()?;
    if now.membership(&command.sender)? != Membership::Join {
        return Err(forbidden("you are not in this room"));
    }
    let power = work.power_levels()?;
    let may = power.is_some_and(|power| power.user(&command.sender).reaches(power.event(TOMBSTONE, true)));
    if !may {
        return Err(forbidden("you may not end this room"));
    }
    let create = now.event("m.room.create", "")?;
    let create = create.ok_or_else(|| Fault::corrupt("a room without create event"))?;
    let last = head.extremities.first();
    let power_levels = now.event("m.room.power_levels", "")?;
    Ok(PrepareUpgradeReply {
        version: head.version.as_str().to_owned(),
        creators: creators(&create).into_iter().map(str::to_owned).collect(),
        create: content(&create)?,
        power_levels: power_levels.as_ref().map(content).transpose()?,
        state: transferred(view)?,
        last_event_id: last.map(|last| last.id.as_str().to_owned()).unwrap_or_default(),
    })
}

fn transferred(view: View<'_>) -> Result<Vec<NewState>, Failure> {
    let now = view.now()?;
    let mut state = Vec::new();
    for kind in TRANSFERRED {
        state.extend(now.shown(kind, "")?.as_ref().map(new_state).transpose()?);
    }
    let nodes = view.nodes();
    let children = now
        .state
        .entries_of_type(&nodes, SPACE_CHILD, None)
        .map_err(trie)?;
    for entry in children.take(EACH_MAX) {
        let child = shown(&members::stored(view, &entry.map_err(trie)?.event_id())?)?;
        if !child.content().is_empty() {
            state.push(new_state(&child)?);
        }
    }
    let mut bans = 0;
    members::each(view, now.state, &mut |stored| {
        if stored.event.membership() == Some(Membership::Ban) && bans < EACH_MAX {
            bans += 1;
            state.push(new_state(&shown(&stored)?)?);
        }
        Ok(())
    })?;
    Ok(state)
}

fn new_state(event: &Event) -> Result<NewState, Fault> {
    Ok(NewState {
        kind: event.kind().to_owned(),
        state_key: event.state_key().unwrap_or_default().to_owned(),
        content: content(event)?,
    })
}

fn content(event: &Event) -> Result<Json, Fault> {
    to_raw_value(event.content()).map_err(|error| json(&error))
}
