//! What a client asks for.

use std::collections::BTreeMap;

use selvage_event::RoomVersion;
use selvage_protocol::{Json, errcode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::ApiError;

/// A request to make a room.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    visibility: Option<Visibility>,
    room_alias_name: Option<String>,
    pub(super) name: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) invite: Vec<String>,
    invite_3pid: Vec<IgnoredAny>,
    room_version: Option<String>,
    pub(super) creation_content: Map<String, Value>,
    pub(super) initial_state: Vec<InitialState>,
    preset: Option<Preset>,
    pub(super) is_direct: bool,
    pub(super) power_level_content_override: BTreeMap<String, Json>,
}

/// One event of the first state.
#[derive(Deserialize)]
pub(super) struct InitialState {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) state_key: String,
    pub(super) content: Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Visibility {
    Public,
    Private,
}

/// What kind of room it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Preset {
    /// By invitation.
    #[serde(rename = "private_chat")]
    Private,
    /// By invitation, and whoever is invited may do what the creator may.
    #[serde(rename = "trusted_private_chat")]
    TrustedPrivate,
    /// For everybody.
    #[serde(rename = "public_chat")]
    Public,
}

impl Request {
    /// A request for a room with this in its create event, and nothing else said.
    pub(super) fn of_creation_content(creation_content: Map<String, Value>) -> Self {
        Self {
            creation_content,
            ..Self::default()
        }
    }

    /// The preset, by the visibility where none is named.
    pub(super) fn preset(&self) -> Preset {
        let public = self.visibility == Some(Visibility::Public);
        self.preset
            .unwrap_or(if public { Preset::Public } else { Preset::Private })
    }

    /// The room version asked for.
    ///
    /// # Errors
    /// `M_UNSUPPORTED_ROOM_VERSION`.
    pub(super) fn version(&self, default: RoomVersion) -> Result<RoomVersion, ApiError> {
        let Some(name) = &self.room_version else {
            return Ok(default);
        };
        name.parse().map_err(|_| {
            ApiError::new(
                errcode::UNSUPPORTED_ROOM_VERSION,
                "this server has no such room version",
            )
        })
    }

    /// Refuses what has no meaning, and what the server cannot do yet, rather than make another room than asked for.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.room_alias_name.is_some() {
            return Err(ApiError::new(
                errcode::UNKNOWN,
                "room aliases are not supported yet",
            ));
        }
        if self
            .initial_state
            .iter()
            .any(|one| !one.content.get().starts_with('{'))
        {
            return Err(ApiError::bad_json("the content of an event is no object"));
        }
        if !self.invite_3pid.is_empty() {
            return Err(ApiError::new(
                errcode::UNKNOWN,
                "this server cannot invite by e-mail or telephone",
            ));
        }
        Ok(())
    }
}
