//! The redaction algorithm: what is left of an event that was redacted. spec: `rooms §Redactions`.

use crate::Map;
use crate::canonical::members::{ObjectWriter, member, members};
use crate::canonical::{Mode, object_to_canonical};
use crate::limits::MAX_NESTING_RECEIVED;
use crate::version::{RedactionRules, RoomVersion, Rules};

#[cfg(test)]
mod tests;

/// The top-level keys that redaction keeps in every room version.
const KEPT: [&str; 12] = [
    "auth_events",
    "content",
    "depth",
    "event_id",
    "hashes",
    "origin_server_ts",
    "prev_events",
    "room_id",
    "sender",
    "signatures",
    "state_key",
    "type",
];

/// The top-level keys that redaction keeps up to room version 10.
const KEPT_HISTORICALLY: [&str; 3] = ["membership", "origin", "prev_state"];

/// The keys of a content that redaction keeps.
enum Keep {
    All,
    Keys(&'static [&'static str]),
}

/// The redacted form of an event, `signatures` and `hashes` included, `unsigned` gone.
///
/// An event that has no canonical form (only strict room versions, only numbers) has no redacted form either, and
/// is given back empty: it could never have been accepted.
#[must_use]
pub fn redact(version: RoomVersion, event: &Map) -> Map {
    let rules = version.rules();
    object_to_canonical(event, Mode::of(rules), MAX_NESTING_RECEIVED)
        .ok()
        .and_then(|text| serde_json::from_str(&redact_text(rules, &text)).ok())
        .unwrap_or_default()
}

/// [`redact`] on canonical text.
pub(crate) fn redact_text(rules: &Rules, event: &str) -> String {
    let kind = member(event, "type").unwrap_or("");
    let kept = |key: &str| {
        KEPT.contains(&key) || (rules.redaction.historical_keys && KEPT_HISTORICALLY.contains(&key))
    };
    let mut writer = ObjectWriter::with_capacity(event.len());
    for (key, value) in members(event).filter(|(key, _)| kept(key)) {
        if key == "content" {
            writer.raw(key, &redact_content(&rules.redaction, kind, value));
        } else {
            writer.raw(key, value);
        }
    }
    writer.finish()
}

/// `kind` is the canonical text of the event's type, quotes included.
fn redact_content(rules: &RedactionRules, kind: &str, content: &str) -> String {
    let keys = match kept_content(rules, kind) {
        Keep::All => return content.to_owned(),
        Keep::Keys(keys) => keys,
    };
    let keeps_invite = rules.msc2174_and_later && kind == "\"m.room.member\"";
    let mut writer = ObjectWriter::with_capacity(64);
    for (key, value) in members(content) {
        if keys.contains(&key) {
            writer.raw(key, value);
        } else if keeps_invite && key == "third_party_invite" && value.starts_with('{') {
            writer.raw(key, &only_signed(value));
        }
    }
    writer.finish()
}

/// A third-party invite without anything but `signed`.
fn only_signed(invite: &str) -> String {
    let mut writer = ObjectWriter::with_capacity(invite.len());
    if let Some(signed) = member(invite, "signed") {
        writer.raw("signed", signed);
    }
    writer.finish()
}

fn kept_content(rules: &RedactionRules, kind: &str) -> Keep {
    let keys: &'static [&'static str] = match kind {
        "\"m.room.member\"" if rules.join_authoriser => &["join_authorised_via_users_server", "membership"],
        "\"m.room.member\"" => &["membership"],
        "\"m.room.create\"" if rules.msc2174_and_later => return Keep::All,
        "\"m.room.create\"" => &["creator"],
        "\"m.room.join_rules\"" if rules.join_rule_allow => &["allow", "join_rule"],
        "\"m.room.join_rules\"" => &["join_rule"],
        "\"m.room.power_levels\"" if rules.msc2174_and_later => &[
            "ban",
            "events",
            "events_default",
            "invite",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "\"m.room.power_levels\"" => &[
            "ban",
            "events",
            "events_default",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "\"m.room.aliases\"" if rules.aliases => &["aliases"],
        "\"m.room.history_visibility\"" => &["history_visibility"],
        "\"m.room.redaction\"" if rules.msc2174_and_later => &["redacts"],
        _ => &[],
    };
    Keep::Keys(keys)
}
