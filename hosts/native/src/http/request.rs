//! One request.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use selvage_gateway::{Body, respond, respond_to_too_large};
use tokio::time::Instant;

use super::Context;
use super::body::{self, Outgoing, ReadError};

/// Answers a request. An error closes the connection: the client is gone, or too slow to be worth an answer.
pub(crate) async fn answer(
    context: Context,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ReadError> {
    let started = Instant::now();
    let (head, incoming) = request.into_parts();
    let bytes_max = context.gateway.body_limit(&head.method, head.uri.path());
    let response = match body::read(incoming, bytes_max).await {
        Ok(body) => carried_out(&context, Request::from_parts(head, body)).await,
        Err(ReadError::TooLarge) => too_large(),
        Err(error) => return Err(error),
    };
    context.metrics.note_response(response.status().as_u16());
    let us = started.elapsed().as_micros();
    context
        .metrics
        .latency
        .note(u64::try_from(us).unwrap_or(u64::MAX));
    Ok(response.map(Outgoing::from))
}

/// What is left of the body is not read.
fn too_large() -> Response<Body> {
    let mut response = respond_to_too_large();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// The connection's end is the end of what it waits for, unless the gateway wants the request to outlive it.
async fn carried_out(context: &Context, request: Request<Bytes>) -> Response<Body> {
    if !context.gateway.outlives_connection(request.uri().path()) {
        return guarded(context, request).await;
    }
    let context = context.clone();
    let task = tokio::spawn(async move { guarded(&context, request).await });
    // It panics no more than what it guards; it is cancelled when the program ends.
    task.await.unwrap_or_else(|_| internal_error())
}

/// A panic fails its own request alone; the connection can carry others.
async fn guarded(context: &Context, request: Request<Bytes>) -> Response<Body> {
    let response = AssertUnwindSafe(respond(&context.gateway, request)).catch_unwind();
    response.await.unwrap_or_else(|_| {
        tracing::error!("a request panicked");
        internal_error()
    })
}

fn internal_error() -> Response<Body> {
    let mut response = Response::new(Body::from(
        br#"{"errcode":"M_UNKNOWN","error":"internal error"}"#.to_vec(),
    ));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
