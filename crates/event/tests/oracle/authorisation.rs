//! Authorisation of single events, allowed, refused and malformed, against ruma's.

use std::collections::BTreeMap;

use ruma::state_res::{check_state_dependent_auth_rules, check_state_independent_auth_rules};
use selvage_event::auth::{check_auth_events, check_state};
use selvage_event::{Event, EventId, RoomVersion, StateKey};
use serde_json::{Value, json};

use super::pdu::{Pdu, ruma_rules};
use super::room::{Room, State, USERS, Wish};

/// Events tried in each room.
const TRIES: usize = 60;

fn theirs_by_auth_events(room: &Room, event: &Event) -> bool {
    let rules = ruma_rules(room.version).authorization;
    check_state_independent_auth_rules(&rules, Pdu::of(event), |id| room.pdus.get(id.as_str())).is_ok()
}

fn theirs_by_state(room: &Room, event: &Event, state: &BTreeMap<StateKey, Event>) -> bool {
    let rules = ruma_rules(room.version).authorization;
    let get = |kind: &ruma::events::StateEventType, key: &str| {
        state.get(&(kind.to_string(), key.to_owned())).map(Pdu::of)
    };
    check_state_dependent_auth_rules(&rules, Pdu::of(event), get).is_ok()
}

/// Makes a wish malformed, mostly in a way that some rule speaks of.
fn spoil(room: &mut Room, wish: &mut Wish) {
    let odd = room
        .rng
        .pick(&[
            json!("50"),
            json!([]),
            json!({}),
            json!(true),
            json!(null),
            json!(-3),
        ])
        .clone();
    let is_levels = wish.kind == "m.room.power_levels";
    let is_member = wish.kind == "m.room.member";
    match room.rng.below(12) {
        0 => wish.state_key = Some((*room.rng.pick(&USERS)).to_owned()),
        1 => wish.state_key = None,
        2 if is_levels => wish.content["kick"] = odd,
        3 if is_levels => wish.content["users"] = odd,
        4 if is_levels => wish.content["events"] = odd,
        5 if is_levels => wish.content["notifications"] = odd,
        6 if is_levels => wish.content["users"][*room.rng.pick(&["@new:d", "bob", "@bob"])] = json!(10),
        7 if is_levels => wish.content["notifications"] = json!({"room": room.rng.below(100)}),
        8 if is_member => wish.content["membership"] = json!("odd"),
        9 if is_member => {
            wish.content["third_party_invite"] = json!({"signed": {"token": "t", "mxid": USERS[1]}})
        }
        10 => wish.sender = (*room.rng.pick(&USERS)).to_owned(),
        _ => {
            wish.kind = (*room
                .rng
                .pick(&["m.room.third_party_invite", "m.room.message", "m.room.redaction"]))
            .to_owned()
        }
    }
}

/// Where ruma is known to decide otherwise, and the network as we do.
fn is_known_difference(room: &Room, event: &Event) -> bool {
    // Before version 10 the text binds `users` only; ruma reads a missing or null level as its default, a malformed
    // level as an error only when it needs it.
    let null = |value: Option<&Value>| value.is_some_and(Value::is_null);
    let levels = event.kind() == "m.room.power_levels";
    levels && room.version < RoomVersion::V10 && event.content().values().any(|value| null(Some(value)))
}

fn check_room(seed: u64) -> [usize; 2] {
    let version = RoomVersion::ALL[5 + usize::try_from(seed).unwrap() % 7];
    let mut room = Room::new(version, seed ^ 0xa07);
    let mut state: State = room.found();
    let mut counts = [0, 0];
    for _ in 0..TRIES {
        let mut wish = room.wish(&state);
        if room.rng.one_in(3) {
            spoil(&mut room, &mut wish);
        }
        let event = make(&mut room, &state, wish);
        if is_known_difference(&room, &event) {
            continue;
        }
        let by_auth_events = check_auth_events(&event, &room.events);
        let snapshot = room.snapshot(&state);
        let by_state = check_state(&event, &snapshot);
        let found = || format!("seed {seed}, {}: {by_auth_events:?} {by_state:?}", event.json());
        let theirs_by_state = theirs_by_state(&room, &event, &snapshot);
        assert_eq!(by_state.is_ok(), theirs_by_state, "{}", found());
        // What is malformed ruma may refuse by the first check already and we by the second.
        let ours = by_auth_events.is_ok() && by_state.is_ok();
        assert_eq!(
            ours,
            theirs_by_state && theirs_by_auth_events(&room, &event),
            "{}",
            found()
        );
        counts[usize::from(by_state.is_ok())] += 1;
        let key = event
            .state_key()
            .map(|key| (event.kind().to_owned(), key.to_owned()));
        if let (Ok(()), Ok(_), Some(key)) = (by_state, by_auth_events, key) {
            room.keep(&event);
            state.insert(key, event.event_id().clone());
        }
    }
    counts
}

/// Makes the event, now and then citing too little, too much or the same twice.
fn make(room: &mut Room, state: &State, wish: Wish) -> Event {
    let create = EventId::parse("$create:a").unwrap();
    let prev = if room.rng.one_in(4) {
        create
    } else {
        EventId::parse("$prev").unwrap()
    };
    let event = room.make(
        state,
        Wish {
            content: wish.content.clone(),
            ..wish
        },
        std::slice::from_ref(&prev),
    );
    if !room.rng.one_in(5) {
        return event;
    }
    let mut auth = event.auth_events().to_vec();
    match room.rng.below(3) {
        0 if !auth.is_empty() => {
            auth.remove(room.rng.below(auth.len()));
        }
        1 if !auth.is_empty() => auth.push(auth[0].clone()),
        _ => auth.push(
            room.rng
                .pick(&state.values().cloned().collect::<Vec<_>>())
                .clone(),
        ),
    }
    let wish = Wish {
        sender: event.sender().to_string(),
        kind: event.kind().to_owned(),
        state_key: event.state_key().map(str::to_owned),
        content: Value::Object(event.content().clone()),
    };
    room.make_citing(wish, &[prev], &auth)
}

#[test]
fn authorisation_is_the_same_as_rumas() {
    let first = super::setting("SELVAGE_ORACLE_SEED", 0);
    let rooms = super::setting("SELVAGE_ORACLE_GRAPHS", 2_100) / 7;
    let mut total = [0, 0];
    for counts in (first..first + rooms).map(check_room) {
        total = [total[0] + counts[0], total[1] + counts[1]];
    }
    let [refused, allowed] = total;
    assert!(
        refused > 1_000 && allowed > 1_000,
        "{allowed} allowed, {refused} refused"
    );
}
