//! Signing keys: this server's, and those of others as a notary. spec: `server-server-api §retrieving-server-keys`

use std::collections::BTreeMap;

use http::Method;
use selvage_event::{Map, ServerName};
use selvage_protocol::server::OldKeys;
use selvage_protocol::server_key;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{Call, answer};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Gateway, Host};

/// How long this server's keys are said to be valid, in milliseconds: a day.
const VALID_MS: u64 = 24 * 3_600_000;
/// The most servers of one query.
const QUERIED_MAX: usize = 100;
/// How many of them are asked for keys that are not held.
const FETCHED_MAX: usize = 8;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let template = "/_matrix/key/v2/server";
    routes.at(Method::GET, template, BODY_MAX_BYTES, own);
    let template = "/_matrix/key/v2/query";
    routes.at(Method::POST, template, BODY_MAX_BYTES, query);
    let template = "/_matrix/key/v2/query/{server_name}";
    routes.at(Method::GET, template, BODY_MAX_BYTES, query_one);
}

/// spec: `server-server-api §get_matrixkeyv2server`
async fn own<H: Host>(call: Call<H>) -> Answer {
    answer(&own_keys(&call.gateway).await?)
}

async fn own_keys<H: Host>(gateway: &Gateway<H>) -> Result<Map, ApiError> {
    let key = gateway.signing_key();
    let mut old = Map::new();
    for old_key in gateway.ask(server_key(), OldKeys {}).await? {
        let value = json!({ "key": old_key.public_key, "expired_ts": old_key.expired_ts });
        old.insert(old_key.key_id, value);
    }
    let mut object = Map::new();
    object.insert("old_verify_keys".to_owned(), Value::Object(old));
    object.insert(
        "server_name".to_owned(),
        Value::from(gateway.server_name().as_str()),
    );
    let valid_until = gateway.now().plus_ms(VALID_MS).0;
    object.insert("valid_until_ts".to_owned(), Value::from(valid_until));
    let current = json!({ key.key_id(): { "key": key.public_key_base64() } });
    object.insert("verify_keys".to_owned(), current);
    sign(gateway, &mut object)?;
    Ok(object)
}

fn sign<H: Host>(gateway: &Gateway<H>, object: &mut Map) -> Result<(), ApiError> {
    let signed = gateway.signing_key().sign_json(gateway.server_name(), object);
    signed.map_err(ApiError::internal)
}

#[derive(Deserialize)]
struct OneQuery {
    minimum_valid_until_ts: Option<i64>,
}

/// spec: `server-server-api §get_matrixkeyv2queryservername`
async fn query_one<H: Host>(call: Call<H>) -> Answer {
    let server = ServerName::parse(call.arg(0))
        .map_err(|error| ApiError::invalid_param(format!("server name: {error}")))?;
    let minimum = call.query::<OneQuery>()?.minimum_valid_until_ts;
    let asked = [(server, minimum.unwrap_or_default())];
    answer(&documents(&call.gateway, asked).await?)
}

/// What is wanted of a key.
#[derive(Default, Deserialize)]
struct Criteria {
    minimum_valid_until_ts: Option<i64>,
}

#[derive(Deserialize)]
struct Query {
    server_keys: BTreeMap<String, BTreeMap<String, Criteria>>,
}

/// spec: `server-server-api §post_matrixkeyv2query`
async fn query<H: Host>(call: Call<H>) -> Answer {
    let query: Query = call.json()?;
    if query.server_keys.len() > QUERIED_MAX {
        return Err(ApiError::invalid_param("too many servers are asked about"));
    }
    // All keys of a server lie in one document, so the strictest wish counts.
    let strictest = |keys: BTreeMap<String, Criteria>| {
        let wishes = keys.into_values().filter_map(|wish| wish.minimum_valid_until_ts);
        wishes.max().unwrap_or_default()
    };
    let asked = query.server_keys.into_iter().filter_map(|(server, keys)| {
        let server = ServerName::parse(server).ok()?;
        Some((server, strictest(keys)))
    });
    answer(&documents(&call.gateway, asked).await?)
}

/// The documents of some servers, each signed by this one too. Of a server whose keys cannot be had there is none.
async fn documents<H: Host>(
    gateway: &Gateway<H>,
    asked: impl IntoIterator<Item = (ServerName, i64)>,
) -> Result<Value, ApiError> {
    let mut documents = Vec::new();
    let mut fetched = 0;
    for (server, minimum) in asked {
        if server == *gateway.server_name() {
            documents.push(own_keys(gateway).await?);
            continue;
        }
        let may_fetch = fetched < FETCHED_MAX && gateway.settings().federation.allows(&server);
        fetched += usize::from(may_fetch);
        let document = gateway
            .workflows()
            .key_document(&server, minimum, may_fetch)
            .await?;
        if let Some(mut document) = document {
            sign(gateway, &mut document)?;
            documents.push(document);
        }
    }
    Ok(json!({ "server_keys": documents }))
}
