//! What a client is told when its request fails. spec: `client-server-api §standard-error-response`

use std::borrow::Cow;

use http::{HeaderValue, Response, StatusCode, header};
use selvage_event::FormatError;
use selvage_object::Refusal;
use selvage_protocol::errcode;
use selvage_workflow::WorkflowError;
use serde_json::{Map, Value};

use crate::{AskError, Body, RemoteError, STORAGE_FULL};

/// A request that failed: the HTTP status and the standard error body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{errcode}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The Matrix error code; empty in the first answer of user-interactive authentication, which is no failure yet.
    pub errcode: Cow<'static, str>,
    /// A sentence for people.
    pub message: String,
    /// When to try again, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
    /// More members of the body; user-interactive authentication has some.
    pub(crate) more: Map<String, Value>,
}

/// What other servers say that is for clients to know. Anything else of theirs could say of this server what is not so: that a
/// token is not good, for one, on which clients sign out.
const TOLD_OF_OTHERS: [&str; 9] = [
    errcode::FORBIDDEN,
    errcode::NOT_FOUND,
    errcode::LIMIT_EXCEEDED,
    errcode::INVALID_PARAM,
    errcode::INCOMPATIBLE_ROOM_VERSION,
    errcode::UNSUPPORTED_ROOM_VERSION,
    errcode::UNABLE_TO_GRANT_JOIN,
    errcode::UNABLE_TO_AUTHORISE_JOIN,
    errcode::INVITE_BLOCKED,
];

/// The status that an error code goes with, unless an endpoint says otherwise.
fn status_of(code: &str) -> StatusCode {
    match code {
        errcode::FORBIDDEN | errcode::USER_DEACTIVATED | errcode::NOT_HERE => StatusCode::FORBIDDEN,
        errcode::UNKNOWN_TOKEN | errcode::MISSING_TOKEN | errcode::USER_LOCKED | errcode::UNAUTHORIZED => {
            StatusCode::UNAUTHORIZED
        }
        errcode::NOT_FOUND => StatusCode::NOT_FOUND,
        errcode::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        errcode::LIMIT_EXCEEDED => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl ApiError {
    /// An error of this code, with the status that goes with it.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::with_status(status_of(code), code, message)
    }

    /// An error of this code with another status than usual.
    pub(crate) fn with_status(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            errcode: Cow::Borrowed(code),
            message: message.into(),
            retry_after_ms: None,
            more: Map::new(),
        }
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(errcode::FORBIDDEN, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(errcode::NOT_FOUND, message)
    }

    pub(crate) fn invalid_param(message: impl Into<String>) -> Self {
        Self::new(errcode::INVALID_PARAM, message)
    }

    pub(crate) fn missing_param(message: impl Into<String>) -> Self {
        Self::new(errcode::MISSING_PARAM, message)
    }

    pub(crate) fn bad_json(message: impl Into<String>) -> Self {
        Self::new(errcode::BAD_JSON, message)
    }

    /// Something in here is broken; the cause goes to the log and not to the client.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::with_status(
            StatusCode::INTERNAL_SERVER_ERROR,
            errcode::UNKNOWN,
            "the server failed",
        )
    }

    /// The server has more to do than it can, for the next `retry_after_ms` milliseconds. A 429 and not a 503, because
    /// client libraries wait and try again by themselves after the former only.
    pub(crate) fn overloaded(retry_after_ms: u64) -> Self {
        let error = Self::new(
            errcode::LIMIT_EXCEEDED,
            "the server has too much to do at the moment",
        );
        Self {
            retry_after_ms: Some(retry_after_ms),
            ..error
        }
    }

    fn unavailable(reason: &str) -> Self {
        tracing::warn!(%reason, "a shard is unavailable");
        let message = if reason == STORAGE_FULL {
            STORAGE_FULL
        } else {
            "the server cannot answer at the moment"
        };
        Self::with_status(StatusCode::SERVICE_UNAVAILABLE, errcode::UNKNOWN, message)
    }

    /// The error with one more member in its body.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// Whether the object refused with this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.errcode == code
    }

    /// The response.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut body = self.more;
        // Whoever knows no other server to go to tells the client what it would be told of any room that it is not in.
        let errcode = match self.errcode {
            code if code == errcode::NOT_HERE => Cow::Borrowed(errcode::FORBIDDEN),
            code => code,
        };
        if !errcode.is_empty() {
            body.insert("errcode".to_owned(), Value::from(errcode));
            body.insert("error".to_owned(), Value::from(self.message));
        }
        if let Some(ms) = self.retry_after_ms {
            body.insert("retry_after_ms".to_owned(), Value::from(ms));
        }
        let mut response = Response::new(Body::from(Value::Object(body).to_string().into_bytes()));
        *response.status_mut() = self.status;
        if let Some(ms) = self.retry_after_ms {
            let seconds = HeaderValue::from(ms.div_ceil(1_000));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        // An object that does not know the command is of an older program than the gateway; the client did nothing wrong.
        if refusal.errcode == errcode::UNRECOGNIZED {
            return Self::unavailable(&refusal.message);
        }
        Self {
            status: status_of(&refusal.errcode),
            errcode: refusal.errcode,
            message: refusal.message,
            retry_after_ms: refusal.retry_after_ms,
            more: Map::new(),
        }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => refusal.into(),
            AskError::Overloaded { retry_after_ms } => Self::overloaded(retry_after_ms),
            AskError::Unavailable(reason) => Self::unavailable(&reason),
            AskError::Stopping => Self::unavailable("the server is stopping"),
        }
    }
}

