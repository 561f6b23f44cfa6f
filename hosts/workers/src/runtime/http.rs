//! Requests and responses between the runtime's form and the gateway's.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue, Method};
use selvage_gateway::{Body, BodyError};
use worker::{Headers, Request, Response, ResponseBody};

/// How much more than an endpoint takes is read and thrown away: a client that is cut off while it sends gets no answer.
const DRAINED_MAX_BYTES: usize = 1024 * 1024;

/// A body with more bytes than its endpoint takes.
pub(crate) struct Oversized;

/// Reads a request; of its body no more than `limit` says.
///
/// # Errors
/// When the runtime fails. The inner error is the client's.
pub(crate) async fn incoming(
    mut request: Request,
    limit: impl FnOnce(&Method, &str) -> usize,
) -> worker::Result<Result<http::Request<Bytes>, Oversized>> {
    let url = request.url()?;
    let target = url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    );
    let method = request.method().to_string();
    let mut builder = http::Request::builder().method(method.as_str()).uri(target);
    for (name, value) in request.headers().entries() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            builder = builder.header(name, value);
        }
    }
    let empty = builder
        .body(Bytes::new())
        .map_err(|error| worker::Error::RustError(error.to_string()))?;
    let most = limit(empty.method(), empty.uri().path());
    let (head, _) = empty.into_parts();
    let body = body(&mut request, most).await?;
    Ok(body.map(|body| http::Request::from_parts(head, body)))
}

async fn body(request: &mut Request, most: usize) -> worker::Result<Result<Bytes, Oversized>> {
    let Ok(mut chunks) = request.stream() else {
        return Ok(Ok(Bytes::new()));
    };
    let (mut body, mut read) = (BytesMut::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        read = read.saturating_add(chunk.len());
        if read <= most {
            body.extend_from_slice(&chunk);
        } else if read > most.saturating_add(DRAINED_MAX_BYTES) {
            break;
        }
    }
    Ok(if read > most {
        Err(Oversized)
    } else {
        Ok(body.freeze())
    })
}

/// Hands a response to the runtime.
///
/// # Errors
/// When the runtime fails.
pub(crate) fn outgoing(response: http::Response<Body>) -> worker::Result<Response> {
    let (head, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &head.headers {
        if let Ok(value) = value.to_str() {
            headers.append(name.as_str(), value)?;
        }
    }
    let response = match body {
        Body::Whole(bytes) if bytes.is_empty() => Response::from_body(ResponseBody::Empty)?,
        Body::Whole(bytes) => Response::from_body(ResponseBody::Body(bytes.into()))?,
        Body::Chunks(chunks) => Response::from_stream(chunks.map(chunk))?,
    };
    Ok(response.with_headers(headers).with_status(head.status.as_u16()))
}

fn chunk(chunk: Result<Bytes, BodyError>) -> worker::Result<Vec<u8>> {
    chunk
        .map(Into::into)
        .map_err(|error| worker::Error::RustError(error.to_string()))
}
