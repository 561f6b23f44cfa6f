//! Which server makes a request. spec: `server-server-api §request-authentication`

use selvage_event::ServerName;
use selvage_protocol::errcode;
use selvage_workflow::x_matrix::{Signed, XMatrix, canonical_body};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::limits::Place;
use crate::call::Call;
use crate::{ApiError, Host};

/// The server that makes a request, which has shown that it does.
pub(super) struct Origin {
    name: ServerName,
    /// One of the requests that the server may have at once.
    _place: Option<Place>,
}

impl Origin {
    pub(super) const fn name(&self) -> &ServerName {
        &self.name
    }

    pub(super) fn as_str(&self) -> &str {
        self.name.as_str()
    }

    pub(super) fn to_owned(&self) -> String {
        self.name.to_string()
    }
}

impl<H: Host> Call<H> {
    /// Which server makes the request. Nothing is done for anybody before this is known, but to look up the server's keys.
    ///
    /// # Errors
    /// `M_UNAUTHORIZED` when it is not signed by whom it says, `M_FORBIDDEN` for a server that this one does not speak with,
    /// `M_LIMIT_EXCEEDED`.
    pub(super) async fn origin(&self) -> Result<Origin, ApiError> {
        let claim = XMatrix::from_headers(&self.head.headers).map_err(|error| unauthorized(&error))?;
        let own = self.gateway.server_name();
        if claim.destination.as_ref().is_some_and(|name| name != own) {
            return Err(unauthorized("the request is for another server"));
        }
        if claim.origin == *own {
            return Err(unauthorized("this server makes no requests to itself"));
        }
        if !self.gateway.settings().federation.allows(&claim.origin) {
            return Err(ApiError::forbidden("this server does not speak with yours"));
        }
        self.check_signature(&claim).await?;
        let place = self.gateway.place_for(&claim.origin)?;
        Ok(Origin {
            name: claim.origin,
            _place: place,
        })
    }

    async fn check_signature(&self, claim: &XMatrix) -> Result<(), ApiError> {
        let body = self.content()?;
        let body = body.map(canonical_body).transpose();
        let body = body.map_err(|error| ApiError::bad_json(error.to_string()))?;
        // The path as it came: a proxy that writes it otherwise breaks the signature.
        let uri = self.head.uri.path_and_query().map_or("/", |uri| uri.as_str());
        let own = self.gateway.server_name();
        let signed = Signed::new(&self.head.method, uri, &claim.origin, own, body.as_deref());
        let workflows = self.gateway.workflows();
        let keys = workflows.request_keys(&claim.origin, &claim.key_ids()).await?;
        if signed.is_by(claim, &keys) {
            return Ok(());
        }
        Err(unauthorized(
            "the request is not signed by a valid key of its server",
        ))
    }

    /// The body, if there is one.
    fn content(&self) -> Result<Option<&RawValue>, ApiError> {
        let text = std::str::from_utf8(&self.body).map_err(|_| not_json("the body is not UTF-8"))?;
        if text.is_empty() {
            return Ok(None);
        }
        let raw = serde_json::from_str(text).map_err(|error| not_json(error.to_string()))?;
        Ok(Some(raw))
    }

    /// The body in its shape. Unlike what clients send, it may be nested as deeply as events are.
    pub(super) fn federation_json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| ApiError::bad_json(error.to_string()))
    }
}

fn unauthorized(why: &(impl ToString + ?Sized)) -> ApiError {
    ApiError::new(errcode::UNAUTHORIZED, why.to_string())
}

fn not_json(why: impl Into<String>) -> ApiError {
    ApiError::new(errcode::NOT_JSON, why)
}
