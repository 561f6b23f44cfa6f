//! The Server-Server API, one file for each group of endpoints.
//!
//! All but keys, version and discovery are signed by the server that makes the request ([`origin`]). What rooms know of
//! themselves, who is in them and whom they let take part, the rooms check.

mod edus;
mod events;
mod events_body;
mod invite;
mod invited;
mod keys;
mod limits;
mod make;
mod origin;
mod pdus;
mod profile;
mod rooms_list;
mod send;
mod state;
mod transaction;

pub(crate) use limits::Origins;
pub(crate) use transaction::is_transaction;

use http::Method;
use selvage_event::{RoomId, RoomVersion};
use selvage_protocol::federation::Residence;
use selvage_protocol::room_key;
use serde_json::json;

use crate::call::{Call, answer};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Gateway, Host};

/// Registers all endpoints.
pub(crate) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.at(
        Method::GET,
        "/_matrix/federation/v1/version",
        BODY_MAX_BYTES,
        version,
    );
    events::routes(routes);
    invite::routes(routes);
    keys::routes(routes);
    make::routes(routes);
    profile::routes(routes);
    rooms_list::routes(routes);
    send::routes(routes);
    state::routes(routes);
    transaction::routes(routes);
}

/// spec: `server-server-api §get_matrixfederationv1version`
async fn version<H: Host>(_: Call<H>) -> Answer {
    answer(&json!({ "server": { "name": "Selvage", "version": env!("CARGO_PKG_VERSION") } }))
}

/// The version of a room that this server is in.
///
/// # Errors
/// `M_NOT_FOUND` for another one.
async fn version_of<H: Host>(gateway: &Gateway<H>, room_id: &RoomId) -> Result<RoomVersion, ApiError> {
    let room = gateway.ask(room_key(room_id.as_str()), Residence {}).await?;
    room.and_then(|version| version.parse().ok())
        .ok_or_else(|| ApiError::not_found("this server is not in that room"))
}
