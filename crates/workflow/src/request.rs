//! Requests to other servers, signed. spec: `server-server-api §request-authentication`

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use selvage_event::ServerName;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::x_matrix::{Signed, canonical_body};
use crate::{Host, RemoteBody, RemoteError, RemoteResponse, Workflows};

/// How long a server has to begin to answer, and between two chunks of its answer, in milliseconds.
const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// The most bytes that are read of an answer that says what went wrong.
const REFUSAL_MAX_BYTES: usize = 65_536;
/// The error code where an answer names none.
const NO_ERRCODE: &str = "M_UNKNOWN";

/// The standard form of an error (spec: server-server-api §standard-error-response).
#[derive(Deserialize)]
struct StandardError {
    errcode: Option<String>,
    error: Option<String>,
}

impl<H: Host> Workflows<H> {
    /// Makes a signed request and reads the whole answer, which is JSON of at most `limit` bytes.
    ///
    /// # Errors
    /// [`RemoteError`]; a status that is not 2xx is [`RemoteError::Refused`].
    pub async fn request(
        &self,
        to: &ServerName,
        method: Method,
        path_and_query: &str,
        body: Option<&RawValue>,
        limit: usize,
    ) -> Result<Bytes, RemoteError> {
        let answer = self.stream(to, method, path_and_query, body).await?;
        read(answer.body, limit).await
    }

    /// Makes a signed request, and returns the answer as it arrives.
    ///
    /// # Errors
    /// As for [`Workflows::request`].
    pub async fn stream(
        &self,
        to: &ServerName,
        method: Method,
        path_and_query: &str,
        body: Option<&RawValue>,
    ) -> Result<RemoteResponse, RemoteError> {
        let mut request = unsigned(method, path_and_query, body)?;
        let signed = self.sign(to, &request, body)?;
        request.headers_mut().insert(AUTHORIZATION, signed);
        self.exchange(to, request).await
    }

    /// As [`Workflows::request`], without a signature: for keys, which nobody needs to ask for in their own name.
    pub(crate) async fn request_unsigned(
        &self,
        to: &ServerName,
        method: Method,
        path_and_query: &str,
        body: Option<&RawValue>,
        limit: usize,
    ) -> Result<Bytes, RemoteError> {
        let answer = self.exchange(to, unsigned(method, path_and_query, body)?).await?;
        read(answer.body, limit).await
    }

    fn sign(
        &self,
        to: &ServerName,
        request: &Request<Bytes>,
        body: Option<&RawValue>,
    ) -> Result<http::HeaderValue, RemoteError> {
        let body = body.map(canonical_body).transpose();
        let body = body.map_err(|error| cannot_be_sent(&error))?;
        let own = self.server_name();
        let uri = request.uri().to_string();
        let signed = Signed::new(request.method(), &uri, own, to, body.as_deref());
        signed
            .header(self.signing_key(), own, to)
            .ok_or_else(|| cannot_be_sent("the authorization"))
    }

    async fn exchange(
        &self,
        to: &ServerName,
        request: Request<Bytes>,
    ) -> Result<RemoteResponse, RemoteError> {
        if to == self.server_name() {
            return Err(RemoteError::Unsupported("that is this server itself".to_owned()));
        }
        let answer = self.host().exchange(to, request, REQUEST_TIMEOUT_MS).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(refused(answer).await)
    }
}

fn cannot_be_sent(what: &(impl ToString + ?Sized)) -> RemoteError {
    RemoteError::Unsupported(what.to_string())
}

fn unsigned(
    method: Method,
    path_and_query: &str,
    body: Option<&RawValue>,
) -> Result<Request<Bytes>, RemoteError> {
    let mut request = Request::builder().method(method).uri(path_and_query);
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.get().to_owned()));
    request.body(bytes).map_err(|error| cannot_be_sent(&error))
}

async fn refused(answer: RemoteResponse) -> RemoteError {
    let status = answer.status.as_u16();
    let said = read(answer.body, REFUSAL_MAX_BYTES).await.ok();
    let said = said.and_then(|bytes| serde_json::from_slice::<StandardError>(&bytes).ok());
    let (errcode, message) = said.map_or((None, None), |said| (said.errcode, said.error));
    RemoteError::Refused {
        status,
        errcode: errcode.unwrap_or_else(|| NO_ERRCODE.to_owned()),
        message: message.unwrap_or_default(),
    }
}

/// Reads a body of at most `limit` bytes.
async fn read(mut body: RemoteBody, limit: usize) -> Result<Bytes, RemoteError> {
    let mut read = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if read.len() + chunk.len() > limit {
            return Err(RemoteError::Misbehaved(format!(
                "an answer of more than {limit} bytes"
            )));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.into())
}
