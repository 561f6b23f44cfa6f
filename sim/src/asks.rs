//! What clients ask, in short.

use selvage_event::{RoomVersion, Template, UserId};
use selvage_object::{Failure, ObjectKey};
use selvage_protocol::room::{
    ChangeMembership, Create, MembershipAction, NewState, Send, SendReply, SetReceipt, Viewer,
};
use selvage_protocol::user::{Login, Profile, Register};
use selvage_protocol::{Json, room_key, user_key};
use serde_json::{Map, Value, json};

use crate::Server;

/// The device of users who have one.
pub const DEVICE: &str = "PHONE";

/// A value as JSON text.
///
/// # Panics
/// When it has no JSON form.
#[must_use]
pub fn raw(value: &Value) -> Json {
    serde_json::value::to_raw_value(value).expect("JSON")
}

/// Who reads, on [`DEVICE`].
#[must_use]
pub fn viewer(user: &str) -> Viewer {
    Viewer {
        user_id: user.to_owned(),
        device_id: DEVICE.to_owned(),
    }
}

/// The hash under which a device's token is known: any text will do.
#[must_use]
pub fn token(user: &str, device: &str) -> String {
    format!("{user}|{device}")
}

/// Registers a user with a device.
///
/// # Panics
/// When the user object refuses.
pub fn register(server: &mut Server, user: &str, device: &str) {
    let key = user_key(user);
    let register = Register {
        password_hash: None,
        admin: false,
        displayname: None,
        receipt: user.to_owned(),
    };
    server.ask(&key, register).expect("a new user");
    login(server, user, device);
}

/// Logs a device in.
///
/// # Panics
/// When the user object refuses.
pub fn login(server: &mut Server, user: &str, device: &str) {
    let login = Login {
        device_id: device.to_owned(),
        initial_device_display_name: None,
        token_hash: token(user, device),
    };
    server.ask(&user_key(user), login).expect("a login");
}

/// A state event to be.
#[must_use]
pub fn state(kind: &str, state_key: &str, content: &Value) -> NewState {
    NewState {
        kind: kind.to_owned(),
        state_key: state_key.to_owned(),
        content: raw(content),
    }
}

/// The state with which clients make rooms: power levels, join rule, history visibility.
#[must_use]
pub fn usual_state(creator: &str, version: &str, join_rule: &str, history: &str) -> Vec<NewState> {
    // From version 12 on creators stand above all levels and may not be listed.
    let users = match version {
        "12" => json!({}),
        _ => json!({ creator: 100 }),
    };
    vec![
        state("m.room.power_levels", "", &json!({ "users": users })),
        state("m.room.join_rules", "", &json!({ "join_rule": join_rule })),
        state(
            "m.room.history_visibility",
            "",
            &json!({ "history_visibility": history }),
        ),
    ]
}

/// The signed create event of a room, and the room's id. Below version 12 `name` becomes the id's first half.
///
/// # Panics
/// When the event cannot be built.
#[must_use]
pub fn create_event(server: &Server, creator: &str, version: &str, name: &str) -> (String, Json) {
    let room_version: RoomVersion = version.parse().expect("a room version");
    let room_id = format!("!{name}:{}", server.name());
    let mut content = Map::from_iter([
        ("room_version".to_owned(), Value::from(version)),
        ("org.example.name".to_owned(), Value::from(name)),
    ]);
    if room_version.rules().auth.creator_field {
        content.insert("creator".to_owned(), Value::from(creator));
    }
    let template = Template {
        room_id: (version != "12").then(|| room_id.parse().expect("a room id")),
        sender: UserId::parse(creator).expect("a user id"),
        kind: "m.room.create".to_owned(),
        state_key: Some(String::new()),
        content,
        prev_events: Vec::new(),
        auth_events: Vec::new(),
        depth: 1,
        origin_server_ts: i64::try_from(server.now().0).expect("a time"),
        redacts: None,
    };
    let built = template.build(room_version, server.name(), server.key());
    let event = built.expect("a create event").event().clone();
    let json = serde_json::from_str(event.json()).expect("JSON");
    (event.room_id().as_str().to_owned(), json)
}

/// The command that makes a room, and the room's key.
///
/// # Panics
/// When the create event cannot be built.
#[must_use]
pub fn create(
    server: &Server,
    creator: &str,
    version: &str,
    name: &str,
    state: Vec<NewState>,
) -> (ObjectKey, Create) {
    let (room_id, create) = create_event(server, creator, version, name);
    let command = Create {
        version: version.to_owned(),
        create,
        profile: Profile::default(),
        state,
    };
    (room_key(&room_id), command)
}

/// A message event of type `m.room.message`.
#[must_use]
pub fn message(sender: &str, txn_id: &str, body: &str) -> Send {
    event(
        sender,
        Some(txn_id),
        "m.room.message",
        None,
        &json!({ "body": body, "msgtype": "m.text" }),
    )
}

/// A state event.
#[must_use]
pub fn put_state(sender: &str, kind: &str, state_key: &str, content: &Value) -> Send {
    event(sender, None, kind, Some(state_key), content)
}

/// A redaction.
#[must_use]
pub fn redaction(sender: &str, txn_id: &str, target: &str) -> Send {
    event(
        sender,
        Some(txn_id),
        "m.room.redaction",
        None,
        &json!({ "redacts": target }),
    )
}

/// Any event, from [`DEVICE`].
#[must_use]
pub fn event(
    sender: &str,
    txn_id: Option<&str>,
    kind: &str,
    state_key: Option<&str>,
    content: &Value,
) -> Send {
    Send {
        sender: sender.to_owned(),
        device_id: DEVICE.to_owned(),
        txn_id: txn_id.map(str::to_owned),
        kind: kind.to_owned(),
        state_key: state_key.map(str::to_owned),
        content: raw(content),
        origin_server_ts: None,
    }
}

/// A change of membership.
#[must_use]
pub fn membership(sender: &str, action: MembershipAction, target: &str) -> ChangeMembership {
    ChangeMembership {
        sender: sender.to_owned(),
        target: target.to_owned(),
        action,
        reason: None,
        profile: Profile::default(),
        is_direct: false,
        is_in_allowed_room: false,
    }
}

/// A receipt of no thread.
#[must_use]
pub fn receipt(user: &str, kind: &str, event_id: &str) -> SetReceipt {
    SetReceipt {
        user_id: user.to_owned(),
        kind: kind.to_owned(),
        event_id: event_id.to_owned(),
        thread_id: None,
    }
}

/// The error code of a refusal.
///
/// # Panics
/// When it was not refused.
pub fn errcode<T: std::fmt::Debug>(answer: Result<T, Failure>) -> String {
    match answer {
        Err(Failure::Refusal(refusal)) => refusal.errcode.into_owned(),
        other => panic!("this was to be refused: {other:?}"),
    }
}

/// The id of the event that was sent.
///
/// # Panics
/// When it was refused.
pub fn event_id(answer: Result<SendReply, Failure>) -> String {
    answer.expect("an event is sent").event_id
}

/// An event that a client reads, as a map.
///
/// # Panics
/// When it is no JSON object.
#[must_use]
pub fn parsed(json: &Json) -> Map<String, Value> {
    serde_json::from_str(json.get()).expect("a JSON object")
}
