//! The events of a new room, in the order in which they are sent. spec: `client-server-api §post_matrixclientv3createroom`

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_event::{RoomId, RoomVersion, ServerName, Template, UserId};
use selvage_object::Random;
use selvage_protocol::room::NewState;
use selvage_protocol::{Json, errcode};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

use super::request::{InitialState, Preset, Request};
use super::{Invitee, power_levels};
use crate::ApiError;
use crate::call::parse_user_id;

/// The letters of the ids of rooms up to version 11.
const ROOM_ID_LETTERS: usize = 18;
/// Makes two rooms that are created alike in one millisecond differ, whose id is their create event's hash.
const NONCE_FIELD: &str = "org.selvage.nonce";
const POWER_LEVELS: &str = "m.room.power_levels";

/// What is new with each room.
pub(super) struct Fresh<'a> {
    pub(super) random: [u8; 32],
    pub(super) origin_server_ts: i64,
    pub(super) server: &'a ServerName,
}

/// The create event.
///
/// # Errors
/// `M_INVALID_PARAM` when additional creators are no user ids.
pub(super) fn create<'a>(
    request: &Request,
    version: RoomVersion,
    creator: &UserId,
    invited: impl Iterator<Item = &'a str>,
    fresh: Fresh<'_>,
) -> Result<Template, ApiError> {
    let rules = &version.rules().auth;
    let mut content = request.creation_content.clone();
    content.insert("room_version".to_owned(), Value::from(version.as_str()));
    content.remove("creator");
    if rules.creator_field {
        content.insert("creator".to_owned(), Value::from(creator.as_str()));
    }
    let mut room_id = None;
    if rules.privileged_creators {
        add_creators(&mut content, request, invited)?;
        let nonce: Vec<u8> = fresh.random.into_iter().take(16).collect();
        content.insert(NONCE_FIELD.to_owned(), Value::from(URL_SAFE_NO_PAD.encode(nonce)));
    } else {
        let letters = Random::new(fresh.random).letters(ROOM_ID_LETTERS);
        room_id = Some(RoomId::parse(format!("!{letters}:{}", fresh.server)).map_err(ApiError::internal)?);
    }
    Ok(Template {
        room_id,
        sender: creator.clone(),
        kind: "m.room.create".to_owned(),
        state_key: Some(String::new()),
        content,
        prev_events: Vec::new(),
        auth_events: Vec::new(),
        depth: 1,
        origin_server_ts: fresh.origin_server_ts,
        redacts: None,
    })
}

/// Checks the creators beside the sender, and adds those whom the room trusts.
fn add_creators<'a>(
    content: &mut Map<String, Value>,
    request: &Request,
    invited: impl Iterator<Item = &'a str>,
) -> Result<(), ApiError> {
    const FIELD: &str = "additional_creators";
    let mut creators: Vec<String> = match content.remove(FIELD) {
        None => Vec::new(),
        Some(named) => serde_json::from_value(named)
            .map_err(|_| ApiError::invalid_param("additional_creators is no list of user ids"))?,
    };
    creators
        .iter()
        .try_for_each(|creator| parse_user_id(creator).map(|_| ()))?;
    for user in invited.filter(|_| request.preset() == Preset::TrustedPrivate) {
        if !creators.iter().any(|creator| creator == user) {
            creators.push(user.to_owned());
        }
    }
    if !creators.is_empty() {
        content.insert(FIELD.to_owned(), Value::from(creators));
    }
    Ok(())
}

/// The state after the creator's join: power levels, the preset's, the client's own, name, topic, invites. What the client
/// sets itself takes the place of the preset's.
///
/// # Errors
/// `M_INVALID_PARAM` when the first state has events that only the server makes.
pub(super) fn after_join(
    request: &Request,
    version: RoomVersion,
    creator: &UserId,
    invitees: &[Invitee],
) -> Result<Vec<NewState>, ApiError> {
    refuse_reserved(&request.initial_state)?;
    let own = |kind: &str| {
        request
            .initial_state
            .iter()
            .rfind(|one| one.kind == kind && one.state_key.is_empty())
    };
    let levels = match own(POWER_LEVELS) {
        Some(own) => own.content.clone(),
        None => {
            let invited = invitees.iter().map(|invitee| invitee.user.as_str());
            power_levels::content(request, version, creator, invited)?
        }
    };
    let mut state = vec![event(POWER_LEVELS, "", levels)];
    for (kind, content) in preset_state(request.preset()) {
        if own(kind).is_none() {
            state.push(event(kind, "", raw(&content)?));
        }
    }
    let is_levels = |one: &&InitialState| one.kind == POWER_LEVELS && one.state_key.is_empty();
    let initial = request.initial_state.iter().filter(|one| !is_levels(one));
    state.extend(initial.map(|one| event(&one.kind, &one.state_key, one.content.clone())));
    if let Some(name) = &request.name {
        state.push(event("m.room.name", "", raw(&json!({ "name": name }))?));
    }
    if let Some(topic) = &request.topic {
        state.push(event("m.room.topic", "", raw(&topic_content(topic))?));
    }
    for invitee in invitees.iter().filter(|invitee| invitee.is_local) {
        let content = raw(&invite_content(invitee, request.is_direct))?;
        state.push(event("m.room.member", invitee.user.as_str(), content));
    }
    Ok(state)
}

