//! Room versions and what each of them changes. spec: `rooms §Feature matrix`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::MAX_CANONICAL_INT;

/// A room version that this crate implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoomVersion {
    /// spec: `rooms/v1`
    V1,
    /// spec: `rooms/v2`: state resolution v2.
    V2,
    /// spec: `rooms/v3`: event ids are hashes.
    V3,
    /// spec: `rooms/v4`: event ids are URL-safe.
    V4,
    /// spec: `rooms/v5`: signing keys must be valid at the time of the event.
    V5,
    /// spec: `rooms/v6`: strict canonical JSON, `m.room.aliases` is nothing special any more.
    V6,
    /// spec: `rooms/v7`: knocking.
    V7,
    /// spec: `rooms/v8`: restricted joins.
    V8,
    /// spec: `rooms/v9`: redaction keeps the authoriser of a restricted join.
    V9,
    /// spec: `rooms/v10`: power levels are integers, `knock_restricted`.
    V10,
    /// spec: `rooms/v11`: the create event has no `creator`, redactions name their target in the content.
    V11,
    /// spec: `rooms/v12`: room ids are hashes, creators have infinite power, state resolution v2.1.
    V12,
}

/// The string is no room version known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown room version")]
pub struct UnknownRoomVersion;

impl RoomVersion {
    /// The version that new rooms get unless someone asks for another.
    pub const NEWEST_STABLE: Self = Self::V12;

    /// All versions, oldest first.
    pub const ALL: [Self; 12] = [
        Self::V1,
        Self::V2,
        Self::V3,
        Self::V4,
        Self::V5,
        Self::V6,
        Self::V7,
        Self::V8,
        Self::V9,
        Self::V10,
        Self::V11,
        Self::V12,
    ];

    /// The version as it is written in `m.room.create`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
            Self::V3 => "3",
            Self::V4 => "4",
            Self::V5 => "5",
            Self::V6 => "6",
            Self::V7 => "7",
            Self::V8 => "8",
            Self::V9 => "9",
            Self::V10 => "10",
            Self::V11 => "11",
            Self::V12 => "12",
        }
    }

    /// What this version prescribes.
    #[must_use]
    pub const fn rules(self) -> &'static Rules {
        match self {
            Self::V1 => &RULES_V1,
            Self::V2 => &RULES_V2,
            Self::V3 => &RULES_V3,
            Self::V4 => &RULES_V4,
            Self::V5 => &RULES_V5,
            Self::V6 => &RULES_V6,
            Self::V7 => &RULES_V7,
            Self::V8 => &RULES_V8,
            Self::V9 => &RULES_V9,
            Self::V10 => &RULES_V10,
            Self::V11 => &RULES_V11,
            Self::V12 => &RULES_V12,
        }
    }
}

impl fmt::Display for RoomVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RoomVersion {
    type Err = UnknownRoomVersion;
    fn from_str(text: &str) -> Result<Self, UnknownRoomVersion> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or(UnknownRoomVersion)
    }
}

impl Serialize for RoomVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RoomVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How an event gets its id. spec: `rooms §Event IDs`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventIdFormat {
    /// A field of the event, `$opaque:server` (versions 1 and 2).
    Field,
    /// `$` and the reference hash in standard Base64 (version 3).
    Hash,
    /// `$` and the reference hash in URL-safe Base64 (from version 4 on).
    UrlSafeHash,
}

/// The state resolution algorithm. spec: `rooms §State resolution`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateResolution {
    /// Version 1: by depth.
    V1,
    /// Versions 2 to 11.
    V2,
    /// From version 12 on: starts from an empty state, takes the conflicted subgraph in.
    V2_1,
}

/// What redaction keeps. spec: `rooms §Redactions`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedactionRules {
    /// `aliases` of `m.room.aliases` (versions 1 to 5).
    pub aliases: bool,
    /// The top-level keys `origin`, `membership` and `prev_state` (versions 1 to 10).
    pub historical_keys: bool,
    /// `allow` of `m.room.join_rules` (from 8 on).
    pub join_rule_allow: bool,
    /// `join_authorised_via_users_server` of `m.room.member` (from 9 on).
    pub join_authoriser: bool,
    /// The whole content of `m.room.create`, `invite` of `m.room.power_levels`, `redacts` of
    /// `m.room.redaction` and `third_party_invite.signed` of `m.room.member` (from 11 on).
    pub msc2174_and_later: bool,
}

/// Which authorisation rules apply. spec: `rooms §Authorisation rules`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthRules {
    /// `m.room.aliases` needs the sender's domain as state key and nothing more (versions 1 to 5).
    pub special_aliases: bool,
    /// Whether a redaction may be sent is decided by the rules, not when it is applied (versions 1 and 2).
    pub redaction_rule: bool,
    /// Changes of `notifications` in the power levels are limited (from 6 on).
    pub notification_levels: bool,
    /// Membership and join rule `knock` exist (from 7 on).
    pub knock: bool,
    /// Join rule `restricted` exists (from 8 on).
    pub restricted: bool,
    /// Join rule `knock_restricted` exists (from 10 on).
    pub knock_restricted: bool,
    /// Power levels must be integers; before 10 they may be strings.
    pub integer_levels: bool,
    /// Power levels may be floats (versions 1 to 5, whose JSON is not strict).
    pub float_levels: bool,
    /// The creator stands in the `creator` field of `m.room.create` (versions 1 to 10), not in `sender`.
    pub creator_field: bool,
    /// Creators have infinite power, `additional_creators` exists, the create event has no room id and is
    /// cited by the room id instead of `auth_events` (from 12 on).
    pub privileged_creators: bool,
}

