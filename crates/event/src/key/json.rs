//! Signing JSON objects, and checking for a signature. spec: `appendices §Signing JSON`.

use serde_json::Value;

use super::{ED25519_PREFIX, KeyLookup, SignatureError, SigningKey};
use crate::Map;
use crate::canonical::{CanonicalError, to_canonical};
use crate::id::ServerName;

/// Adds a server's signature to an object. `signatures` and `unsigned` are not covered.
/// spec: `appendices §Signing Details`
///
/// # Errors
/// [`CanonicalError`] when the object has no canonical form; it is then unchanged.
pub fn sign_json(object: &mut Map, server: &ServerName, key: &SigningKey) -> Result<(), CanonicalError> {
    let signature = key.sign_bytes(signed_text(object)?.as_bytes());
    add_signature(object, server.as_str(), key.key_id(), signature);
    Ok(())
}

/// Checks that a server signed an object, by the algorithm of `appendices §Checking for a Signature`. Signatures by
/// unknown keys are passed over; one by a known key that is wrong fails the check whatever the others are.
///
/// # Errors
/// [`SignatureError`] in the inner result says why it does not count as signed; the outer error is the lookup's.
pub fn verify_json<K: KeyLookup>(
    object: &Map,
    server: &ServerName,
    keys: &K,
) -> Result<Result<(), SignatureError>, K::Error> {
    let text = match signed_text(object) {
        Ok(text) => text,
        Err(error) => return Ok(Err(error.into())),
    };
    let signatures = object.get("signatures").and_then(Value::as_object);
    let signatures = signatures
        .map(|all| signatures_of(all, server.as_str()))
        .unwrap_or_default();
    verify_text(text.as_bytes(), &signatures, server, keys, i64::MIN)
}

/// The Ed25519 signatures of one server in a `signatures` object: key id and signature.
pub(crate) fn signatures_of(signatures: &Map, server: &str) -> Vec<(String, String)> {
    let by_server = signatures.get(server).and_then(Value::as_object);
    let entry = |(key_id, signature): (&String, &Value)| {
        let understood = key_id.starts_with(ED25519_PREFIX);
        understood.then(|| (key_id.clone(), signature.as_str().unwrap_or_default().to_owned()))
    };
    by_server.into_iter().flatten().filter_map(entry).collect()
}

/// Checks the signatures of one server over some bytes; keys must be valid at `at_ts`.
pub(crate) fn verify_text<K: KeyLookup>(
    message: &[u8],
    signatures: &[(String, String)],
    server: &ServerName,
    keys: &K,
    at_ts: i64,
) -> Result<Result<(), SignatureError>, K::Error> {
    if signatures.is_empty() {
        return Ok(Err(SignatureError::Missing {
            server: server.clone(),
        }));
    }
    let mut passed_over = Vec::new();
    for (key_id, signature) in signatures {
        match keys.public_key(server.as_str(), key_id)? {
            Some(key) if key.valid_until_ts >= at_ts => {
                if !key.verifies(message, signature) {
                    let key_id = key_id.clone();
                    return Ok(Err(SignatureError::Wrong {
                        server: server.clone(),
                        key_id,
                    }));
                }
            }
            _ => passed_over.push(key_id.clone()),
        }
    }
    if passed_over.len() == signatures.len() {
        return Ok(Err(SignatureError::NoUsableKey {
            server: server.clone(),
            key_ids: passed_over,
        }));
    }
    Ok(Ok(()))
}

fn signed_text(object: &Map) -> Result<String, CanonicalError> {
    let needs_no_copy = !object.contains_key("signatures") && !object.contains_key("unsigned");
    if needs_no_copy {
        return to_canonical(object);
    }
    // `unsigned` may hold what canonical JSON cannot, so it goes before the text is made.
    let mut covered = object.clone();
    covered.remove("unsigned");
    covered.remove("signatures");
    to_canonical(&covered)
}

/// Puts a signature where it belongs; what is there and is no object is replaced.
fn add_signature(object: &mut Map, server: &str, key_id: &str, signature: String) {
    let mut all = take_object(object, "signatures");
    let mut of_server = take_object(&mut all, server);
    of_server.insert(key_id.to_owned(), Value::String(signature));
    all.insert(server.to_owned(), Value::Object(of_server));
    object.insert("signatures".to_owned(), Value::Object(all));
}

fn take_object(object: &mut Map, key: &str) -> Map {
    match object.remove(key) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    }
}
