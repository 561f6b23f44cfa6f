//! The rooms that this server publishes, of which there are none yet. spec: `server-server-api §public-room-directory`

use http::Method;
use serde_json::json;

use crate::Host;
use crate::call::{Call, answer};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let template = "/_matrix/federation/v1/publicRooms";
    routes.at(Method::GET, template, BODY_MAX_BYTES, public_rooms);
    routes.at(Method::POST, template, BODY_MAX_BYTES, public_rooms);
}

/// spec: `server-server-api §get_matrixfederationv1publicrooms`, `§post_matrixfederationv1publicrooms`
async fn public_rooms<H: Host>(call: Call<H>) -> Answer {
    let _origin = call.origin().await?;
    answer(&json!({ "chunk": [], "total_room_count_estimate": 0 }))
}
