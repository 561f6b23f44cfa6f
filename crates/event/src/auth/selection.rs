//! Which state events authorise an event. spec: `server-server-api §Auth events selection`.

use serde_json::Value;

use crate::Map;
use crate::event::Membership;
use crate::version::RoomVersion;

/// The types and state keys of the state events that belong into `auth_events`, as far as the state has them.
/// Empty for the create event. From version 12 on the create event is not among them.
#[must_use]
pub fn auth_types_for(
    version: RoomVersion,
    kind: &str,
    sender: &str,
    state_key: Option<&str>,
    content: &Map,
) -> Vec<(String, String)> {
    let key = |kind: &str, state_key: &str| (kind.to_owned(), state_key.to_owned());
    if kind == "m.room.create" {
        return Vec::new();
    }
    let mut keys = Vec::with_capacity(6);
    if !version.rules().auth.privileged_creators {
        keys.push(key("m.room.create", ""));
    }
    keys.push(key("m.room.power_levels", ""));
    keys.push(key("m.room.member", sender));
    if kind == "m.room.member" {
        add_for_membership(version, sender, state_key, content, &mut keys);
    }
    keys
}

fn add_for_membership(
    version: RoomVersion,
    sender: &str,
    state_key: Option<&str>,
    content: &Map,
    keys: &mut Vec<(String, String)>,
) {
    let mut add = |kind: &str, state_key: &str| {
        let key = (kind.to_owned(), state_key.to_owned());
        if !keys.contains(&key) {
            keys.push(key);
        }
    };
    if let Some(target) = state_key.filter(|target| *target != sender) {
        add("m.room.member", target);
    }
    let membership = content
        .get("membership")
        .and_then(Value::as_str)
        .and_then(Membership::from_name);
    if matches!(
        membership,
        Some(Membership::Join | Membership::Invite | Membership::Knock)
    ) {
        add("m.room.join_rules", "");
    }
    let token = content
        .get("third_party_invite")
        .and_then(|invite| invite.get("signed")?.get("token")?.as_str());
    if let (Some(Membership::Invite), Some(token)) = (membership, token) {
        add("m.room.third_party_invite", token);
    }
    let authoriser = content
        .get("join_authorised_via_users_server")
        .and_then(Value::as_str);
    if let (Some(Membership::Join), Some(authoriser), true) =
        (membership, authoriser, version.rules().auth.restricted)
    {
        add("m.room.member", authoriser);
    }
}
