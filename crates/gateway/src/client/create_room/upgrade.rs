//! Replacing a room by one of another version. spec: `client-server-api §room-upgrades`

use selvage_event::{RoomId, RoomVersion, UserId};
use selvage_protocol::room::{Create, NewState, PrepareUpgrade, PrepareUpgradeReply, Send};
use selvage_protocol::user::{Bucket, Session};
use selvage_protocol::{errcode, room_key};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::request::Request;
use super::{as_creation_error, create_event};
use crate::call::{Call, answer, parse_user_id};
use crate::router::Answer;
use crate::{ApiError, Gateway, Host};

const POWER_LEVELS: &str = "m.room.power_levels";
/// Who owns a room whose version knows no creators of infinite power.
const OWNER: i64 = 100;
/// Who may still speak in the old room, at least.
const MODERATOR: i64 = 50;
/// What the new create event says for itself.
const NOT_TAKEN_OVER: [&str; 5] = [
    "creator",
    "room_version",
    "predecessor",
    "additional_creators",
    "org.selvage.nonce",
];

#[derive(Deserialize)]
struct Upgrade {
    new_version: String,
    #[serde(default)]
    additional_creators: Vec<String>,
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidupgrade`
pub(super) async fn upgrade<H: Host>(call: Call<H>) -> Answer {
    let session = call.counted_session(Bucket::Membership).await?;
    let (old, body): (RoomId, Upgrade) = (call.room_id(0)?, call.json()?);
    let version: RoomVersion = body.new_version.parse().map_err(|_| {
        ApiError::new(
            errcode::UNSUPPORTED_ROOM_VERSION,
            "this server has no such room version",
        )
    })?;
    let gateway = &call.gateway;
    let ask = PrepareUpgrade {
        sender: session.user_id.clone(),
    };
    let prepared = gateway.ask(room_key(old.as_str()), ask).await?;
    let new = make(gateway, &session, (&old, &prepared), version, &body).await?;
    end(gateway, &session, (&old, &prepared), &new).await?;
    answer(&json!({ "replacement_room": new }))
}

/// Makes the new room.
async fn make<H: Host>(
    gateway: &Gateway<H>,
    session: &Session,
    (old, prepared): (&RoomId, &PrepareUpgradeReply),
    version: RoomVersion,
    body: &Upgrade,
) -> Result<RoomId, ApiError> {
    let creator = parse_user_id(&session.user_id)?;
    let request = Request::of_creation_content(creation_content(old, prepared, version, body)?);
    let template = create_event(gateway, version, &creator, &request, &[])?;
    let create = template.build(version, gateway.server_name(), gateway.signing_key())?;
    let command = Create {
        version: version.to_string(),
        create: RawValue::from_string(create.event().json().to_owned()).map_err(ApiError::internal)?,
        profile: session.profile.clone(),
        state: state(prepared, version, &creator, body)?,
    };
    let room_id = create.event().room_id();
    let made = gateway.ask(room_key(room_id.as_str()), command).await;
    made.map_err(|error| as_creation_error(error.into()))?;
    Ok(room_id.clone())
}

fn creation_content(
    old: &RoomId,
    prepared: &PrepareUpgradeReply,
    version: RoomVersion,
    body: &Upgrade,
) -> Result<Map<String, Value>, ApiError> {
    let mut content: Map<String, Value> =
        serde_json::from_str(prepared.create.get()).map_err(ApiError::internal)?;
    content.retain(|key, _| !NOT_TAKEN_OVER.contains(&key.as_str()));
    let mut predecessor = Map::new();
    predecessor.insert("room_id".to_owned(), Value::from(old.as_str()));
    if version.rules().auth.privileged_creators {
        if !body.additional_creators.is_empty() {
            content.insert("additional_creators".to_owned(), json!(body.additional_creators));
        }
    } else {
        let last = Value::from(prepared.last_event_id.as_str());
        predecessor.insert("event_id".to_owned(), last);
    }
    content.insert("predecessor".to_owned(), Value::Object(predecessor));
    Ok(content)
}

/// The state of the new room: power levels with which its maker can send the rest, the rest, and the power levels that hold.
fn state(
    prepared: &PrepareUpgradeReply,
    version: RoomVersion,
    creator: &UserId,
    body: &Upgrade,
) -> Result<Vec<NewState>, ApiError> {
    let levels = power_levels(prepared, version, creator, body)?;
    let mut first = levels.clone();
    if !version.rules().auth.privileged_creators {
        let highest = highest(&levels).max(OWNER);
        with_users(&mut first, |users| {
            users.insert(creator.as_str().to_owned(), Value::from(highest));
        });
    }
    let mut state = vec![new_state(&first)?];
    state.extend(prepared.state.iter().cloned());
    if first != levels {
        state.push(new_state(&levels)?);
    }
    Ok(state)
}

/// The power levels of the new room: those of the old, with its creators among the users where the new room's version
/// wants that, and without them where it does not.
fn power_levels(
    prepared: &PrepareUpgradeReply,
    version: RoomVersion,
    creator: &UserId,
    body: &Upgrade,
) -> Result<Map<String, Value>, ApiError> {
    let mut levels: Map<String, Value> = match &prepared.power_levels {
        Some(content) => serde_json::from_str(content.get()).map_err(ApiError::internal)?,
        None => Map::new(),
    };
    let old: RoomVersion = prepared.version.parse().map_err(ApiError::internal)?;
    let lacks_creators = old.rules().auth.privileged_creators || prepared.power_levels.is_none();
    with_users(&mut levels, |users| {
        if version.rules().auth.privileged_creators {
            users.retain(|user, _| user != creator.as_str() && !body.additional_creators.contains(user));
        } else if lacks_creators {
            let creators = prepared.creators.iter();
            users.extend(creators.map(|creator| (creator.clone(), Value::from(OWNER))));
        }
    });
    Ok(levels)
}

/// The levels of users by name, to be changed. What is no object has no meaning and is replaced.
fn with_users(levels: &mut Map<String, Value>, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut users = match levels.remove("users") {
        Some(Value::Object(users)) => users,
        _ => Map::new(),
    };
    change(&mut users);
    levels.insert("users".to_owned(), Value::Object(users));
}

/// The highest level that the power levels name.
fn highest(levels: &Map<String, Value>) -> i64 {
    let of = |value: &Value| match value {
        Value::Object(levels) => levels.values().filter_map(level).max(),
        other => level(other),
    };
    levels.values().filter_map(of).max().unwrap_or(0)
}

/// A level; old room versions write numbers as text.
fn level(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn new_state(levels: &Map<String, Value>) -> Result<NewState, ApiError> {
    Ok(NewState {
        kind: POWER_LEVELS.to_owned(),
        state_key: String::new(),
        content: to_raw_value(levels).map_err(ApiError::internal)?,
    })
}

/// Ends the old room: a tombstone that names the new one, and power levels that keep ordinary members from going on there.
async fn end<H: Host>(
    gateway: &Gateway<H>,
    session: &Session,
    (old, prepared): (&RoomId, &PrepareUpgradeReply),
    new: &RoomId,
) -> Result<(), ApiError> {
    let tombstone = json!({ "body": "This room has been replaced", "replacement_room": new });
    let sent = send(session, "m.room.tombstone", &tombstone)?;
    gateway.ask(room_key(old.as_str()), sent).await?;
    let mut levels: Map<String, Value> = match &prepared.power_levels {
        Some(content) => serde_json::from_str(content.get()).map_err(ApiError::internal)?,
        None => return Ok(()),
    };
    let default = levels.get("users_default").and_then(level).unwrap_or(0);
    let restricted = MODERATOR.max(default.saturating_add(1));
    for key in ["events_default", "invite"] {
        let now = levels.get(key).and_then(level).unwrap_or(0);
        levels.insert(key.to_owned(), Value::from(now.max(restricted)));
    }
    let sent = send(session, POWER_LEVELS, &Value::Object(levels))?;
    match gateway
        .ask(room_key(old.as_str()), sent)
        .await
        .map_err(ApiError::from)
    {
        // Who may end a room may not always change its power levels.
        Err(error) if error.is(errcode::FORBIDDEN) => Ok(()),
        other => other.map(|_| ()),
    }
}

fn send(session: &Session, kind: &str, content: &Value) -> Result<Send, ApiError> {
    Ok(Send {
        sender: session.user_id.clone(),
        device_id: session.device_id.clone(),
        txn_id: None,
        kind: kind.to_owned(),
        state_key: Some(String::new()),
        content: to_raw_value(content).map_err(ApiError::internal)?,
        origin_server_ts: None,
    })
}
