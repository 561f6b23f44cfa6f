//! Servers that lie about the rooms that they let into (attacks.md 11).

use selvage_network::Client;
use serde_json::{Value, json};

use crate::{A, B, Three};

/// Bob joins while his server is lied to; then he is not in the room, and with the truth he is.
fn check(what: &str, lie: impl Fn(&mut Value) + Send + Sync + 'static) {
    let three = Three::new();
    let room = three.public_room("10");
    three.alice.say(&room, "hello");
    three.network.tamper(move |exchanged, status, body| {
        if !exchanged.what.contains("send_join") {
            return (status, body);
        }
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        lie(&mut answer);
        (status, answer.to_string().into_bytes())
    });
    three.bob.join(&room, &[A]).refused(502, "M_UNKNOWN");
    is_out(&three.bob, &room, what);
    three.network.leave_alone();
    three.bob.join(&room, &[A]).ok();
    three.bob.say(&room, "hello too");
    assert_eq!(three.alice.texts(&room), ["hello", "hello too"], "{what}");
}

fn is_out(user: &Client, room: &str, what: &str) {
    let sync = user.sync();
    for kind in ["join", "invite", "leave"] {
        assert!(sync["rooms"][kind].get(room).is_none(), "{what}: {sync}");
    }
    user.state(room, "m.room.create", "").refused(403, "M_FORBIDDEN");
}

fn list<'a>(answer: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    answer[name].as_array_mut().unwrap()
}

fn without(answer: &mut Value, kind: &str) {
    for name in ["state", "auth_chain"] {
        list(answer, name).retain(|event| event["type"] != kind);
    }
}

/// spec: `server-server-api §put_matrixfederationv2send_joinroomideventid`
#[test]
fn a_state_without_a_create_event() {
    check("no create", |answer| without(answer, "m.room.create"));
}

#[test]
fn a_state_with_two_create_events() {
    check("two creates", |answer| {
        let state = list(answer, "state");
        let mut second = state
            .iter()
            .find(|event| event["type"] == "m.room.create")
            .unwrap()
            .clone();
        second["origin_server_ts"] = json!(1);
        state.push(second);
    });
}

#[test]
fn a_state_of_another_room() {
    check("another room", |answer| {
        for name in ["state", "auth_chain"] {
            for event in list(answer, name) {
                event["room_id"] = json!("!other:a.test");
            }
        }
    });
}

#[test]
fn a_state_that_nobody_signed() {
    check("unsigned", |answer| {
        for name in ["state", "auth_chain"] {
            for event in list(answer, name) {
                event["signatures"] = json!({});
            }
        }
    });
}

#[test]
fn a_state_that_was_signed_by_another() {
    check("signed by another", |answer| {
        for name in ["state", "auth_chain"] {
            for event in list(answer, name) {
                let signatures = event["signatures"].as_object_mut().unwrap();
                let signature = signatures.remove(A).unwrap();
                signatures.insert(B.to_owned(), signature);
            }
        }
    });
}

#[test]
fn an_auth_chain_that_does_not_authorise() {
    check("no auth events", |answer| {
        for name in ["state", "auth_chain"] {
            let member_of_creator = |event: &Value| {
                event["type"] == "m.room.member" && event["sender"].as_str().unwrap().contains("alice")
            };
            list(answer, name).retain(|event| !member_of_creator(event));
        }
    });
}

/// The join rule that would let in was taken out, so the join is not allowed by the state that was told.
#[test]
fn a_state_by_which_the_join_is_not_allowed() {
    check("not allowed", |answer| without(answer, "m.room.join_rules"));
}

#[test]
fn an_answer_of_junk() {
    check("junk", |answer| {
        let junk = (0..1_000).map(|number| json!({ "junk": number }));
        list(answer, "state").extend(junk);
    });
}

#[test]
fn members_that_were_left_out() {
    check("members omitted", |answer| {
        answer["members_omitted"] = json!(true)
    });
}

/// An answer that is no JSON, is cut off, or has a part without end.
#[test]
fn answers_that_are_none() {
    let long = format!("{{\"state\":[{{\"type\":\"{}", "x".repeat(600_000));
    for body in ["", "[]", "{\"state\":[", "{\"state\":1}", &long] {
        let three = Three::new();
        let room = three.public_room("12");
        let answer = body.as_bytes().to_vec();
        three.network.tamper(move |exchanged, status, body| {
            let lies = exchanged.what.contains("send_join");
            (status, if lies { answer.clone() } else { body })
        });
        three.bob.join(&room, &[A]).refused(502, "M_UNKNOWN");
        is_out(&three.bob, &room, "no JSON");
        three.network.leave_alone();
        three.bob.join(&room, &[A]).ok();
    }
}

/// What is asked to be signed is not signed when it is something else. spec: `server-server-api
/// §get_matrixfederationv1make_joinroomiduserid`
#[test]
fn templates_of_something_else() {
    let lies: [fn(&mut Value); 6] = [
        |event| event["type"] = json!("m.room.power_levels"),
        |event| event["sender"] = json!("@alice:b.test"),
        |event| event["state_key"] = json!("@alice:b.test"),
        |event| event["room_id"] = json!("!other:a.test"),
        |event| event["content"]["membership"] = json!("leave"),
        |event| event["prev_events"] = json!("none"),
    ];
    for lie in lies {
        let three = Three::new();
        let room = three.public_room("11");
        three.network.tamper(move |exchanged, status, body| {
            if !exchanged.what.contains("make_join") {
                return (status, body);
            }
            let mut answer: Value = serde_json::from_slice(&body).unwrap();
            lie(&mut answer["event"]);
            (status, answer.to_string().into_bytes())
        });
        three.network.take_exchanged();
        three.bob.join(&room, &[A]).refused(502, "M_UNKNOWN");
        let exchanged = three.network.take_exchanged();
        assert_eq!(crate::count(&exchanged, "send_join"), 0, "nothing was signed");
        is_out(&three.bob, &room, "another template");
    }
}
