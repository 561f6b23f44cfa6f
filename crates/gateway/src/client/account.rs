//! The own account. spec: `client-server-api §account-registration-and-management`

use ruma::api::client::account::{change_password, deactivate, whoami};
use selvage_protocol::user::{Deactivate, SetPassword};
use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, answer, answer_empty};
use crate::router::{Answer, Routes};
use crate::uia::{self, AuthData};
use crate::{Host, password};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<whoami::v3::Request, _>(who_am_i);
    routes.on::<change_password::v3::Request, _>(set_password);
    routes.on::<deactivate::v3::Request, _>(end);
}

/// spec: `client-server-api §get_matrixclientv3accountwhoami`
async fn who_am_i<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    answer(&json!({ "user_id": session.user_id, "device_id": session.device_id, "is_guest": false }))
}

#[derive(Deserialize)]
struct NewPassword {
    new_password: String,
    #[serde(default = "yes")]
    logout_devices: bool,
    auth: Option<AuthData>,
}

const fn yes() -> bool {
    true
}

/// spec: `client-server-api §post_matrixclientv3accountpassword`
async fn set_password<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let request: NewPassword = call.json()?;
    password::check(&request.new_password)?;
    uia::require_password(&call, &session, request.auth).await?;
    let command = SetPassword {
        password_hash: password::hash(&call.gateway, &request.new_password).await?,
        logout_devices: request.logout_devices,
        keep_device: Some(session.device_id),
    };
    call.gateway.ask_user(&session.user_id, command).await?;
    answer_empty()
}

#[derive(Deserialize)]
struct End {
    auth: Option<AuthData>,
}

/// spec: `client-server-api §post_matrixclientv3accountdeactivate`
async fn end<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let request: End = call.json()?;
    uia::require_password(&call, &session, request.auth).await?;
    call.gateway.ask_user(&session.user_id, Deactivate {}).await?;
    answer(&json!({ "id_server_unbind_result": "no-support" }))
}
