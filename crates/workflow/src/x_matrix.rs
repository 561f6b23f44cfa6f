//! Who makes a request to a server, shown by a signature. spec: `server-server-api §request-authentication`

use std::collections::BTreeMap;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use selvage_event::{PublicKey, ServerName, SigningKey};

mod body;
mod header;
#[cfg(test)]
mod tests;

pub use body::{NoCanonicalForm, canonical_body};

/// The most signatures of one request that are looked at: one for each key of the sender.
const SIGNATURES_MAX: usize = 8;

/// What a request says of who makes it. Whether that is true, [`Signed::is_by`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XMatrix {
    /// Who makes the request.
    pub origin: ServerName,
    /// Whom it is for; servers of old do not say.
    pub destination: Option<ServerName>,
    /// The signatures, by the keys that they are said to be made with.
    pub signatures: BTreeMap<String, String>,
}

/// Why a request does not say who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XMatrixError {
    /// No `Authorization` header of the scheme `X-Matrix`.
    #[error("the X-Matrix authorization is missing")]
    Missing,
    /// One that is not understood.
    #[error("the X-Matrix authorization is malformed")]
    Malformed,
    /// Several that contradict each other.
    #[error("the X-Matrix authorizations contradict each other")]
    Contradictory,
}

impl XMatrix {
    /// Reads the `Authorization` headers of a request. There may be several, one for each of the sender's keys; names are
    /// in any case, values quoted or not, unknown parameters are passed over.
    ///
    /// # Errors
    /// [`XMatrixError`].
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, XMatrixError> {
        let ours = headers
            .get_all(AUTHORIZATION)
            .iter()
            .filter_map(header::of_scheme);
        let mut found: Option<Self> = None;
        for params in ours.take(SIGNATURES_MAX) {
            let one = header::parse(params).ok_or(XMatrixError::Malformed)?;
            found = Some(match found {
                None => one,
                Some(before) => before.and(one)?,
            });
        }
        found.ok_or(XMatrixError::Missing)
    }

    fn and(mut self, other: Self) -> Result<Self, XMatrixError> {
        if self.origin != other.origin || self.destination != other.destination {
            return Err(XMatrixError::Contradictory);
        }
        self.signatures.extend(other.signatures);
        Ok(self)
    }

    /// The ids of the keys.
    #[must_use]
    pub fn key_ids(&self) -> Vec<&str> {
        self.signatures.keys().map(String::as_str).collect()
    }
}

/// What the signatures of a request cover, as a text.
#[derive(Clone, Debug)]
pub struct Signed(String);

impl Signed {
    /// Of a request: its method, its path and query as they go over the wire, who makes it for whom, and its body in
    /// canonical form ([`canonical_body`]).
    #[must_use]
    pub fn new(
        method: &Method,
        uri: &str,
        origin: &ServerName,
        destination: &ServerName,
        body: Option<&str>,
    ) -> Self {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let content = body.map_or_else(String::new, |body| format!("\"content\":{body},"));
        Self(format!(
            "{{{content}\"destination\":{},\"method\":{},\"origin\":{},\"uri\":{}}}",
            quoted(destination.as_str()),
            quoted(method.as_str()),
            quoted(origin.as_str()),
            quoted(uri)
        ))
    }

    /// Whether one of the keys signed it. Signatures by other keys are passed over, as unknown; one by a key that is here
    /// and wrong makes it false (spec: appendices §checking-for-a-signature).
    #[must_use]
    pub fn is_by(&self, claim: &XMatrix, keys: &BTreeMap<String, PublicKey>) -> bool {
        let known = claim
            .signatures
            .iter()
            .filter_map(|(key_id, signature)| Some((keys.get(key_id)?, signature)));
        let verdicts: Vec<bool> = known
            .map(|(key, signature)| key.verifies(self.0.as_bytes(), signature))
            .collect();
        !verdicts.is_empty() && verdicts.iter().all(|good| *good)
    }

    /// The header that says so.
    #[must_use]
    pub fn header(
        &self,
        key: &SigningKey,
        origin: &ServerName,
        destination: &ServerName,
    ) -> Option<HeaderValue> {
        let signature = key.sign_bytes(self.0.as_bytes());
        let key_id = key.key_id();
        let value = format!(
            r#"X-Matrix origin="{origin}",destination="{destination}",key="{key_id}",sig="{signature}""#
        );
        HeaderValue::from_str(&value).ok()
    }
}
