//! One request on its way through a handler.

use bytes::Bytes;
use http::request::Parts;
use selvage_event::{EventId, RoomId, UserId};
use selvage_protocol::Json;
use serde::de::DeserializeOwned;

use crate::router::Answer;
use crate::{ApiError, Body, Gateway, input};

/// A request, routed and not yet understood.
pub(crate) struct Call<H> {
    pub(crate) gateway: Gateway<H>,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    args: Vec<String>,
}

impl<H> Call<H> {
    /// Takes a request and the encoded segments of its path that vary.
    ///
    /// # Errors
    /// When a segment is not UTF-8.
    pub(crate) fn new(
        gateway: Gateway<H>,
        head: Parts,
        body: Bytes,
        args: &[&str],
    ) -> Result<Self, ApiError> {
        let args = args
            .iter()
            .map(|raw| input::segment(raw))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            gateway,
            head,
            body,
            args,
        })
    }

    /// The `at`th segment of the path that varies, decoded; empty when there is none.
    pub(crate) fn arg(&self, at: usize) -> &str {
        self.args.get(at).map_or("", String::as_str)
    }

    /// As [`Call::arg`], as a room id.
    pub(crate) fn room_id(&self, at: usize) -> Result<RoomId, ApiError> {
        RoomId::parse(self.arg(at)).map_err(|error| ApiError::invalid_param(format!("room id: {error}")))
    }

    /// As [`Call::arg`], as an event id.
    pub(crate) fn event_id(&self, at: usize) -> Result<EventId, ApiError> {
        EventId::parse(self.arg(at)).map_err(|error| ApiError::invalid_param(format!("event id: {error}")))
    }

    /// As [`Call::arg`], as a user id.
    pub(crate) fn user_id(&self, at: usize) -> Result<UserId, ApiError> {
        parse_user_id(self.arg(at))
    }

    /// The parameters of the query.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        input::query(self.head.uri.query())
    }

    /// The body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        input::json(&self.body)
    }

    /// The body as the JSON object that it is.
    pub(crate) fn raw_object(&self) -> Result<Json, ApiError> {
        input::raw_object(&self.body)
    }
}

/// A user id that a client sent.
pub(crate) fn parse_user_id(text: &str) -> Result<UserId, ApiError> {
    UserId::parse(text).map_err(|error| ApiError::invalid_param(format!("user id: {error}")))
}

/// Answers with a JSON value.
pub(crate) fn answer(value: &impl serde::Serialize) -> Answer {
    serde_json::to_vec(value)
        .map(Body::from)
        .map_err(ApiError::internal)
}

/// Answers with `{}`.
pub(crate) fn answer_empty() -> Answer {
    Ok(Body::from(b"{}".to_vec()))
}