impl From<WorkflowError> for ApiError {
    fn from(error: WorkflowError) -> Self {
        match error {
            WorkflowError::Ask(error) => error.into(),
            WorkflowError::Remote(RemoteError::Refused {
                status,
                errcode,
                message,
            }) if TOLD_OF_OTHERS.contains(&errcode.as_str()) => Self {
                status: StatusCode::from_u16(status)
                    .ok()
                    .filter(|status| status.is_client_error() && *status != StatusCode::UNAUTHORIZED)
                    .unwrap_or(StatusCode::BAD_GATEWAY),
                errcode: Cow::Owned(errcode),
                message,
                retry_after_ms: None,
                more: Map::new(),
            },
            WorkflowError::Remote(error) => {
                Self::with_status(StatusCode::BAD_GATEWAY, errcode::UNKNOWN, error.to_string())
            }
        }
    }
}

impl From<FormatError> for ApiError {
    fn from(error: FormatError) -> Self {
        let code = if error.is_too_large() {
            errcode::TOO_LARGE
        } else {
            errcode::BAD_JSON
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_get_the_status_of_their_code() {
        let cases = [
            (errcode::FORBIDDEN, 403),
            (errcode::UNKNOWN_TOKEN, 401),
            (errcode::NOT_FOUND, 404),
            (errcode::BAD_JSON, 400),
            (errcode::TOO_LARGE, 413),
            (errcode::USER_IN_USE, 400),
            (errcode::UNRECOGNIZED, 503),
        ];
        for (code, status) in cases {
            assert_eq!(
                ApiError::from(Refusal::new(code, "no")).status.as_u16(),
                status,
                "{code}"
            );
        }
    }

    #[test]
    fn waiting_is_told_in_header_and_body() {
        let refusal = Refusal::new(errcode::LIMIT_EXCEEDED, "slowly").retry_after_ms(1_001);
        let response = ApiError::from(refusal).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let Body::Whole(bytes) = response.into_body() else {
            panic!("an error is whole")
        };
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["retry_after_ms"], 1_001);
        assert_eq!(body["errcode"], "M_LIMIT_EXCEEDED");
    }

    #[test]
    fn the_client_hears_of_full_storage_and_of_no_other_cause() {
        let full = ApiError::from(AskError::Unavailable(STORAGE_FULL.to_owned()));
        let other = ApiError::from(AskError::Unavailable("/var/lib/x: torn page".to_owned()));
        assert_eq!((full.status.as_u16(), full.message.as_str()), (503, STORAGE_FULL));
        assert!(!other.message.contains("torn"), "{other}");
    }
}
