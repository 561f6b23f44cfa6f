//! Making an account. spec: `client-server-api §account-registration-and-management`

use http::StatusCode;
use ruma::api::client::account::{check_registration_token_validity, get_username_availability, register};
use selvage_event::UserId;
use selvage_object::Random;
use selvage_protocol::server::{CheckRegistrationToken, UseRegistrationToken};
use selvage_protocol::user::Account;
use selvage_protocol::{errcode, server_key};
use serde::Deserialize;
use serde_json::json;

use super::login::{self, WantedDevice};
use crate::admin::accounts::{self, NewAccount};
use crate::call::{Call, answer};
use crate::router::{Answer, Routes};
use crate::uia::{AuthData, Bound, Interactive, Stage};
use crate::{ApiError, Gateway, Host, Registration, password};

/// The letters of a user name that the server chooses.
const CHOSEN_NAME_LETTERS: usize = 12;
const GUEST_ACCESS_FORBIDDEN: &str = "M_GUEST_ACCESS_FORBIDDEN";

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<register::v3::Request, _>(register_account);
    routes.on::<get_username_availability::v3::Request, _>(available);
    routes.on::<check_registration_token_validity::v1::Request, _>(token_validity);
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Kind {
    fn refuse_others_than_users(&self) -> Result<(), ApiError> {
        match self.kind.as_deref() {
            None | Some("user") => Ok(()),
            Some("guest") => {
                let message = "this server has no guests";
                Err(ApiError::with_status(
                    StatusCode::FORBIDDEN,
                    GUEST_ACCESS_FORBIDDEN,
                    message,
                ))
            }
            Some(_) => Err(ApiError::invalid_param("there is no such kind of account")),
        }
    }
}

#[derive(Deserialize)]
struct Request {
    username: Option<String>,
    password: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
    auth: Option<AuthData>,
    #[serde(flatten)]
    device: WantedDevice,
}

/// spec: `client-server-api §post_matrixclientv3register`
async fn register_account<H: Host>(call: Call<H>) -> Answer {
    let gateway = &call.gateway;
    let stage = stage(gateway.settings().registration)?;
    let kind: Kind = call.query()?;
    kind.refuse_others_than_users()?;
    let request: Request = call.json()?;
    let user = wanted_user(gateway, request.username.as_deref())?;
    if request.username.is_some() {
        refuse_taken(gateway, &user).await?;
    }
    let interactive = Interactive::new(&call, stage, None, Bound::Endpoint)?;
    let auth = interactive.auth(request.auth)?;
    let password = request.password.ok_or_else(missing_password)?;
    password::check(&password)?;
    if stage == Stage::RegistrationToken {
        use_token(&interactive, gateway, auth.token, &user).await?;
    }
    let account = NewAccount {
        user: &user,
        password: Some(&password),
        admin: false,
        displayname: None,
    };
    accounts::create(gateway, account, None).await?;
    if request.inhibit_login {
        let home_server = gateway.server_name();
        return answer(&json!({ "user_id": user, "home_server": home_server }));
    }
    answer(&login::sign_in(gateway, &user, request.device).await?)
}

fn missing_password() -> ApiError {
    ApiError::new(errcode::MISSING_PARAM, "the password is missing")
}

fn stage(registration: Registration) -> Result<Stage, ApiError> {
    match registration {
        Registration::Closed => Err(ApiError::forbidden("registration is closed on this server")),
        Registration::Token => Ok(Stage::RegistrationToken),
        Registration::Open => Ok(Stage::Dummy),
    }
}

/// The user id of a wished-for name, which loses its capitals; a chosen one where there is no wish.
pub(crate) fn wanted_user<H: Host>(gateway: &Gateway<H>, name: Option<&str>) -> Result<UserId, ApiError> {
    let chosen = || Random::new(gateway.host().random()).letters(CHOSEN_NAME_LETTERS);
    let localpart = name.map_or_else(chosen, str::to_owned).to_lowercase();
    let invalid = |error| ApiError::new(errcode::INVALID_USERNAME, format!("user name: {error}"));
    UserId::check_new_localpart(&localpart).map_err(invalid)?;
    UserId::from_parts(&localpart, gateway.server_name()).map_err(invalid)
}

pub(crate) async fn refuse_taken<H: Host>(gateway: &Gateway<H>, user: &UserId) -> Result<(), ApiError> {
    if gateway.ask_user(user.as_str(), Account {}).await?.exists {
        return Err(ApiError::new(errcode::USER_IN_USE, "this user name is taken"));
    }
    Ok(())
}

/// Uses up a registration token for this user's sake, once however often the request is repeated.
async fn use_token<H: Host>(
    interactive: &Interactive<'_, H>,
    gateway: &Gateway<H>,
    token: Option<String>,
    user: &UserId,
) -> Result<(), ApiError> {
    let token =
        token.ok_or_else(|| interactive.challenge(Some((errcode::MISSING_PARAM, "the token is missing"))))?;
    let command = UseRegistrationToken {
        token,
        receipt: user.to_string(),
    };
    match gateway.ask(server_key(), command).await.map_err(ApiError::from) {
        Err(error) if error.status.is_client_error() && error.retry_after_ms.is_none() => {
            Err(interactive.challenge(Some((errcode::FORBIDDEN, "the registration token is not valid"))))
        }
        other => other,
    }
}

#[derive(Deserialize)]
struct Name {
    username: String,
}

/// spec: `client-server-api §get_matrixclientv3registeravailable`
async fn available<H: Host>(call: Call<H>) -> Answer {
    let Name { username } = call.query()?;
    let user = wanted_user(&call.gateway, Some(&username))?;
    refuse_taken(&call.gateway, &user).await?;
    answer(&json!({ "available": true }))
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// spec: `client-server-api §get_matrixclientv1registermloginregistration_tokenvalidity`
async fn token_validity<H: Host>(call: Call<H>) -> Answer {
    if call.gateway.settings().registration != Registration::Token {
        return Err(ApiError::forbidden(
            "registration does not ask for tokens on this server",
        ));
    }
    let Token { token } = call.query()?;
    let valid = call
        .gateway
        .ask(server_key(), CheckRegistrationToken { token })
        .await?;
    answer(&json!({ "valid": valid }))
}
