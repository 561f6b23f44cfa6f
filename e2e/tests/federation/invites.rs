//! Invitations to users of the other server. spec: server-server-api §inviting-to-a-room

use selvage_e2e::api::Account;
use selvage_e2e::federation::Homeserver;
use serde_json::{Value, json};

use crate::room::{State, agree, all_have, forbidden, join_via, texts, until};
use crate::watcher::Watcher;

cases!(
    an_invitation_is_accepted,
    an_invitation_is_rejected,
    an_invitation_to_a_room_already_shared,
);

/// What only servers that can be disturbed show.
mod disturbed {
    use super::an_invitation_is_rejected_while_the_inviting_server_is_gone;

    cases!(alone: an_invitation_is_rejected_while_the_inviting_server_is_gone);
}

struct Invited {
    alice: Account,
    bob: Account,
    bobs_client: Watcher,
    room_id: String,
}

impl Invited {
    fn new(near: &Homeserver, far: &Homeserver) -> Invited {
        let alice = near.api().register("alice");
        let bob = far.api().register("bob");
        let mut bobs_client = Watcher::new(&bob);
        let room_id = alice.create_room(&json!({"preset": "private_chat", "name": "By invitation"}));
        alice.invite(&room_id, &bob.user_id).ok();
        bobs_client.until_told("the invitation came", |sync| !invite(sync, &room_id).is_null());
        agree(&room_id, &[&alice], |state| {
            state.membership(&bob.user_id) == "invite"
        });
        Invited {
            alice,
            bob,
            bobs_client,
            room_id,
        }
    }

    fn is_withdrawn_for_bob(&mut self) {
        let room_id = self.room_id.clone();
        self.bobs_client.until_told("the invitation is gone", |sync| {
            !sync["rooms"]["leave"][&room_id].is_null()
        });
        let from_scratch = Watcher::new(&self.bob);
        assert_eq!(invite(&from_scratch.last, &room_id), &Value::Null);
    }
}

fn invite<'a>(sync: &'a Value, room_id: &str) -> &'a Value {
    &sync["rooms"]["invite"][room_id]
}

/// spec: client-server-api §stripped-state: what an invited person is shown of a room.
fn an_invitation_is_accepted(near: &Homeserver, far: &Homeserver) {
    let invited = Invited::new(near, far);
    let shown = &invite(&invited.bobs_client.last, &invited.room_id)["invite_state"]["events"];
    let has = |event_type: &str, state_key: &str| {
        let events = shown.as_array().into_iter().flatten();
        events
            .filter(|event| event["type"] == event_type && event["state_key"] == state_key)
            .count()
    };
    assert_eq!(has("m.room.name", ""), 1, "{shown}");
    assert_eq!(has("m.room.member", &invited.bob.user_id), 1, "{shown}");
    invited.bob.join(&invited.room_id).ok();
    let people = [&invited.alice, &invited.bob];
    agree(&invited.room_id, &people, |state| {
        state.membership(&invited.bob.user_id) == "join"
    });
    invited.bob.say(&invited.room_id, "I came").ok();
    invited.alice.say(&invited.room_id, "good").ok();
    all_have(&invited.room_id, &people, &texts(["I came", "good"]));
}

/// spec: server-server-api §leaving-rooms-rejecting-invites
fn an_invitation_is_rejected(near: &Homeserver, far: &Homeserver) {
    let mut invited = Invited::new(near, far);
    invited.bob.leave(&invited.room_id).ok();
    agree(&invited.room_id, &[&invited.alice], |state| {
        state.membership(&invited.bob.user_id) == "leave"
    });
    invited.is_withdrawn_for_bob();
    // What was rejected is no way in any more.
    forbidden(&join_via(&invited.bob, &invited.room_id, near));
}

/// The invitation goes even when nobody can be told.
fn an_invitation_is_rejected_while_the_inviting_server_is_gone(near: &Homeserver, far: &Homeserver) {
    let mut invited = Invited::new(near, far);
    let gone = near.door().close();
    invited.bob.leave(&invited.room_id).ok();
    invited.is_withdrawn_for_bob();
    drop(gone);
    // And can be made again.
    let (alice, bob, room_id) = (&invited.alice, &invited.bob, &invited.room_id);
    alice
        .membership(room_id, "kick", &json!({"user_id": bob.user_id}))
        .ok();
    alice.invite(room_id, &bob.user_id).ok();
    invited
        .bobs_client
        .until_told("it came again", |sync| !invite(sync, room_id).is_null());
    until("bob can join", || bob.join(room_id), |reply| reply.status == 200);
    agree(room_id, &[alice, bob], |state| {
        state.membership(&bob.user_id) == "join"
    });
}

/// A second user of a server that is in the room already.
fn an_invitation_to_a_room_already_shared(near: &Homeserver, far: &Homeserver) {
    let invited = Invited::new(near, far);
    invited.bob.join(&invited.room_id).ok();
    let carol = far.api().register("carol");
    let mut carols_client = Watcher::new(&carol);
    let room_id = &invited.room_id;
    invited.alice.invite(room_id, &carol.user_id).ok();
    carols_client.until_told("the invitation came", |sync| !invite(sync, room_id).is_null());
    let state = agree(room_id, &[&invited.alice, &invited.bob], |state| {
        state.membership(&carol.user_id) == "invite" && state.membership(&invited.bob.user_id) == "join"
    });
    assert_ne!(state, State::default());
    carol.join(room_id).ok();
    agree(room_id, &[&invited.alice, &invited.bob, &carol], |state| {
        state.membership(&carol.user_id) == "join"
    });
}
