//! One `fetch`: its times, its end, and its body as it arrives.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use js_sys::Uint8Array;
use selvage_object::Timestamp;
use selvage_workflow::{RemoteBody, RemoteError, USER_AGENT, patience_ms};
use worker::{
    AbortController, ByteStream, CacheMode, Delay, Fetch, Headers, Method, RequestInit, RequestRedirect,
    Response, ResponseBody,
};

use crate::runtime::moment;

/// An answer that has begun.
pub(super) struct Open {
    /// Who answers, for messages.
    who: String,
    response: Response,
    connection: Connection,
}

/// Ends a `fetch` when it is dropped.
struct Connection(Option<AbortController>);

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

impl Open {
    /// Sends a request, whose URI is a path with a query, and waits until the answer begins.
    pub(super) async fn begin(
        who: &str,
        origin: &str,
        request: Request<Bytes>,
        timeout_ms: u64,
    ) -> Result<Self, RemoteError> {
        let request = prepare(origin, request).map_err(|error| unreachable(who, &error))?;
        let controller = AbortController::default();
        let signal = controller.signal();
        let connection = Connection(Some(controller));
        let fetch = Fetch::Request(request);
        let response = within(timeout_ms, who, fetch.send_with_signal(&signal)).await?;
        Ok(Self {
            who: who.to_owned(),
            response: response.map_err(|error| unreachable(who, &error))?,
            connection,
        })
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.response.status_code()
    }

    /// The headers that can be told.
    pub(super) fn headers(&self) -> HeaderMap {
        let pairs = self.response.headers().entries();
        let known = pairs.filter_map(|(name, value)| {
            Some((
                HeaderName::try_from(name).ok()?,
                HeaderValue::try_from(value).ok()?,
            ))
        });
        known.collect()
    }

    /// The body. When it is dropped before its end, the connection ends.
    pub(super) fn into_body(mut self, silence_max_ms: u64) -> RemoteBody {
        // One that is empty is no stream.
        if matches!(self.response.body(), ResponseBody::Empty) {
            return Box::pin(stream::empty());
        }
        match self.response.stream() {
            Ok(chunks) => {
                let reading = Reading {
                    who: self.who,
                    chunks,
                    connection: self.connection,
                    silence_max_ms,
                    began: moment::now(),
                    bytes: 0,
                };
                Box::pin(stream::try_unfold(reading, Reading::next))
            }
            Err(error) => {
                let error = unreachable(&self.who, &error);
                Box::pin(stream::once(async { Err(error) }))
            }
        }
    }

    /// The whole body, of at most so many bytes.
    pub(super) async fn into_bytes(self, most: usize, silence_max_ms: u64) -> Result<Bytes, RemoteError> {
        let who = self.who.clone();
        let mut chunks = self.into_body(silence_max_ms);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > most {
                return Err(RemoteError::Misbehaved(format!(
                    "{who} answers with more than {most} bytes"
                )));
            }
        }
        Ok(bytes.freeze())
    }
}

/// A body that is being read.
struct Reading {
    who: String,
    chunks: ByteStream,
    connection: Connection,
    silence_max_ms: u64,
    began: Timestamp,
    bytes: u64,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, RemoteError> {
        let since_ms = moment::now().ms_since(self.began);
        let patience = patience_ms(self.silence_max_ms, since_ms, self.bytes);
        match within(patience, &self.who, self.chunks.next()).await? {
            Some(Ok(chunk)) => {
                self.bytes = self.bytes.saturating_add(chunk.len() as u64);
                Ok(Some((Bytes::from(chunk), self)))
            }
            Some(Err(error)) => Err(unreachable(&self.who, &error)),
            None => {
                // It has ended by itself.
                self.connection.0 = None;
                Ok(None)
            }
        }
    }
}

/// Waits for something so long and no longer.
pub(super) async fn within<T>(ms: u64, who: &str, work: impl Future<Output = T>) -> Result<T, RemoteError> {
    let over = Delay::from(Duration::from_millis(ms));
    match select(pin!(work), over).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(RemoteError::Unreachable(format!("{who} did not answer in time"))),
    }
}

fn prepare(origin: &str, request: Request<Bytes>) -> worker::Result<worker::Request> {
    let (head, body) = request.into_parts();
    let headers = Headers::new();
    for (name, value) in &head.headers {
        let value = value
            .to_str()
            .map_err(|error| worker::Error::RustError(error.to_string()))?;
        headers.append(name.as_str(), value)?;
    }
    // The runtime would unpack it, unasked.
    headers.set("accept-encoding", "identity")?;
    headers.set("user-agent", USER_AGENT)?;
    let mut init = RequestInit::new();
    init.with_method(Method::from(head.method.to_string()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_cache(CacheMode::NoStore);
    if !body.is_empty() {
        init.with_body(Some(Uint8Array::from(body.as_ref()).into()));
    }
    worker::Request::new_with_init(&format!("{origin}{}", head.uri), &init)
}

fn unreachable(who: &str, error: &worker::Error) -> RemoteError {
    RemoteError::Unreachable(format!("{who}: {error}"))
}
