//! From request to response.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use selvage_protocol::errcode;
use tracing::Instrument as _;

use crate::call::Call;
use crate::router::{Answer, Found};
use crate::{ApiError, Body, Gateway, Host};

/// In the extensions of a response: the path of the endpoint that answered, as the spec writes it. For metrics, which
/// must not have a series for each room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchedEndpoint(pub &'static str);

const REQUEST_ID: &str = "x-request-id";

/// What goes out with every answer. spec: `client-server-api §web-browser-clients`
const HEADERS: [(&str, &str); 5] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, POST, PUT, DELETE, OPTIONS"),
    (
        "access-control-allow-headers",
        "X-Requested-With, Content-Type, Authorization",
    ),
    ("access-control-expose-headers", "Retry-After, X-Request-Id"),
    ("cache-control", "no-store"),
];

/// How long browsers may remember the answer to a preflight request, in seconds.
const PREFLIGHT_SECONDS: &str = "86400";

/// Answers one request. Never fails: what goes wrong is in the response.
pub async fn respond<H: Host>(gateway: &Gateway<H>, request: Request<Bytes>) -> Response<Body> {
    let id = gateway.next_request_id();
    let (head, body) = request.into_parts();
    let (method, uri) = (head.method.clone(), head.uri.clone());
    let found = gateway.find(&method, uri.path());
    let template = found.template();
    let span = tracing::debug_span!("request", %id, %method, endpoint = template);
    let mut response = async move {
        let answer = dispatch(gateway.clone(), found, head, body).await;
        log(&answer);
        answer.map_or_else(ApiError::into_response, Response::new)
    }
    .instrument(span)
    .await;
    finish(&mut response, &method);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(template) = template {
        response.extensions_mut().insert(MatchedEndpoint(template));
    }
    response
}

async fn dispatch<H: Host>(
    gateway: Gateway<H>,
    found: Found<'_, H>,
    head: http::request::Parts,
    body: Bytes,
) -> Answer {
    if head.method == Method::OPTIONS {
        return Ok(Body::empty());
    }
    if body.len() > found.body_limit() {
        return Err(too_large());
    }
    match found {
        Found::Endpoint(endpoint, args) => endpoint.start(Call::new(gateway, head, body, &args)?).await,
        Found::OtherMethod => Err(unrecognized(StatusCode::METHOD_NOT_ALLOWED)),
        Found::Nothing => Err(unrecognized(StatusCode::NOT_FOUND)),
    }
}

fn log(answer: &Answer) {
    match answer {
        Ok(_) => tracing::debug!("answered"),
        Err(error) if error.status.is_server_error() => {
            tracing::warn!(status = error.status.as_u16(), "failed")
        }
        Err(error) => tracing::debug!(status = error.status.as_u16(), errcode = %error.errcode, "refused"),
    }
}

fn unrecognized(status: StatusCode) -> ApiError {
    ApiError::with_status(
        status,
        errcode::UNRECOGNIZED,
        "the server does not know this request",
    )
}

fn too_large() -> ApiError {
    ApiError::new(errcode::TOO_LARGE, "the request is too large")
}

/// The answer to a request whose body has more bytes than [`Gateway::body_limit`] allows, for hosts that stop reading
/// there.
#[must_use]
pub fn respond_to_too_large() -> Response<Body> {
    refusal(too_large())
}

/// The answer to a request for which the host has no room at the moment.
#[must_use]
pub fn respond_to_overload(retry_after_ms: u64) -> Response<Body> {
    refusal(ApiError::overloaded(retry_after_ms))
}

fn refusal(error: ApiError) -> Response<Body> {
    let mut response = error.into_response();
    finish(&mut response, &Method::GET);
    response
}

/// Adds what every response has.
fn finish(response: &mut Response<Body>, method: &Method) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    match *method {
        Method::OPTIONS => finish_preflight(headers),
        _ => {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
    }
    if *method == Method::HEAD {
        if let Some(length) = response.body().len() {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        *response.body_mut() = Body::empty();
    }
}

fn finish_preflight(headers: &mut HeaderMap) {
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static(PREFLIGHT_SECONDS),
    );
}
