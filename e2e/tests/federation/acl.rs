//! Access control lists. spec: client-server-api §server-access-control-lists-acls-for-rooms

use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{Shared, join_via};
use crate::watcher::bodies;

cases!(a_denied_server_is_not_heard);

fn a_denied_server_is_not_heard(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let fence = Shared::new(near, far);
    let (host, _) = far.name().rsplit_once(':').expect("a port");
    let acl = json!({"allow": ["*"], "deny": [host], "allow_ip_literals": true});
    room.alice
        .set_state(&room.room_id, "m.room.server_acl", "", &acl)
        .ok();
    // The far server is told, and so both have the list.
    room.agree(|state| state.content("m.room.server_acl", "") == &acl);
    room.bob.say(&room.room_id, "from a denied server").ok();
    // What the far server says afterwards in another room has arrived: so had the other, if it were heard.
    fence.bob.say(&fence.room_id, "from a welcome server").ok();
    fence.both_have(&["from a welcome server"]);
    let heard = bodies(&room.alice.history(&room.room_id));
    assert_eq!(heard, Vec::<String>::new(), "nothing is heard");
    // And nobody of it gets in.
    let carol = far.api().register("carol");
    let reply = join_via(&carol, &room.room_id, near);
    let alices_view = room
        .alice
        .get_state(&room.room_id, "m.room.member", &carol.user_id);
    assert_eq!(alices_view.status, 404, "{reply} made {alices_view}");
}
