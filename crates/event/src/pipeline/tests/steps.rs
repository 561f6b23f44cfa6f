//! Checks 4 to 6, and what becomes of an event.

use super::*;

type State = BTreeMap<(String, String), Event>;

/// A room of version 11 as it grows: what is known, and its state.
struct Room {
    known: BTreeMap<EventId, KnownEvent>,
    state: State,
}

impl Room {
    fn new() -> Self {
        let mut room = Self {
            known: BTreeMap::new(),
            state: State::new(),
        };
        room.grow("@u:a", "m.room.create", "", json!({"room_version": "11"}));
        room.grow("@u:a", "m.room.member", "@u:a", json!({"membership": "join"}));
        room.grow("@u:a", "m.room.power_levels", "", json!({"users": {"@u:a": 100}}));
        room.grow("@u:a", "m.room.join_rules", "", json!({"join_rule": "public"}));
        room.grow("@v:b", "m.room.member", "@v:b", json!({"membership": "join"}));
        room
    }

    fn make(&self, sender: &str, kind: &str, state_key: Option<&str>, value: Value) -> CheckedEvent {
        let keys = crate::auth_types_for(
            RoomVersion::V11,
            kind,
            sender,
            state_key,
            value.as_object().unwrap(),
        );
        let cited = keys.iter().filter_map(|key| self.state.get(key));
        let auth_events = cited.map(|event| event.event_id().clone()).collect();
        let mut template = Template {
            auth_events,
            ..template(sender, kind, state_key, value)
        };
        match (kind, self.state.get(&("m.room.create".into(), String::new()))) {
            ("m.room.create", _) => template.prev_events.clear(),
            (_, Some(create)) if self.known.len() == 1 => {
                template.prev_events = vec![create.event_id().clone()]
            }
            _ => {}
        }
        build(RoomVersion::V11, template)
    }

    fn grow(&mut self, sender: &str, kind: &str, state_key: &str, value: Value) -> Event {
        let event = self.make(sender, kind, Some(state_key), value);
        let stored = authorise_at_extremities(event, &self.known, &self.state)
            .unwrap()
            .unwrap();
        let event = stored.event().clone();
        self.known.insert(
            event.event_id().clone(),
            KnownEvent {
                event: event.clone(),
                rejected: false,
            },
        );
        self.state
            .insert((kind.to_owned(), state_key.to_owned()), event.clone());
        event
    }
}

fn message(room: &Room) -> CheckedEvent {
    room.make("@v:b", "m.room.message", None, json!({"body": "hi"}))
}

#[test]
fn allowed_everywhere() {
    let room = Room::new();
    let outcome = authorise(message(&room), &room.known, &room.state, &room.state).unwrap();
    assert!(matches!(outcome, Outcome::Authorised(event) if event.event().kind() == "m.room.message"));
}

#[test]
fn refused_by_its_auth_events() {
    let room = Room::new();
    let topic = room.make("@v:b", "m.room.topic", Some(""), json!({}));
    let Outcome::Rejected(event) = authorise(topic, &room.known, &room.state, &room.state).unwrap() else {
        panic!("allowed")
    };
    assert_eq!(
        (event.stage(), event.refusal().rule),
        (Stage::AuthEvents, Rule::RequiredPower)
    );
}

/// Its auth events say joined; before it the user was banned.
#[test]
fn refused_by_the_state_before() {
    let mut room = Room::new();
    let late = message(&room);
    room.grow("@u:a", "m.room.member", "@v:b", json!({"membership": "ban"}));
    let Outcome::Rejected(event) = authorise(late, &room.known, &room.state, &room.state).unwrap() else {
        panic!("allowed")
    };
    assert_eq!(
        (event.stage(), event.refusal().rule),
        (Stage::StateBefore, Rule::SenderNotJoined)
    );
}

/// Allowed where it stands, on an old branch; the room has moved on.
#[test]
fn refused_by_the_current_state() {
    let mut room = Room::new();
    let (late, before) = (message(&room), room.state.clone());
    room.grow("@u:a", "m.room.member", "@v:b", json!({"membership": "ban"}));
    let Outcome::SoftFailed(event) = authorise(late, &room.known, &before, &room.state).unwrap() else {
        panic!("not soft-failed")
    };
    assert_eq!(event.refusal().rule, Rule::SenderNotJoined);
}

#[test]
fn unknown_auth_events_are_an_error_and_no_refusal() {
    let mut room = Room::new();
    let event = message(&room);
    let missing = event.event().auth_events()[0].clone();
    room.known.remove(&missing);
    let error = authorise(event, &room.known, &room.state, &room.state).unwrap_err();
    assert_eq!(error, ChainError::Missing(vec![missing]));
}

/// A room has one create event. Another, which no rule refuses, is rejected, so that nothing is authorised by it.
#[test]
fn a_second_create_event() {
    let room = Room::new();
    let second = room.make("@w:a", "m.room.create", Some(""), json!({"room_version": "11"}));
    let outcome = authorise(second.clone(), &room.known, &State::new(), &room.state).unwrap();
    assert!(matches!(outcome, Outcome::Rejected(event) if event.refusal().rule == Rule::CreateSecond));
    let by_chain = second.authorise_by_auth_events(&room.known).unwrap().unwrap();
    let by_state = by_chain.clone().authorise_before(&State::new()).unwrap().unwrap();
    assert!(
        by_state.authorise_history(&room.state).unwrap().is_err(),
        "not by paging back either"
    );
    assert!(
        by_chain.clone().as_outlier(false).is_ok(),
        "unless it is the first"
    );
    let rejected = by_chain.as_outlier(true).unwrap_err();
    assert_eq!(
        (rejected.stage(), rejected.refusal().rule),
        (Stage::CurrentState, Rule::CreateSecond)
    );
    let first = room.state[&("m.room.create".to_owned(), String::new())].clone();
    let again = verify(RoomVersion::V11, &serde_json::from_str(first.json()).unwrap()).unwrap();
    let outcome = authorise(again, &room.known, &State::new(), &room.state).unwrap();
    assert!(matches!(outcome, Outcome::Authorised(_)));
}

/// Failing lookups stay errors, and say nothing about the event.
#[test]
fn a_lookup_that_fails() {
    struct Broken;
    impl crate::StateLookup for Broken {
        type Error = &'static str;
        fn get(&self, _kind: &str, _state_key: &str) -> Result<Option<Event>, &'static str> {
            Err("disk")
        }
    }
    let room = Room::new();
    let by_chain = message(&room)
        .authorise_by_auth_events(&room.known)
        .unwrap()
        .unwrap();
    assert_eq!(by_chain.authorise_before(&Broken).unwrap_err(), "disk");
}