/// The create event, and memberships, are the server's to make.
fn refuse_reserved(initial_state: &[InitialState]) -> Result<(), ApiError> {
    let reserved = |one: &&InitialState| one.kind == "m.room.create" || one.kind == "m.room.member";
    match initial_state.iter().find(reserved) {
        Some(one) => {
            let message = format!("initial_state may not have {}", one.kind);
            Err(ApiError::new(errcode::INVALID_PARAM, message))
        }
        None => Ok(()),
    }
}

fn preset_state(preset: Preset) -> [(&'static str, Value); 3] {
    let (join_rule, guest_access) = match preset {
        Preset::Public => ("public", "forbidden"),
        Preset::Private | Preset::TrustedPrivate => ("invite", "can_join"),
    };
    [
        ("m.room.join_rules", json!({ "join_rule": join_rule })),
        (
            "m.room.history_visibility",
            json!({ "history_visibility": "shared" }),
        ),
        ("m.room.guest_access", json!({ "guest_access": guest_access })),
    ]
}

/// spec: `client-server-api §mroomtopic`
fn topic_content(topic: &str) -> Value {
    json!({ "topic": topic, "m.topic": { "m.text": [{ "body": topic }] } })
}

fn invite_content(invitee: &Invitee, is_direct: bool) -> Value {
    let mut content = json!({ "membership": "invite" });
    if let Some(content) = content.as_object_mut() {
        let profile = &invitee.profile;
        let fields = [
            ("displayname", &profile.displayname),
            ("avatar_url", &profile.avatar_url),
        ];
        for (name, value) in fields {
            content.extend(
                value
                    .as_ref()
                    .map(|value| (name.to_owned(), Value::from(value.as_str()))),
            );
        }
        content.extend(is_direct.then(|| ("is_direct".to_owned(), Value::from(true))));
    }
    content
}

fn event(kind: &str, state_key: &str, content: Json) -> NewState {
    NewState {
        kind: kind.to_owned(),
        state_key: state_key.to_owned(),
        content,
    }
}

fn raw(content: &Value) -> Result<Json, ApiError> {
    to_raw_value(content).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvage_event::SigningKey;
    use selvage_protocol::user::Profile;

    fn request(body: &Value) -> Request {
        serde_json::from_value(body.clone()).unwrap()
    }

    fn invitees(request: &Request) -> Vec<Invitee> {
        let with_profile = |name: &String| Invitee {
            user: name.parse().unwrap(),
            profile: Profile {
                displayname: Some("Bob".to_owned()),
                avatar_url: None,
            },
            is_local: true,
        };
        request.invite.iter().map(with_profile).collect()
    }

    fn alice() -> UserId {
        "@alice:example.org".parse().unwrap()
    }

    fn created(body: &Value, version: RoomVersion, seed: u8) -> Result<Template, ApiError> {
        let request = request(body);
        let server = "example.org".parse().unwrap();
        let fresh = Fresh {
            random: [seed; 32],
            origin_server_ts: 1,
            server: &server,
        };
        create(
            &request,
            version,
            &alice(),
            request.invite.iter().map(String::as_str),
            fresh,
        )
    }

    fn sent(body: &Value, version: RoomVersion) -> Vec<(String, String, Value)> {
        let request = request(body);
        let state = after_join(&request, version, &alice(), &invitees(&request)).unwrap();
        let whole = |one: NewState| {
            (
                one.kind,
                one.state_key,
                serde_json::from_str(one.content.get()).unwrap(),
            )
        };
        state.into_iter().map(whole).collect()
    }

    #[test]
    fn events_come_in_the_order_of_the_spec() {
        let body = json!({
            "preset": "public_chat", "name": "N", "topic": "T", "invite": ["@bob:example.org"], "is_direct": true,
            "initial_state": [{ "type": "m.room.encryption", "content": {} }, { "type": "x", "state_key": "k", "content": {} }],
        });
        let sent = sent(&body, RoomVersion::V12);
        let kinds: Vec<&str> = sent.iter().map(|(kind, ..)| kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "m.room.power_levels",
                "m.room.join_rules",
                "m.room.history_visibility",
                "m.room.guest_access",
                "m.room.encryption",
                "x",
                "m.room.name",
                "m.room.topic",
                "m.room.member",
            ]
        );
        assert_eq!(sent[5].1, "k");
        let invite = json!({ "membership": "invite", "displayname": "Bob", "is_direct": true });
        assert_eq!((sent[8].1.as_str(), &sent[8].2), ("@bob:example.org", &invite));
    }

    #[test]
    fn the_clients_state_takes_the_presets_place() {
        let body = json!({ "initial_state": [
            { "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } },
            { "type": "m.room.power_levels", "content": { "ban": 1 } },
        ]});
        let sent = sent(&body, RoomVersion::V11);
        let of = |kind: &str| -> Vec<&Value> {
            sent.iter()
                .filter(|(one, ..)| one == kind)
                .map(|(.., content)| content)
                .collect()
        };
        assert_eq!(
            of("m.room.history_visibility"),
            [&json!({ "history_visibility": "joined" })]
        );
        assert_eq!(of("m.room.power_levels"), [&json!({ "ban": 1 })]);
        assert_eq!(sent[0].0, "m.room.power_levels");
    }

    #[test]
    fn presets_say_who_may_come_in() {
        for (preset, join_rule, guests) in [
            ("private_chat", "invite", "can_join"),
            ("trusted_private_chat", "invite", "can_join"),
            ("public_chat", "public", "forbidden"),
        ] {
            let sent = sent(&json!({ "preset": preset }), RoomVersion::V12);
            assert_eq!(sent[1].2, json!({ "join_rule": join_rule }), "{preset}");
            assert_eq!(sent[3].2, json!({ "guest_access": guests }), "{preset}");
        }
    }

    #[test]
    fn what_the_server_makes_is_refused_in_the_first_state() {
        for kind in ["m.room.create", "m.room.member"] {
            let request = request(&json!({ "initial_state": [{ "type": kind, "content": {} }] }));
            let error = after_join(&request, RoomVersion::V12, &alice(), &[]).unwrap_err();
            assert_eq!(error.errcode, "M_INVALID_PARAM", "{kind}");
        }
    }

    #[test]
    fn content_passes_unread() {
        let body = r#"{"initial_state":[{"type":"x","content":{"n":  1.50}}]}"#;
        let request: Request = serde_json::from_str(body).unwrap();
        let state = after_join(&request, RoomVersion::V12, &alice(), &[]).unwrap();
        assert_eq!(state.last().unwrap().content.get(), r#"{"n":  1.50}"#);
    }

    #[test]
    fn the_create_event_follows_its_version() {
        let body = json!({ "creation_content": { "creator": "@eve:example.org", "room_version": "1", "type": "m.space" } });
        let old = created(&body, RoomVersion::V10, 1).unwrap();
        assert_eq!(old.content["creator"], "@alice:example.org");
        assert_eq!(old.content["room_version"], "10");
        assert!(old.room_id.unwrap().as_str().ends_with(":example.org"));
        let newer = created(&body, RoomVersion::V11, 1).unwrap();
        assert_eq!(
            (newer.content.get("creator"), &newer.content["type"]),
            (None, &json!("m.space"))
        );
        let newest = created(&body, RoomVersion::V12, 1).unwrap();
        assert_eq!((newest.content.get("creator"), newest.room_id), (None, None));
    }

    #[test]
    fn rooms_made_alike_at_once_are_different_rooms() {
        let key = SigningKey::from_seed("ed25519:1", &[1; 32]).unwrap();
        let room = |seed| {
            let server = "example.org".parse().unwrap();
            let event =
                created(&json!({}), RoomVersion::V12, seed)
                    .unwrap()
                    .build(RoomVersion::V12, &server, &key);
            event.unwrap().event().room_id().clone()
        };
        assert_ne!(room(1), room(2));
        assert_eq!(room(1), room(1));
    }

    #[test]
    fn trusted_invitees_become_creators() {
        let body = json!({
            "preset": "trusted_private_chat", "invite": ["@bob:example.org", "@eve:example.org"],
            "creation_content": { "additional_creators": ["@eve:example.org"] },
        });
        let create = created(&body, RoomVersion::V12, 1).unwrap();
        assert_eq!(
            create.content["additional_creators"],
            json!(["@eve:example.org", "@bob:example.org"])
        );
        let old = created(
            &json!({ "preset": "trusted_private_chat", "invite": ["@bob:example.org"] }),
            RoomVersion::V11,
            1,
        );
        assert_eq!(old.unwrap().content.get("additional_creators"), None);
        for bad in [json!("x"), json!(["x"]), json!([1])] {
            let body = json!({ "creation_content": { "additional_creators": bad } });
            assert_eq!(
                created(&body, RoomVersion::V12, 1).unwrap_err().errcode,
                "M_INVALID_PARAM",
                "{body}"
            );
        }
    }
}
