//! Signing in and out. spec: `client-server-api §login`

use ruma::api::client::session::{get_login_types, login, logout, logout_all};
use selvage_event::UserId;
use selvage_protocol::errcode;
use selvage_protocol::user::{Login, Logout, PasswordHash};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{Call, answer, answer_empty, parse_user_id};
use crate::router::{Answer, Routes};
use crate::{ApiError, Gateway, Host, password, token};

const PASSWORD: &str = "m.login.password";
const ID_USER: &str = "m.id.user";
/// The longest device id that a client may choose, in bytes.
const DEVICE_ID_MAX_BYTES: usize = 255;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_login_types::v3::Request, _>(flows);
    routes.on::<login::v3::Request, _>(log_in);
    routes.on::<logout::v3::Request, _>(log_out);
    routes.on::<logout_all::v3::Request, _>(log_out_all);
}

/// How somebody says who they are. spec: `client-server-api §identifier-types`
#[derive(Debug, Deserialize)]
pub(crate) struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    user: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "type")]
    kind: String,
    identifier: Option<Identifier>,
    user: Option<String>,
    password: Option<String>,
    #[serde(flatten)]
    device: WantedDevice,
}

/// The device that a new session shall be of.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct WantedDevice {
    device_id: Option<String>,
    initial_device_display_name: Option<String>,
}

/// A new session. spec: `client-server-api §post_matrixclientv3login`
#[derive(Debug, Serialize)]
pub(crate) struct SignedIn {
    user_id: String,
    access_token: String,
    device_id: String,
    /// No longer in the spec, and still read by some clients.
    home_server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    well_known: Option<Value>,
}

async fn flows<H: Host>(_: Call<H>) -> Answer {
    answer(&json!({ "flows": [{ "type": PASSWORD }] }))
}

async fn log_in<H: Host>(call: Call<H>) -> Answer {
    let request: Request = call.json()?;
    if request.kind != PASSWORD {
        return Err(ApiError::new(
            errcode::UNKNOWN,
            "this server knows no such way to log in",
        ));
    }
    let given = request
        .password
        .ok_or_else(|| ApiError::new(errcode::MISSING_PARAM, "the password is missing"))?;
    let gateway = &call.gateway;
    let user = named_user(gateway, request.identifier.as_ref(), request.user.as_deref())?;
    let user = holder_of_password(gateway, user, &given).await?;
    answer(&sign_in(gateway, &user, request.device).await?)
}

/// The user whose password it is: of this very name, or of its lower-case form, which new accounts have.
async fn holder_of_password<H: Host>(
    gateway: &Gateway<H>,
    user: UserId,
    given: &str,
) -> Result<UserId, ApiError> {
    let lower = gateway.local_user(&user.localpart().to_lowercase())?;
    let mut answer = password_fits(gateway, user.as_str(), given).await?;
    if answer.is_yes() {
        return Ok(user);
    }
    if answer == Fits::NoAccount && lower != user {
        answer = password_fits(gateway, lower.as_str(), given).await?;
    }
    match answer {
        Fits::Yes => Ok(lower),
        Fits::Deactivated => Err(ApiError::new(
            errcode::USER_DEACTIVATED,
            "the account has been deactivated",
        )),
        Fits::No | Fits::NoAccount => Err(ApiError::forbidden("wrong user or password")),
    }
}

/// Whether a password is an account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fits {
    Yes,
    No,
    NoAccount,
    Deactivated,
}

impl Fits {
    pub(crate) fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// Whether it is the user's password. Counts as a try to log in, and takes equally long where there is no account.
pub(crate) async fn password_fits<H: Host>(
    gateway: &Gateway<H>,
    user_id: &str,
    given: &str,
) -> Result<Fits, ApiError> {
    let command = PasswordHash {
        rate_limited: gateway.settings().rate_limits,
    };
    let known = gateway.ask_user(user_id, command).await?;
    let exists = known.phc.is_some();
    let fits = password::verify(gateway, known.phc, given).await?;
    Ok(match (known.deactivated, fits, exists) {
        (true, _, _) => Fits::Deactivated,
        (_, true, _) => Fits::Yes,
        (_, _, true) => Fits::No,
        (_, _, false) => Fits::NoAccount,
    })
}

/// The local user that an identifier, or the `user` of old, names: by localpart or whole id.
pub(crate) fn named_user<H: Host>(
    gateway: &Gateway<H>,
    identifier: Option<&Identifier>,
    user: Option<&str>,
) -> Result<UserId, ApiError> {
    let name = match identifier {
        Some(identifier) if identifier.kind == ID_USER => identifier.user.as_deref(),
        Some(_) => return Err(ApiError::forbidden("this server knows users by their ids only")),
        None => user,
    };
    let name = name.ok_or_else(|| ApiError::new(errcode::MISSING_PARAM, "the user is missing"))?;
    if !name.starts_with('@') {
        return gateway.local_user(name);
    }
    let user = parse_user_id(name)?;
    if user.domain() == gateway.server_name().as_str() {
        return Ok(user);
    }
    Err(ApiError::forbidden("this user is of another server"))
}

/// Opens a session.
pub(crate) async fn sign_in<H: Host>(
    gateway: &Gateway<H>,
    user: &UserId,
    device: WantedDevice,
) -> Result<SignedIn, ApiError> {
    let device_id = match device.device_id.filter(|id| !id.is_empty()) {
        Some(id) if id.len() > DEVICE_ID_MAX_BYTES => {
            return Err(ApiError::invalid_param("the device id is too long"));
        }
        Some(id) => id,
        None => token::new_device_id(gateway.host().random()),
    };
    let access_token = token::create(user.localpart(), gateway.host().random());
    let command = Login {
        device_id,
        initial_device_display_name: device.initial_device_display_name,
        token_hash: token::hash(&access_token),
    };
    let session = gateway.ask_user(user.as_str(), command).await?;
    let base_url = gateway.settings().public_base_url.as_ref();
    Ok(SignedIn {
        user_id: session.user_id,
        access_token,
        device_id: session.device_id,
        home_server: gateway.server_name().to_string(),
        well_known: base_url.map(|base_url| json!({ "m.homeserver": { "base_url": base_url } })),
    })
}

/// spec: `client-server-api §post_matrixclientv3logout`
async fn log_out<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let command = Logout {
        device_id: Some(session.device_id),
    };
    call.gateway.ask_user(&session.user_id, command).await?;
    answer_empty()
}

/// spec: `client-server-api §post_matrixclientv3logoutall`
async fn log_out_all<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    call.gateway
        .ask_user(&session.user_id, Logout { device_id: None })
        .await?;
    answer_empty()
}
