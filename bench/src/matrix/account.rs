//! Accounts.

use serde::Deserialize;
use serde_json::{Value, json};

use super::parse;
use crate::{
    fault::Fault,
    http::{Connection, Request},
};

const REGISTER: &str = "/_matrix/client/v3/register";
/// Password of every account of a load; none of them outlives its test server.
const PASSWORD: &str = "correct horse battery staple";

/// A registered user with one device.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Account {
    /// `@name:server`.
    pub(crate) user_id: String,
    /// The device's access token.
    #[serde(rename = "access_token")]
    pub(crate) token: String,
}

#[derive(Deserialize)]
struct Challenge {
    session: Option<String>,
}

/// Registers a user as a client does: it asks, is told the flows, and completes the dummy stage
/// (spec: client-server-api §post_matrixclientv3register, §dummy-auth).
pub(crate) async fn register(connection: &mut Connection, name: &str) -> Result<Account, Fault> {
    let mut form = json!({
        "username": name,
        "password": PASSWORD,
        "initial_device_display_name": "bench",
    });
    let response = connection
        .call(&Request::post(REGISTER, None, form.to_string().as_bytes()))
        .await?;
    if response.status == 401 {
        let challenge: Challenge = parse(response.body, "register")?;
        complete(&mut form, challenge.session);
        let response = connection
            .call(&Request::post(REGISTER, None, form.to_string().as_bytes()))
            .await?;
        return account(response.status, response.body);
    }
    account(response.status, response.body)
}

fn complete(form: &mut Value, session: Option<String>) {
    if let Some(form) = form.as_object_mut() {
        form.insert(
            "auth".to_owned(),
            json!({ "type": "m.login.dummy", "session": session }),
        );
    }
}

fn account(status: u16, body: &[u8]) -> Result<Account, Fault> {
    match status {
        200 => parse(body, "register"),
        _ => Err(Fault::refused("register", status, body)),
    }
}
