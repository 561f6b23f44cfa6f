//! Inviting, rejecting, leaving, kicking, banning and knocking across servers.

use selvage_network::Client;
use serde_json::json;

use crate::{A, B, Three, count};

/// Whether the user's sync has the room among those of this kind.
fn has(user: &Client, kind: &str, room: &str) -> bool {
    user.sync()["rooms"][kind].get(room).is_some()
}

/// spec: `server-server-api §inviting-to-a-room`
#[test]
fn an_invite_reaches_the_other_server_and_is_accepted() {
    for version in ["6", "11", "12"] {
        let three = Three::new();
        let room = three
            .alice
            .create_room(&json!({ "preset": "private_chat", "name": "Secret", "room_version": version }));
        three.alice.act("invite", &room, Some(&three.bob)).ok();
        assert_eq!(three.alice.membership(&room, &three.bob), "invite");
        let invite = three.bob.sync()["rooms"]["invite"][&room]["invite_state"]["events"].clone();
        let shown = invite.as_array().unwrap();
        assert!(
            shown.iter().any(|event| event["content"]["name"] == "Secret"),
            "version {version}: {invite}"
        );
        three.bob.join(&room, &[]).ok();
        three.bob.say(&room, "thank you");
        assert_eq!(three.alice.texts(&room), ["thank you"]);
        assert!(!has(&three.bob, "invite", &room));
    }
}

#[test]
fn a_room_is_made_with_invites_to_other_servers() {
    let three = Three::new();
    let room = three.alice.create_room(&json!({
        "preset": "trusted_private_chat", "is_direct": true, "invite": [three.bob.user_id, "@nobody:nowhere.test"],
    }));
    assert_eq!(three.alice.membership(&room, &three.bob), "invite");
    assert!(has(&three.bob, "invite", &room));
    let nobody = three.alice.state(&room, "m.room.member", "@nobody:nowhere.test");
    nobody.refused(404, "M_NOT_FOUND");
}

/// An invite that the other server does not sign is none.
#[test]
fn an_invite_that_does_not_arrive_is_not_made() {
    let three = Three::new();
    let room = three.alice.create_room(&json!({ "preset": "private_chat" }));
    three.network.away(B, true);
    let reply = three.alice.act("invite", &room, Some(&three.bob));
    reply.refused(502, "M_UNKNOWN");
    assert_eq!(three.alice.membership(&room, &three.bob), "none");
}

/// The other server may add its signature and change nothing.
/// spec: `server-server-api §put_matrixfederationv2inviteroomideventid`
#[test]
fn an_invite_that_comes_back_changed_is_not_made() {
    let three = Three::new();
    let room = three.alice.create_room(&json!({ "preset": "private_chat" }));
    three.network.tamper(|exchanged, status, body| {
        if !exchanged.what.contains("/invite/") {
            return (status, body);
        }
        let mut answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        answer["event"]["content"]["displayname"] = json!("Mallory");
        (status, answer.to_string().into_bytes())
    });
    let reply = three.alice.act("invite", &room, Some(&three.bob));
    reply.refused(502, "M_UNKNOWN");
    assert_eq!(three.alice.membership(&room, &three.bob), "none");
    three.network.tamper(|exchanged, status, body| {
        if !exchanged.what.contains("/invite/") {
            return (status, body);
        }
        let mut answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        answer["event"]["signatures"].as_object_mut().unwrap().remove(B);
        (status, answer.to_string().into_bytes())
    });
    let reply = three.alice.act("invite", &room, Some(&three.bob));
    reply.refused(502, "M_UNKNOWN");
    assert_eq!(three.alice.membership(&room, &three.bob), "none");
}

/// spec: `server-server-api §leaving-rooms`
#[test]
fn an_invite_is_rejected() {
    let three = Three::new();
    let room = three.alice.create_room(&json!({ "preset": "private_chat" }));
    three.alice.act("invite", &room, Some(&three.bob)).ok();
    three.bob.act("leave", &room, None).ok();
    assert_eq!(three.alice.membership(&room, &three.bob), "leave");
    assert!(!has(&three.bob, "invite", &room));
    three.bob.join(&room, &[A]).refused(403, "M_FORBIDDEN");
    three.alice.act("invite", &room, Some(&three.bob)).ok();
    assert!(has(&three.bob, "invite", &room), "it can be made again");
    three.bob.join(&room, &[A]).ok();
}

