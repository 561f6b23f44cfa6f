//! Endpoints whose true answer is that there is nothing: clients ask them at start and take an error for a fault.

use ruma::api::client::{push::get_pushers, thirdparty::get_protocols, voip::get_turn_server_info};
use serde_json::json;

use crate::Host;
use crate::call::{Call, answer, answer_empty};
use crate::router::{Answer, Routes};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_turn_server_info::v3::Request, _>(turn_server);
    routes.on::<get_protocols::v3::Request, _>(protocols);
    routes.on::<get_pushers::v3::Request, _>(pushers);
}

/// No TURN server is configured. spec: `client-server-api §get_matrixclientv3voipturnserver`
async fn turn_server<H: Host>(call: Call<H>) -> Answer {
    call.session().await?;
    answer_empty()
}

/// No bridge is connected. spec: `client-server-api §get_matrixclientv3thirdpartyprotocols`
async fn protocols<H: Host>(call: Call<H>) -> Answer {
    call.session().await?;
    answer_empty()
}

/// Nothing can be added, so there is none. spec: `client-server-api §get_matrixclientv3pushers`
async fn pushers<H: Host>(call: Call<H>) -> Answer {
    call.session().await?;
    answer(&json!({ "pushers": [] }))
}
