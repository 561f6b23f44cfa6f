//! The first power levels. spec: `client-server-api §mroompower_levels`

use std::collections::BTreeMap;

use selvage_event::{RoomVersion, UserId};
use selvage_protocol::Json;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

use super::request::{Preset, Request};
use crate::ApiError;

/// Who owns the room.
const OWNER: i64 = 100;
/// Who looks after it.
const MODERATOR: i64 = 50;
/// More than anybody but a creator has: what ends a room of version 12 is for them.
const CREATORS_ONLY: i64 = 150;

/// The content of the power levels: defaults, what the preset changes, and over both the members of the override.
pub(super) fn content<'a>(
    request: &Request,
    version: RoomVersion,
    creator: &UserId,
    invited: impl Iterator<Item = &'a str>,
) -> Result<Json, ApiError> {
    let defaults = defaults(request.preset(), version, creator, invited);
    let mut content: BTreeMap<&str, Json> = BTreeMap::new();
    for (name, value) in &defaults {
        content.insert(name, to_raw_value(value).map_err(ApiError::internal)?);
    }
    for (name, value) in &request.power_level_content_override {
        content.insert(name, value.clone());
    }
    to_raw_value(&content).map_err(ApiError::internal)
}

fn defaults<'a>(
    preset: Preset,
    version: RoomVersion,
    creator: &UserId,
    invited: impl Iterator<Item = &'a str>,
) -> Map<String, Value> {
    let privileged_creators = version.rules().auth.privileged_creators;
    let mut users = Map::new();
    // From version 12 on creators stand above all levels, and naming them here is forbidden.
    if !privileged_creators {
        let equals = invited.filter(|_| preset == Preset::TrustedPrivate);
        users.extend(equals.map(|user| (user.to_owned(), Value::from(OWNER))));
        users.insert(creator.to_string(), Value::from(OWNER));
    }
    let invite = if preset == Preset::Public { MODERATOR } else { 0 };
    let levels = json!({
        "users": users,
        "users_default": 0,
        "events": events(if privileged_creators { CREATORS_ONLY } else { OWNER }),
        "events_default": 0,
        "state_default": MODERATOR,
        "ban": MODERATOR,
        "kick": MODERATOR,
        "redact": MODERATOR,
        "invite": invite,
        "historical": OWNER,
    });
    match levels {
        Value::Object(levels) => levels,
        _ => Map::new(),
    }
}

fn events(tombstone: i64) -> Value {
    json!({
        "m.room.name": MODERATOR,
        "m.room.avatar": MODERATOR,
        "m.room.canonical_alias": MODERATOR,
        "m.room.power_levels": OWNER,
        "m.room.history_visibility": OWNER,
        "m.room.encryption": OWNER,
        "m.room.server_acl": OWNER,
        "m.room.tombstone": tombstone,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(request: &Value, version: RoomVersion) -> Value {
        let request: Request = serde_json::from_value(request.clone()).unwrap();
        let invited = request.invite.iter().map(String::as_str);
        let creator = "@alice:example.org".parse().unwrap();
        serde_json::from_str(content(&request, version, &creator, invited).unwrap().get()).unwrap()
    }

    #[test]
    fn creators_are_named_until_version_11() {
        let of = |version| levels(&json!({}), version);
        assert_eq!(
            of(RoomVersion::V11)["users"],
            json!({ "@alice:example.org": 100 })
        );
        assert_eq!(of(RoomVersion::V12)["users"], json!({}));
        assert_eq!(of(RoomVersion::V11)["events"]["m.room.tombstone"], 100);
        assert_eq!(of(RoomVersion::V12)["events"]["m.room.tombstone"], 150);
    }

    #[test]
    fn trusted_invitees_are_the_creators_equals() {
        let request = json!({ "preset": "trusted_private_chat", "invite": ["@bob:example.org"] });
        assert_eq!(
            levels(&request, RoomVersion::V10)["users"],
            json!({ "@alice:example.org": 100, "@bob:example.org": 100 })
        );
        let request = json!({ "preset": "private_chat", "invite": ["@bob:example.org"] });
        assert_eq!(
            levels(&request, RoomVersion::V10)["users"],
            json!({ "@alice:example.org": 100 })
        );
    }

    #[test]
    fn anybody_invites_to_private_rooms() {
        assert_eq!(
            levels(&json!({ "preset": "private_chat" }), RoomVersion::V12)["invite"],
            0
        );
        assert_eq!(
            levels(&json!({ "visibility": "public" }), RoomVersion::V12)["invite"],
            50
        );
    }

    #[test]
    fn the_override_replaces_whole_members() {
        let request = json!({ "power_level_content_override": { "events": { "m.room.name": 1 }, "ban": 7 } });
        let levels = levels(&request, RoomVersion::V12);
        assert_eq!(levels["events"], json!({ "m.room.name": 1 }));
        assert_eq!((&levels["ban"], &levels["kick"]), (&json!(7), &json!(50)));
    }
}
