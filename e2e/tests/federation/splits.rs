//! Two servers that do not reach each other for a while, and go on. spec: rooms/v2 §state-resolution, rooms/v12
//! §state-resolution

use std::collections::BTreeSet;

use selvage_e2e::api::Account;
use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{State, agree, all_have, forbidden, join_via, texts};
use crate::watcher::Watcher;

cases!(alone: both_sides_go_on_and_agree_afterwards, one_direction_fails_and_recovers);

/// Versions with either algorithm of state resolution.
const VERSIONS: [&str; 3] = ["6", "10", "12"];

/// People of both servers in one public room: Alice, who made it, and Carol on the near one, Bob, a moderator, and Dave on
/// the far one. Eve and Frank are outside.
struct Room<'a> {
    people: &'a People,
    room_id: String,
}

struct People {
    alice: Account,
    bob: Account,
    carol: Account,
    dave: Account,
    eve: Account,
    frank: Account,
}

impl People {
    fn of(near: &Homeserver, far: &Homeserver) -> People {
        People {
            alice: near.api().register("alice"),
            carol: near.api().register("carol"),
            eve: near.api().register("eve"),
            bob: far.api().register("bob"),
            dave: far.api().register("dave"),
            frank: far.api().register("frank"),
        }
    }
}

impl Room<'_> {
    fn new<'a>(people: &'a People, near: &Homeserver, version: &str) -> Room<'a> {
        let settings = json!({"preset": "public_chat", "room_version": version});
        let room_id = people.alice.create_room(&settings);
        people.carol.join(&room_id).ok();
        for person in [&people.bob, &people.dave] {
            join_via(person, &room_id, near).ok();
        }
        let room = Room { people, room_id };
        room.set_levels(&people.alice, &[(&people.bob, 50)], 50);
        room.agree(|state| {
            [&people.bob, &people.carol, &people.dave]
                .iter()
                .all(|person| state.membership(&person.user_id) == "join")
                && state.content("m.room.power_levels", "")["users"][&people.bob.user_id] == json!(50)
        });
        room
    }

    #[track_caller]
    fn agree(&self, so: impl Fn(&State) -> bool) -> State {
        agree(&self.room_id, &[&self.people.alice, &self.people.bob], so)
    }

    fn set_levels(&self, sender: &Account, users: &[(&Account, i64)], state_default: i64) {
        let mut levels = sender.get_state(&self.room_id, "m.room.power_levels", "").ok();
        for (person, level) in users {
            levels["users"][&person.user_id] = json!(level);
        }
        levels["state_default"] = json!(state_default);
        levels["events"]["m.room.power_levels"] = json!(50);
        sender
            .set_state(&self.room_id, "m.room.power_levels", "", &levels)
            .ok();
    }

    fn set(&self, sender: &Account, event_type: &str, value: &str) {
        let content = json!({"topic": value, "name": value, "value": value});
        sender.set_state(&self.room_id, event_type, "", &content).ok();
    }

    fn act(&self, sender: &Account, verb: &str, target: &Account) {
        let body = json!({"user_id": target.user_id});
        sender.membership(&self.room_id, verb, &body).ok();
    }

    fn say(&self, sender: &Account, text: &str) {
        sender.say(&self.room_id, text).ok();
    }

    /// Says something on both sides: servers that gave up on each other try again when there is something to send.
    fn wake(&self) {
        self.say(&self.people.alice, "alice is back");
        self.say(&self.people.bob, "bob is back");
    }

    #[track_caller]
    fn all_have(&self, said: &[&str]) {
        let mut said: BTreeSet<String> = texts(said.iter().copied());
        said.extend(texts(["alice is back", "bob is back"]));
        all_have(&self.room_id, &[&self.people.alice, &self.people.bob], &said);
    }
}

fn both_sides_go_on_and_agree_afterwards(near: &Homeserver, far: &Homeserver) {
    let people = People::of(near, far);
    let rooms = VERSIONS.map(|version| {
        let [topics, bans, demotion, members] = [(); 4].map(|()| Room::new(&people, near, version));
        (topics, bans, demotion, members)
    });
    let mut clients = [&people.alice, &people.bob].map(Watcher::new);
    let split = (near.door().close(), far.door().close());
    for (topics, bans, demotion, members) in &rooms {
        topics_on_both_sides(topics);
        bans_on_both_sides(bans);
        demotion_on_one_side(demotion);
        members_on_both_sides(members);
    }
    drop(split);
    for (topics, bans, demotion, members) in &rooms {
        for room in [topics, bans, demotion, members] {
            room.wake();
        }
    }
    for (topics, bans, demotion, members) in &rooms {
        for client in &mut clients {
            client.until_heard(&topics.room_id, &texts(SAID_IN_TWO));
        }
        one_topic(topics);
        both_banned(bans);
        demoted(demotion);
        everybody_counted(members);
    }
}

