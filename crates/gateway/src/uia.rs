//! User-interactive authentication, without keeping sessions. spec: `client-server-api §user-interactive-authentication-api`
//!
//! A session is a [`ticket`](crate::ticket) bound to method, path, user and body, so one that was begun for a request
//! authorises no other. Each flow has one stage: nothing need be remembered between requests.

use http::StatusCode;
use selvage_protocol::errcode;
use selvage_protocol::user::Session;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::client::login::{self, Identifier};
use crate::ticket::{self, TicketError};
use crate::{ApiError, Host, input};

/// How long a session is good, in milliseconds.
const SESSION_MS: u64 = 15 * 60 * 1_000;
const PURPOSE: &str = "user-interactive authentication";

/// What a client must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing.
    Dummy,
    /// A registration token. spec: `client-server-api §token-authenticated-registration`
    RegistrationToken,
    /// The password of the user who makes the request.
    Password,
}

impl Stage {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dummy => "m.login.dummy",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Password => "m.login.password",
        }
    }
}

/// The `auth` of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct AuthData {
    #[serde(rename = "type")]
    kind: Option<String>,
    session: Option<String>,
    pub(crate) token: Option<String>,
    password: Option<String>,
    identifier: Option<Identifier>,
    user: Option<String>,
}

/// How much of the request a session is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Method, path and user. For registration, which clients begin with an empty body to see the flows.
    Endpoint,
    /// These and the body without `auth`.
    Body,
}

/// The request that asks to be authenticated, for one stage.
pub(crate) struct Interactive<'a, H> {
    call: &'a Call<H>,
    stage: Stage,
    user_id: String,
    body: String,
}

impl<'a, H: Host> Interactive<'a, H> {
    /// A request that needs this stage.
    ///
    /// # Errors
    /// When the body is no JSON object.
    pub(crate) fn new(
        call: &'a Call<H>,
        stage: Stage,
        user: Option<&Session>,
        bound: Bound,
    ) -> Result<Self, ApiError> {
        let user_id = user.map_or_else(String::new, |session| session.user_id.clone());
        let mut body: Map<String, Value> = input::json(&call.body)?;
        body.remove("auth");
        let body = if bound == Bound::Body {
            Value::Object(body).to_string()
        } else {
            String::new()
        };
        Ok(Self {
            call,
            stage,
            user_id,
            body,
        })
    }

    fn parts(&self) -> [&[u8]; 4] {
        let head = &self.call.head;
        let (method, path) = (head.method.as_str(), head.uri.path());
        [
            method.as_bytes(),
            path.as_bytes(),
            self.user_id.as_bytes(),
            self.body.as_bytes(),
        ]
    }

    /// The `auth` of the request, with its session and type checked; the stage itself is not done by that.
    ///
    /// # Errors
    /// 401 with the flows and a new session when there is no `auth`, it lacks a type, names another stage, or its session
    /// has expired; `M_FORBIDDEN` when the session was not begun for this request.
    pub(crate) fn auth(&self, auth: Option<AuthData>) -> Result<AuthData, ApiError> {
        let auth = auth.ok_or_else(|| self.challenge(None))?;
        if let Some(session) = &auth.session {
            self.check_session(session)?;
        }
        match auth.kind.as_deref() {
            Some(kind) if kind == self.stage.name() => Ok(auth),
            Some(_) => Err(self.challenge(Some((errcode::FORBIDDEN, "this stage is not in any flow")))),
            None => Err(self.challenge(None)),
        }
    }

    fn check_session(&self, session: &str) -> Result<(), ApiError> {
        let gateway = &self.call.gateway;
        match ticket::check(gateway.mac_key(), PURPOSE, &self.parts(), session, gateway.now()) {
            Ok(()) => Ok(()),
            Err(TicketError::Expired) => {
                Err(self.challenge(Some((errcode::UNKNOWN, "the authentication session has expired"))))
            }
            Err(TicketError::Forged) => Err(ApiError::forbidden(
                "the authentication session was not begun for this request",
            )),
        }
    }

    /// The 401 that says what must be shown, and why what was shown is not enough.
    pub(crate) fn challenge(&self, why: Option<(&'static str, &str)>) -> ApiError {
        let gateway = &self.call.gateway;
        let expires = gateway.now().plus_ms(SESSION_MS);
        let random = gateway.host().random();
        let session = ticket::issue(gateway.mac_key(), PURPOSE, &self.parts(), expires, random);
        let (code, message) = why.unwrap_or(("", "further authentication is needed"));
        let mut error = ApiError::with_status(StatusCode::UNAUTHORIZED, code, message);
        error
            .more
            .insert("flows".to_owned(), json!([{ "stages": [self.stage.name()] }]));
        error.more.insert("params".to_owned(), json!({}));
        error.more.insert("completed".to_owned(), json!([]));
        error.more.insert("session".to_owned(), Value::from(session));
        error
    }
}

/// Demands the password of the user who makes the request.
///
/// # Errors
/// As for [`Interactive::auth`], and 401 `M_FORBIDDEN` for a wrong password or another user's.
pub(crate) async fn require_password<H: Host>(
    call: &Call<H>,
    session: &Session,
    auth: Option<AuthData>,
) -> Result<(), ApiError> {
    let interactive = Interactive::new(call, Stage::Password, Some(session), Bound::Body)?;
    let auth = interactive.auth(auth)?;
    let named = login::named_user(&call.gateway, auth.identifier.as_ref(), auth.user.as_deref())?;
    let password = auth.password.unwrap_or_default();
    let own = named.as_str() == session.user_id;
    if own
        && login::password_fits(&call.gateway, &session.user_id, &password)
            .await?
            .is_yes()
    {
        return Ok(());
    }
    Err(interactive.challenge(Some((errcode::FORBIDDEN, "wrong user or password"))))
}
