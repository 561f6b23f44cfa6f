//! Invites to an address that an identity server has bound to a user. spec: `rooms §Authorisation rules`, the rule
//! about `third_party_invite`; `server-server-api §Verifying the invite`.

use base64::Engine as _;
use serde_json::Value;

use super::state::{Check, Checked, Stop, demand};
use super::{Rule, StateLookup};
use crate::Map;
use crate::canonical::{Mode, object_to_canonical};
use crate::event::{Event, Membership};
use crate::key::{ED25519_PREFIX, PublicKey, encoding};
use crate::limits::MAX_NESTING_RECEIVED;

pub(super) fn check<S: StateLookup>(check: &Check<'_, S>, target: &str, invite: &Value) -> Checked<S::Error> {
    demand(
        check.membership(target)? != Some(Membership::Ban),
        Rule::ThirdPartyBanned,
    )?;
    let Some(signed) = invite.get("signed").and_then(Value::as_object) else {
        return Err(Stop::Refuse(Rule::ThirdPartySigned));
    };
    let text = |key: &str| signed.get(key).and_then(Value::as_str);
    let (Some(user), Some(token)) = (text("mxid"), text("token")) else {
        return Err(Stop::Refuse(Rule::ThirdPartyFields));
    };
    demand(user == target, Rule::ThirdPartyUser)?;
    let Some(token) = check
        .state
        .get("m.room.third_party_invite", token)
        .map_err(Stop::Lookup)?
    else {
        return Err(Stop::Refuse(Rule::ThirdPartyToken));
    };
    demand(check.event.sender() == token.sender(), Rule::ThirdPartySender)?;
    let is_signed = is_signed_by(signed, &public_keys(&token), Mode::of(check.event.rules()));
    demand(is_signed, Rule::ThirdPartySignature)
}

/// The keys that an identity server announced with the token.
fn public_keys(token: &Event) -> Vec<PublicKey> {
    let one = token.content().get("public_key");
    let listed = token.content().get("public_keys").and_then(Value::as_array);
    let listed = listed
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("public_key"));
    one.into_iter()
        .chain(listed)
        .filter_map(Value::as_str)
        .filter_map(public_key)
        .collect()
}

/// Identity servers write keys in either alphabet of Base64.
fn public_key(text: &str) -> Option<PublicKey> {
    let bytes = encoding::STANDARD
        .decode(text)
        .or_else(|_| encoding::URL_SAFE.decode(text))
        .ok()?;
    PublicKey::from_bytes(&bytes, i64::MAX).ok()
}

/// Whether any signature, of whatever server and key id, was made by any of the keys.
fn is_signed_by(signed: &Map, keys: &[PublicKey], mode: Mode) -> bool {
    let mut covered = signed.clone();
    covered.remove("unsigned");
    let Some(Value::Object(servers)) = covered.remove("signatures") else {
        return false;
    };
    let Ok(message) = object_to_canonical(&covered, mode, MAX_NESTING_RECEIVED) else {
        return false;
    };
    let signatures = servers.values().filter_map(Value::as_object).flatten();
    let mut signatures = signatures.filter(|(key_id, _)| key_id.starts_with(ED25519_PREFIX));
    signatures.any(|(_, signature)| {
        let signature = signature.as_str().unwrap_or("");
        keys.iter().any(|key| key.verifies(message.as_bytes(), signature))
    })
}
