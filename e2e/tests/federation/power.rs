//! Who may do what, and to whom. spec: server-server-api §authorization-rules

use selvage_e2e::api::Account;
use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{Shared, agree, forbidden, join_via, until};

cases!(
    power_is_given_and_taken,
    a_kick_takes_effect_on_both_sides,
    a_ban_holds_until_it_is_lifted,
);

fn set_topic(person: &Account, room_id: &str, topic: &str) -> selvage_e2e::Reply {
    person.set_state(room_id, "m.room.topic", "", &json!({"topic": topic}))
}

fn power_is_given_and_taken(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let (alice, bob, room_id) = (&room.alice, &room.bob, &room.room_id);
    forbidden(&set_topic(bob, room_id, "too early"));
    room.promote_bob(50);
    set_topic(bob, room_id, "by bob").ok();
    room.agree(|state| state.content("m.room.topic", "")["topic"] == json!("by bob"));
    // The power to moderate reaches the near server's users, and not above.
    let carol = near.api().register("carol");
    carol.join(room_id).ok();
    room.agree(|state| state.membership(&carol.user_id) == "join");
    bob.membership(room_id, "kick", &json!({"user_id": carol.user_id}))
        .ok();
    room.agree(|state| state.membership(&carol.user_id) == "leave");
    forbidden(&bob.membership(room_id, "ban", &json!({"user_id": alice.user_id})));
    room.promote_bob(0);
    forbidden(&set_topic(bob, room_id, "too late"));
    let state = room.agree(|_| true);
    assert_eq!(state.content("m.room.topic", "")["topic"], json!("by bob"));
    assert_eq!(state.membership(&alice.user_id), "join");
}

fn a_kick_takes_effect_on_both_sides(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let (alice, bob, room_id) = (&room.alice, &room.bob, &room.room_id);
    let dave = far.api().register("dave");
    join_via(&dave, room_id, near).ok();
    alice
        .membership(room_id, "kick", &json!({"user_id": bob.user_id}))
        .ok();
    agree(room_id, &[alice, &dave], |state| {
        state.membership(&bob.user_id) == "leave"
    });
    forbidden(&bob.say(room_id, "unheard"));
    join_via(bob, room_id, near).ok();
    agree(room_id, &[alice, bob, &dave], |state| {
        state.membership(&bob.user_id) == "join"
    });
    // And when nobody of the far server is left.
    for person in [&dave, bob] {
        alice
            .membership(room_id, "kick", &json!({"user_id": person.user_id}))
            .ok();
    }
    until(
        "bob knows",
        || bob.say(room_id, "unheard"),
        |reply| reply.status == 403,
    );
    agree(room_id, &[alice], |state| {
        state.membership(&dave.user_id) == "leave"
    });
    join_via(bob, room_id, near).ok();
    room.agree(|state| state.membership(&bob.user_id) == "join");
}

fn a_ban_holds_until_it_is_lifted(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let (alice, bob, room_id) = (&room.alice, &room.bob, &room.room_id);
    let dave = far.api().register("dave");
    join_via(&dave, room_id, near).ok();
    alice
        .membership(
            room_id,
            "ban",
            &json!({"user_id": bob.user_id, "reason": "noise"}),
        )
        .ok();
    agree(room_id, &[alice, &dave], |state| {
        state.content("m.room.member", &bob.user_id)["reason"] == json!("noise")
            && state.membership(&bob.user_id) == "ban"
    });
    forbidden(&bob.say(room_id, "unheard"));
    forbidden(&join_via(bob, room_id, near));
    forbidden(&dave.invite(room_id, &bob.user_id));
    // The far server leaves, and knows of no ban any more when bob asks.
    dave.leave(room_id).ok();
    agree(room_id, &[alice], |state| {
        state.membership(&dave.user_id) == "leave"
    });
    forbidden(&join_via(bob, room_id, near));
    alice
        .membership(room_id, "unban", &json!({"user_id": bob.user_id}))
        .ok();
    until(
        "bob may come back",
        || join_via(bob, room_id, near),
        |reply| reply.status == 200,
    );
    let state = room.agree(|state| state.membership(&bob.user_id) == "join");
    assert_eq!(
        state.content("m.room.member", &bob.user_id)["reason"],
        json!(null)
    );
}
