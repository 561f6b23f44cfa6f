//! Keys of servers that cannot be reached, from notaries that the operator trusts.
//! spec: `server-server-api §querying-keys-through-another-server`

use http::Method;
use selvage_event::{Map, ServerName};
use selvage_protocol::destination::{Fetch, HeldKey, Keys};
use selvage_protocol::destination_key;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::key_document::{DOCUMENT_MAX_BYTES, KeyDocument, is_signed_by, signed_text};
use crate::{AskError, Host, Workflows};

/// Where notaries are asked.
const QUERY_PATH: &str = "/_matrix/key/v2/query";
/// The most documents in an answer about one server: a notary may have several of its time.
const DOCUMENTS_MAX: usize = 4;

#[derive(Deserialize)]
struct Answer {
    server_keys: Vec<Map>,
}

impl<H: Host> Workflows<H> {
    /// The keys of a server as the first notary tells them that can. The document must be signed by the server itself, as
    /// every other, and by the notary: it vouches for no more than that the server published it once.
    ///
    /// # Errors
    /// When a destination cannot be asked.
    pub(crate) async fn notarised_keys(&self, server: &ServerName) -> Result<Option<KeyDocument>, AskError> {
        for notary in &self.federation().trusted_notaries {
            if notary == server || notary == self.server_name() {
                continue;
            }
            let keys = self.notary_keys(notary).await?;
            let told = self.told_by(notary, &keys, server).await;
            if told.is_some() {
                return Ok(told);
            }
        }
        Ok(None)
    }

    /// The keys of a notary, from itself alone.
    async fn notary_keys(&self, notary: &ServerName) -> Result<Vec<HeldKey>, AskError> {
        let now = i64::try_from(self.now().0).unwrap_or(i64::MAX);
        let ask = Keys {
            key_ids: Vec::new(),
            valid_at: Some(now),
        };
        let destination = destination_key(notary.as_str());
        let mut reply = self.ask(destination.clone(), ask.clone()).await?;
        if reply.fetch == Fetch::Yours {
            let fetched = self.published_keys(notary).await;
            self.settle_keys(notary, fetched).await?;
            reply = self.ask(destination, ask).await?;
        }
        Ok(reply.keys)
    }

    async fn told_by(
        &self,
        notary: &ServerName,
        keys: &[HeldKey],
        server: &ServerName,
    ) -> Option<KeyDocument> {
        let query = to_raw_value(&json!({ "server_keys": { server.as_str(): {} } })).ok()?;
        let limit = DOCUMENT_MAX_BYTES * DOCUMENTS_MAX;
        let answer = self.request_unsigned(notary, Method::POST, QUERY_PATH, Some(&query), limit);
        let answer = answer.await.inspect_err(|error| {
            tracing::info!(%notary, %server, %error, "a notary does not tell the keys of a server");
        });
        let answer: Answer = serde_json::from_slice(&answer.ok()?).ok()?;
        let vouched = answer
            .server_keys
            .into_iter()
            .take(DOCUMENTS_MAX)
            .filter(|document| {
                let text = signed_text(document).unwrap_or_default();
                let is_signed = |key: &HeldKey| is_signed_by(document, &text, notary, key) == Some(true);
                keys.iter().any(is_signed)
            });
        let read = vouched.filter_map(|document| KeyDocument::of_object(document, server, self.now()).ok());
        read.max_by_key(|document| document.valid_until_ts)
    }
}
