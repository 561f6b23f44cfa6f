//! Profiles. spec: `client-server-api §profiles`

use ruma::api::client::profile::{
    get_avatar_url, get_display_name, get_profile, set_avatar_url, set_display_name,
};
use selvage_protocol::errcode;
use selvage_protocol::user::{GetProfile, Profile, SetProfile};
use serde_json::{Map, Value};

use crate::call::{Call, answer, answer_empty};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host};

/// The longest value of a field, in bytes; it goes into every membership event of the user.
const FIELD_MAX_BYTES: usize = 1_024;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_profile::v3::Request, _>(get);
    routes.on::<get_display_name::v3::Request, _>(get_displayname);
    routes.on::<get_avatar_url::v3::Request, _>(get_avatar);
    routes.on::<set_display_name::v3::Request, _>(set_displayname);
    routes.on::<set_avatar_url::v3::Request, _>(set_avatar);
}

/// spec: `client-server-api §get_matrixclientv3profileuserid`
async fn get<H: Host>(call: Call<H>) -> Answer {
    answer(&profile(&call).await?)
}

async fn get_displayname<H: Host>(call: Call<H>) -> Answer {
    let profile = profile(&call).await?;
    answer(&Profile {
        avatar_url: None,
        ..profile
    })
}

async fn get_avatar<H: Host>(call: Call<H>) -> Answer {
    let profile = profile(&call).await?;
    answer(&Profile {
        displayname: None,
        ..profile
    })
}

async fn profile<H: Host>(call: &Call<H>) -> Result<Profile, ApiError> {
    let user = call.user_id(0)?;
    if user.domain() != call.gateway.server_name().as_str() {
        return Ok(call.gateway.workflows().remote_profile(&user).await?);
    }
    Ok(call.gateway.ask_user(user.as_str(), GetProfile {}).await?)
}

/// spec: `client-server-api §put_matrixclientv3profileuseridkeyname`
async fn set_displayname<H: Host>(call: Call<H>) -> Answer {
    set(&call, "displayname").await
}

async fn set_avatar<H: Host>(call: Call<H>) -> Answer {
    set(&call, "avatar_url").await
}

async fn set<H: Host>(call: &Call<H>, field: &'static str) -> Answer {
    let session = call.session_of_arg().await?;
    let value = new_value(&call.json()?, field)?;
    let command = SetProfile {
        field: field.to_owned(),
        value,
    };
    call.gateway.ask_user(&session.user_id, command).await?;
    answer_empty()
}

/// What a field is set to; `None` removes it, which `null` and the empty string ask for.
fn new_value(body: &Map<String, Value>, field: &str) -> Result<Option<String>, ApiError> {
    match body.get(field) {
        Some(Value::String(value)) if value.len() > FIELD_MAX_BYTES => Err(ApiError::new(
            errcode::TOO_LARGE,
            format!("{field} is longer than {FIELD_MAX_BYTES} bytes"),
        )),
        Some(Value::String(value)) => Ok(Some(value.clone()).filter(|value| !value.is_empty())),
        Some(Value::Null) => Ok(None),
        Some(_) => Err(ApiError::bad_json(format!("{field} is not a string"))),
        None => Err(ApiError::new(
            errcode::MISSING_PARAM,
            format!("{field} is missing"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_set_removed_or_refused() {
        let check = |body: Value| {
            let value = new_value(body.as_object().unwrap(), "displayname");
            value.map_err(|error| error.errcode.into_owned())
        };
        assert_eq!(
            check(json!({ "displayname": "Alice" })),
            Ok(Some("Alice".to_owned()))
        );
        assert_eq!(check(json!({ "displayname": "" })), Ok(None));
        assert_eq!(check(json!({ "displayname": null })), Ok(None));
        assert_eq!(check(json!({ "displayname": 1 })), Err("M_BAD_JSON".to_owned()));
        assert_eq!(check(json!({})), Err("M_MISSING_PARAM".to_owned()));
        assert_eq!(
            check(json!({ "displayname": "x".repeat(1_025) })),
            Err("M_TOO_LARGE".to_owned())
        );
    }
}
