//! What the server lets clients do. spec: `client-server-api §capabilities-negotiation`

use ruma::api::client::discovery::get_capabilities;
use selvage_event::RoomVersion;
use serde_json::{Map, Value, json};

use crate::Host;
use crate::call::{Call, answer};
use crate::router::{Answer, Routes};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_capabilities::v3::Request, _>(capabilities);
}

async fn capabilities<H: Host>(call: Call<H>) -> Answer {
    call.session().await?;
    let stable = |version: RoomVersion| (version.to_string(), Value::from("stable"));
    let available: Map<String, Value> = RoomVersion::ALL.into_iter().map(stable).collect();
    let default = call.gateway.settings().default_room_version;
    answer(&json!({ "capabilities": {
        "m.change_password": { "enabled": true },
        "m.room_versions": { "default": default, "available": available },
        "m.set_displayname": { "enabled": true },
        "m.set_avatar_url": { "enabled": true },
        "m.profile_fields": { "enabled": true, "allowed": ["displayname", "avatar_url"] },
        "m.3pid_changes": { "enabled": false },
        "m.get_login_token": { "enabled": false },
    }}))
}
