//! What clients show of who is in a room (spec: client-server-api §get_matrixclientv3sync, `RoomSummary`).

use selvage_event::Membership;
use selvage_object::Failure;
use selvage_protocol::room::Summary;

use crate::error::trie;
use crate::view::View;

/// How many heroes a room without a name is called by.
const HEROES_MAX: usize = 5;
/// How many members are looked at to find them.
const MEMBERS_LOOKED_AT_MAX: usize = 50;

/// The summary of the room as it is now.
pub(crate) fn summary(view: View<'_>, viewer: &str) -> Result<Summary, Failure> {
    let head = view.head()?;
    Ok(Summary {
        heroes: heroes(view, viewer)?,
        joined: head.joined,
        invited: head.invited,
    })
}

/// Some members other than the viewer: those who are in the room, else those who were.
fn heroes(view: View<'_>, viewer: &str) -> Result<Vec<String>, Failure> {
    let now = view.now()?;
    let named = |event: Option<selvage_event::Event>, key: &str| {
        event.is_some_and(|event| event.content_str(key).is_some_and(|name| !name.is_empty()))
    };
    if named(now.shown("m.room.name", "")?, "name")
        || named(now.shown("m.room.canonical_alias", "")?, "alias")
    {
        return Ok(Vec::new());
    }
    let (mut present, mut gone) = (Vec::new(), Vec::new());
    let nodes = view.nodes();
    let members = now
        .state
        .entries_of_type(&nodes, "m.room.member", None)
        .map_err(trie)?;
    for entry in members.take(MEMBERS_LOOKED_AT_MAX) {
        let entry = entry.map_err(trie)?;
        if entry.state_key() == viewer {
            continue;
        }
        let user_id = entry.state_key().to_owned();
        match now.membership(&user_id)? {
            Membership::Join | Membership::Invite => present.push(user_id),
            _ => gone.push(user_id),
        }
    }
    let mut heroes = if present.is_empty() { gone } else { present };
    heroes.sort();
    heroes.truncate(HEROES_MAX);
    Ok(heroes)
}