/// An invite of a server that is gone can be got rid of.
#[test]
fn an_invite_of_a_server_that_does_not_answer_is_rejected_here() {
    let three = Three::new();
    let room = three.alice.create_room(&json!({ "preset": "private_chat" }));
    three.alice.act("invite", &room, Some(&three.bob)).ok();
    three.network.away(A, true);
    three.bob.act("leave", &room, None).ok();
    assert!(!has(&three.bob, "invite", &room));
}

#[test]
fn an_invite_is_taken_back() {
    let three = Three::new();
    let room = three.alice.create_room(&json!({ "preset": "private_chat" }));
    three.alice.act("invite", &room, Some(&three.bob)).ok();
    three.alice.act("kick", &room, Some(&three.bob)).ok();
    assert!(!has(&three.bob, "invite", &room));
    three.bob.join(&room, &[A]).refused(403, "M_FORBIDDEN");
}

#[test]
fn who_is_kicked_or_banned_hears_of_it() {
    let three = Three::new();
    let room = three.shared_room();
    three.alice.act("kick", &room, Some(&three.bob)).ok();
    three.alice.act("ban", &room, Some(&three.carol)).ok();
    for user in three.everybody() {
        assert_eq!(user.membership(&room, &three.bob), "leave", "{}", user.user_id);
    }
    assert_eq!(three.carol.membership(&room, &three.carol), "ban");
    assert!(!has(&three.bob, "join", &room) && !has(&three.carol, "join", &room));
    three.carol.join(&room, &[A]).refused(403, "M_FORBIDDEN");
    three.bob.join(&room, &[A]).ok();
    three.alice.act("unban", &room, Some(&three.carol)).ok();
    three.carol.join(&room, &[A]).ok();
    three.carol.say(&room, "back");
    for user in three.everybody() {
        assert_eq!(user.texts(&room), ["back"]);
    }
}

/// What is said after a server's last user has left is not for that server.
#[test]
fn a_server_hears_nothing_of_rooms_that_it_has_left() {
    let three = Three::new();
    let room = three.shared_room();
    three.bob.act("leave", &room, None).ok();
    three.network.take_exchanged();
    three.alice.say(&room, "between us");
    let exchanged = three.network.take_exchanged();
    assert!(exchanged.iter().all(|one| one.to != B), "{exchanged:?}");
    assert_eq!(three.carol.texts(&room), ["between us"]);
}

/// spec: `server-server-api §knocking-upon-a-room`
#[test]
fn a_knock_is_answered_with_an_invite() {
    let three = Three::new();
    let knock = json!({ "type": "m.room.join_rules", "state_key": "", "content": { "join_rule": "knock" } });
    let room = three
        .alice
        .create_room(&json!({ "name": "Door", "room_version": "11", "initial_state": [knock] }));
    let path = format!("knock/{}?via={A}", room.replace('!', "%21").replace(':', "%3A"));
    three.bob.post(&path, &json!({ "reason": "please" })).ok();
    assert_eq!(three.alice.membership(&room, &three.bob), "knock");
    assert!(has(&three.bob, "knock", &room));
    three.alice.act("invite", &room, Some(&three.bob)).ok();
    three.bob.join(&room, &[A]).ok();
    assert_eq!(three.alice.membership(&room, &three.bob), "join");
    three.carol.post(&path, &json!({})).ok();
    three.carol.act("leave", &room, None).ok();
    assert_eq!(three.alice.membership(&room, &three.carol), "leave", "taken back");
    assert!(!has(&three.carol, "knock", &room));
}

/// Profiles of users of other servers are asked of theirs.
#[test]
fn profiles_come_from_the_users_servers() {
    let three = Three::new();
    let path = format!(
        "profile/{}/displayname",
        three.bob.user_id.replace('@', "%40").replace(':', "%3A")
    );
    three.bob.put(&path, &json!({ "displayname": "Bob" })).ok();
    assert_eq!(three.alice.get(&path).ok()["displayname"], "Bob");
    assert_eq!(count(&three.network.take_exchanged(), "query/profile"), 1);
}