/// Everything that differs between room versions, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The version these rules belong to.
    pub version: RoomVersion,
    /// Where the event id comes from.
    pub event_id: EventIdFormat,
    /// Whether the JSON of events must be canonical (from 6 on). spec: `rooms/v6 §Canonical JSON`
    pub strict_json: bool,
    /// The greatest `depth`.
    pub max_depth: i64,
    /// Whether identifiers, types and state keys over 255 bytes are malformed (from 11 on). Before, those of up
    /// to 255 code points are well-formed but refused, so that events built on them still find them.
    pub strict_id_bytes: bool,
    /// Whether a key must have been valid at `origin_server_ts` (from 5 on).
    /// spec: `rooms/v5 §Signing key validity period`
    pub key_validity: bool,
    /// Whether `redacts` stands in the content (from 11 on) or at the top level.
    pub redacts_in_content: bool,
    /// What redaction keeps.
    pub redaction: RedactionRules,
    /// The authorisation rules.
    pub auth: AuthRules,
    /// The state resolution algorithm.
    pub state_resolution: StateResolution,
}

impl Rules {
    /// Whether `prev_events` and `auth_events` are pairs of id and hashes (versions 1 and 2).
    #[must_use]
    pub fn references_are_pairs(&self) -> bool {
        self.event_id == EventIdFormat::Field
    }
}

const RULES_V1: Rules = Rules {
    version: RoomVersion::V1,
    event_id: EventIdFormat::Field,
    strict_json: false,
    max_depth: i64::MAX,
    strict_id_bytes: false,
    key_validity: false,
    redacts_in_content: false,
    redaction: RedactionRules {
        aliases: true,
        historical_keys: true,
        join_rule_allow: false,
        join_authoriser: false,
        msc2174_and_later: false,
    },
    auth: AuthRules {
        special_aliases: true,
        redaction_rule: true,
        notification_levels: false,
        knock: false,
        restricted: false,
        knock_restricted: false,
        integer_levels: false,
        float_levels: true,
        creator_field: true,
        privileged_creators: false,
    },
    state_resolution: StateResolution::V1,
};

const RULES_V2: Rules = Rules {
    version: RoomVersion::V2,
    state_resolution: StateResolution::V2,
    ..RULES_V1
};

const RULES_V3: Rules = Rules {
    version: RoomVersion::V3,
    event_id: EventIdFormat::Hash,
    auth: AuthRules {
        redaction_rule: false,
        ..RULES_V2.auth
    },
    ..RULES_V2
};

const RULES_V4: Rules = Rules {
    version: RoomVersion::V4,
    event_id: EventIdFormat::UrlSafeHash,
    ..RULES_V3
};

const RULES_V5: Rules = Rules {
    version: RoomVersion::V5,
    key_validity: true,
    ..RULES_V4
};

const RULES_V6: Rules = Rules {
    version: RoomVersion::V6,
    strict_json: true,
    max_depth: MAX_CANONICAL_INT,
    redaction: RedactionRules {
        aliases: false,
        ..RULES_V5.redaction
    },
    auth: AuthRules {
        special_aliases: false,
        notification_levels: true,
        float_levels: false,
        ..RULES_V5.auth
    },
    ..RULES_V5
};

const RULES_V7: Rules = Rules {
    version: RoomVersion::V7,
    auth: AuthRules {
        knock: true,
        ..RULES_V6.auth
    },
    ..RULES_V6
};

const RULES_V8: Rules = Rules {
    version: RoomVersion::V8,
    redaction: RedactionRules {
        join_rule_allow: true,
        ..RULES_V7.redaction
    },
    auth: AuthRules {
        restricted: true,
        ..RULES_V7.auth
    },
    ..RULES_V7
};

const RULES_V9: Rules = Rules {
    version: RoomVersion::V9,
    redaction: RedactionRules {
        join_authoriser: true,
        ..RULES_V8.redaction
    },
    ..RULES_V8
};

const RULES_V10: Rules = Rules {
    version: RoomVersion::V10,
    auth: AuthRules {
        knock_restricted: true,
        integer_levels: true,
        ..RULES_V9.auth
    },
    ..RULES_V9
};

const RULES_V11: Rules = Rules {
    version: RoomVersion::V11,
    strict_id_bytes: true,
    redacts_in_content: true,
    redaction: RedactionRules {
        historical_keys: false,
        msc2174_and_later: true,
        ..RULES_V10.redaction
    },
    auth: AuthRules {
        creator_field: false,
        ..RULES_V10.auth
    },
    ..RULES_V10
};

const RULES_V12: Rules = Rules {
    version: RoomVersion::V12,
    auth: AuthRules {
        privileged_creators: true,
        ..RULES_V11.auth
    },
    state_resolution: StateResolution::V2_1,
    ..RULES_V11
};
