//! Transactions: what another server sends of its own accord. spec: `server-server-api §transactions`

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use http::Method;
use selvage_event::ServerName;
use selvage_protocol::destination::{BeginTransaction, BeginTransactionReply, EndTransaction};
use selvage_protocol::{Json, destination_key, errcode};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::{edus, pdus};
use crate::call::Call;
use crate::router::{Answer, Routes};
use crate::{ApiError, Body, Gateway, Host};

/// The most bytes of a transaction: 50 events of 64 KiB and 100 messages of as many.
const BODY_MAX_BYTES: usize = 12 * 1024 * 1024;
/// The most events of a transaction.
const PDUS_MAX: usize = 50;
/// The most ephemeral messages of a transaction.
const EDUS_MAX: usize = 100;
/// How many rooms are given their events at once.
const ROOMS_AT_ONCE: usize = 8;
/// How long a transaction waits for the one before it, in milliseconds, before its server is told to try again.
const BUSY_WAIT_MS: u64 = 20_000;
/// When a server whose transaction waited in vain is to try again, in milliseconds.
const BUSY_RETRY_MS: u64 = 5_000;

/// Where transactions come in.
const PATH: &str = "/_matrix/federation/v1/send/{txn_id}";

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.at(Method::PUT, PATH, BODY_MAX_BYTES, send);
}

/// Whether this is the path of a transaction.
pub(crate) fn is_transaction(path: &str) -> bool {
    path.starts_with(PATH.trim_end_matches("{txn_id}"))
}

/// A transaction. What its body says of its origin does not count.
#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    pdus: Vec<Json>,
    #[serde(default)]
    edus: Vec<Json>,
}

/// spec: `server-server-api §put_matrixfederationv1sendtxnid`
async fn send<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let transaction: Transaction = call.federation_json()?;
    if transaction.pdus.len() > PDUS_MAX || transaction.edus.len() > EDUS_MAX {
        let message = format!("a transaction has {PDUS_MAX} events and {EDUS_MAX} others at the most");
        return Err(ApiError::invalid_param(message));
    }
    let txn_id = call.arg(0).to_owned();
    if let Some(answer) = begin(&call.gateway, origin.name(), &txn_id).await? {
        return body(&answer);
    }
    let taken = take(&call.gateway, origin.name(), transaction).await;
    let end = EndTransaction {
        txn_id,
        answer: taken.as_ref().ok().cloned(),
    };
    call.gateway.ask(destination_key(origin.as_str()), end).await?;
    body(&taken?)
}

fn body(answer: &RawValue) -> Answer {
    Ok(Body::from(answer.get().as_bytes().to_vec()))
}

/// Begins the transaction, when the one before has ended; the answer, of one that was taken in before.
async fn begin<H: Host>(
    gateway: &Gateway<H>,
    origin: &ServerName,
    txn_id: &str,
) -> Result<Option<Json>, ApiError> {
    let destination = destination_key(origin.as_str());
    let deadline = gateway.now().plus_ms(BUSY_WAIT_MS);
    loop {
        let ask = BeginTransaction {
            txn_id: txn_id.to_owned(),
        };
        let version = match gateway.ask(destination.clone(), ask).await? {
            BeginTransactionReply::Begun => return Ok(None),
            BeginTransactionReply::Answered(answer) => return Ok(Some(answer)),
            BeginTransactionReply::Busy { version } => version,
        };
        let left_ms = deadline.ms_since(gateway.now());
        if left_ms == 0 {
            return Err(busy());
        }
        gateway.host().wait(&destination, version, left_ms).await?;
    }
}

fn busy() -> ApiError {
    ApiError {
        retry_after_ms: Some(BUSY_RETRY_MS),
        ..ApiError::new(errcode::LIMIT_EXCEEDED, "another transaction is being taken in")
    }
}

/// Takes in what the transaction holds, and returns what became of its events. It fails as a whole only when something
/// here does, so that its server sends it again: what was taken in is known then.
async fn take<H: Host>(
    gateway: &Gateway<H>,
    origin: &ServerName,
    transaction: Transaction,
) -> Result<Json, ApiError> {
    let rooms = pdus::by_room(transaction.pdus).into_iter();
    let taken = rooms.map(|(room_id, events)| pdus::take(gateway, origin, room_id, events));
    let mut taken = stream::iter(taken).buffer_unordered(ROOMS_AT_ONCE);
    let mut results = BTreeMap::new();
    while let Some(of_room) = taken.next().await {
        results.extend(of_room?);
    }
    for edu in &transaction.edus {
        edus::take(gateway, origin, edu).await;
    }
    to_raw_value(&json!({ "pdus": results })).map_err(ApiError::internal)
}