fn topics_on_both_sides(room: &Room<'_>) {
    for (person, side) in [(&room.people.alice, "near"), (&room.people.bob, "far")] {
        for turn in ["first", "second"] {
            room.set(person, "m.room.topic", &format!("{turn} of {side}"));
            room.set(person, "m.room.name", &format!("{turn} of {side}"));
            room.set(person, &format!("org.example.{side}"), turn);
            room.say(person, &format!("{turn} of {side}"));
        }
    }
}

/// What [`topics_on_both_sides`] has said: so little that it is fetched, not left to those who page back.
const SAID_IN_TWO: [&str; 4] = ["first of near", "second of near", "first of far", "second of far"];

fn one_topic(room: &Room<'_>) {
    room.all_have(&SAID_IN_TWO);
    let state = room.agree(|state| {
        ["near", "far"]
            .iter()
            .all(|side| state.content(&format!("org.example.{side}"), "")["value"] == json!("second"))
    });
    for (event_type, field) in [("m.room.topic", "topic"), ("m.room.name", "name")] {
        let winner = state.content(event_type, "")[field].as_str().unwrap_or_default();
        assert!(
            winner.starts_with("second of"),
            "the last of either side: {winner}"
        );
    }
}

fn bans_on_both_sides(room: &Room<'_>) {
    let people = room.people;
    room.act(&people.alice, "ban", &people.dave);
    room.say(&people.dave, "said by the banned");
    room.act(&people.bob, "ban", &people.carol);
    room.say(&people.carol, "said by the other banned");
    room.set_levels(&people.alice, &[(&people.dave, -1)], 40);
}

/// A ban is not undone by a split.
fn both_banned(room: &Room<'_>) {
    let people = room.people;
    room.all_have(&[]);
    let state = room.agree(|state| {
        state.membership(&people.dave.user_id) == "ban" && state.membership(&people.carol.user_id) == "ban"
    });
    assert_eq!(
        state.content("m.room.power_levels", "")["state_default"],
        json!(40)
    );
    forbidden(&people.dave.say(&room.room_id, "again"));
    forbidden(&people.carol.say(&room.room_id, "again"));
}

fn demotion_on_one_side(room: &Room<'_>) {
    let people = room.people;
    room.set(&people.alice, "m.room.topic", "by alice");
    room.set_levels(&people.alice, &[(&people.bob, 0)], 50);
    room.set_levels(&people.bob, &[(&people.dave, 25)], 50);
    room.act(&people.bob, "ban", &people.carol);
    room.set(&people.bob, "m.room.topic", "by bob");
}

/// What a moderator does while he is being demoted elsewhere does not hold.
fn demoted(room: &Room<'_>) {
    let people = room.people;
    room.all_have(&[]);
    let state = room
        .agree(|state| state.content("m.room.power_levels", "")["users"][&people.bob.user_id] == json!(0));
    assert_eq!(state.membership(&people.carol.user_id), "join");
    assert_eq!(state.content("m.room.topic", "")["topic"], json!("by alice"));
    let levels = state.content("m.room.power_levels", "");
    assert_eq!(levels["users"].get(&people.dave.user_id), None, "{levels}");
}

fn members_on_both_sides(room: &Room<'_>) {
    let people = room.people;
    people.eve.join(&room.room_id).ok();
    people.frank.join(&room.room_id).ok();
    room.say(&people.eve, "eve came");
    room.say(&people.frank, "frank came");
    people.carol.leave(&room.room_id).ok();
    room.act(&people.alice, "kick", &people.dave);
    people.dave.leave(&room.room_id).ok();
}

fn everybody_counted(room: &Room<'_>) {
    let people = room.people;
    room.all_have(&["eve came", "frank came"]);
    room.agree(|state| {
        [
            (&people.eve, "join"),
            (&people.frank, "join"),
            (&people.carol, "leave"),
            (&people.dave, "leave"),
        ]
        .iter()
        .all(|(person, membership)| state.membership(&person.user_id) == *membership)
    });
}

/// The far server hears nothing and is heard.
fn one_direction_fails_and_recovers(near: &Homeserver, far: &Homeserver) {
    let people = People::of(near, far);
    let room = Room::new(&people, near, "12");
    let deaf = far.door().close();
    let mut said = Vec::new();
    for number in 0..12 {
        said.push(format!("unheard {number}"));
        room.say(&people.alice, &format!("unheard {number}"));
        said.push(format!("heard {number}"));
        room.say(&people.bob, &format!("heard {number}"));
    }
    let heard: BTreeSet<String> = said
        .iter()
        .filter(|text| text.starts_with("heard"))
        .cloned()
        .collect();
    all_have(&room.room_id, &[&people.alice], &heard);
    drop(deaf);
    room.wake();
    room.all_have(&said.iter().map(String::as_str).collect::<Vec<_>>());
    room.agree(|_| true);
}
