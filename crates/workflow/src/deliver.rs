//! Sending a server what waits for it, one transaction after another (spec: server-server-api §transactions).

use http::Method;
use selvage_event::ServerName;
use selvage_object::ObjectKey;
use selvage_protocol::delivery::{
    BeginDelivery, Delivered, NextDelivery, NextDeliveryReply, NotDelivered, PendingRoom, SentPart,
    Transaction,
};
use selvage_protocol::elsewhere::CatchUp;
use selvage_protocol::federation::{Outgoing, OutgoingReply};
use selvage_protocol::{Json, destination_key, room_key};
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::{AskError, Host, RemoteError, Workflows, path};

/// The most events of one transaction (spec: server-server-api §transactions).
const EVENTS_PER_TRANSACTION_MAX: usize = 50;
/// How many transactions one run sends before it leaves the rest to the next, which the destination's timer starts.
const TRANSACTIONS_PER_RUN_MAX: usize = 1_000;
/// The longest answer to a transaction, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

#[derive(Serialize)]
struct Body<'a> {
    origin: &'a str,
    origin_server_ts: u64,
    pdus: &'a [Json],
    edus: &'a [Json],
}

/// What a transaction is to hold of rooms.
#[derive(Default)]
struct Gathered {
    parts: Vec<SentPart>,
    events: Vec<Json>,
}

impl<H: Host> Workflows<H> {
    /// Sends a server what waits for it.
    pub(crate) async fn deliver(&self, server: &str) {
        let Ok(server) = ServerName::parse(server) else {
            return;
        };
        for _ in 0..TRANSACTIONS_PER_RUN_MAX {
            match self.deliver_one(&server).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%server, %error, "a delivery is left to the destination's timer");
                    return;
                }
            }
        }
    }

    /// Sends one transaction; whether there may be another.
    async fn deliver_one(&self, server: &ServerName) -> Result<bool, AskError> {
        let destination = destination_key(server.as_str());
        let (transaction, events) = match self.ask(destination.clone(), NextDelivery {}).await? {
            NextDeliveryReply::Nothing => return Ok(false),
            NextDeliveryReply::Repeat(transaction) => {
                let events = self.events_again(server, &transaction.parts).await?;
                (transaction, events)
            }
            NextDeliveryReply::Gather { rooms, catch_up } => {
                let gathered = self.gather(server, rooms, catch_up).await?;
                let begin = BeginDelivery {
                    parts: gathered.parts,
                    has_events: !gathered.events.is_empty(),
                    catch_up,
                };
                match self.ask(destination.clone(), begin).await? {
                    Some(transaction) => (transaction, gathered.events),
                    None => return Ok(true),
                }
            }
        };
        let sent = self.send_transaction(server, &transaction, &events).await;
        self.note(destination, transaction, sent).await
    }

    async fn note(
        &self,
        destination: ObjectKey,
        transaction: Transaction,
        sent: Result<(), RemoteError>,
    ) -> Result<bool, AskError> {
        let txn_id = transaction.txn_id;
        match sent {
            Ok(()) => {
                self.ask(destination, Delivered { txn_id }).await?;
                Ok(true)
            }
            Err(error) => {
                tracing::info!(%destination, %error, "a transaction was not delivered");
                let pauses = self.federation();
                let not_delivered = NotDelivered {
                    retry_min_ms: pauses.retry_min_ms,
                    retry_max_ms: pauses.retry_max_ms,
                };
                self.ask(destination, not_delivered).await?;
                Ok(false)
            }
        }
    }

    /// Reads from rooms what the next transaction has room for.
    async fn gather(
        &self,
        server: &ServerName,
        rooms: Vec<PendingRoom>,
        catch_up: bool,
    ) -> Result<Gathered, AskError> {
        let mut gathered = Gathered::default();
        for PendingRoom { room_id, after } in rooms {
            let left = EVENTS_PER_TRANSACTION_MAX.saturating_sub(gathered.events.len());
            if left == 0 {
                break;
            }
            let reply = if catch_up {
                self.newest(server, &room_id, after).await?
            } else {
                self.outgoing(server, &room_id, (after, None), left).await?
            };
            if reply.events.len() > left {
                break;
            }
            let up_to = reply.up_to;
            gathered.events.extend(reply.events);
            gathered.parts.push(SentPart {
                room_id,
                after,
                up_to,
            });
        }
        Ok(gathered)
    }

    async fn newest(
        &self,
        server: &ServerName,
        room_id: &str,
        after: i64,
    ) -> Result<OutgoingReply, AskError> {
        let catch_up = CatchUp {
            server: server.to_string(),
            after,
        };
        readable(self.ask(room_key(room_id), catch_up).await, after)
    }

    async fn outgoing(
        &self,
        server: &ServerName,
        room_id: &str,
        (after, up_to): (i64, Option<i64>),
        limit: usize,
    ) -> Result<OutgoingReply, AskError> {
        let outgoing = Outgoing {
            server: server.to_string(),
            after,
            up_to,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        readable(self.ask(room_key(room_id), outgoing).await, after)
    }

    /// The events of a transaction that is sent again.
    async fn events_again(&self, server: &ServerName, parts: &[SentPart]) -> Result<Vec<Json>, AskError> {
        let mut events = Vec::new();
        for part in parts {
            let span = (part.after, Some(part.up_to));
            let limit = EVENTS_PER_TRANSACTION_MAX.saturating_sub(events.len());
            events.extend(self.outgoing(server, &part.room_id, span, limit).await?.events);
        }
        Ok(events)
    }

    async fn send_transaction(
        &self,
        server: &ServerName,
        transaction: &Transaction,
        events: &[Json],
    ) -> Result<(), RemoteError> {
        let body = Body {
            origin: self.server_name().as_str(),
            origin_server_ts: made_at(&transaction.txn_id),
            pdus: events,
            edus: &transaction.edus,
        };
        let body = to_raw_value(&body).map_err(|error| RemoteError::Unsupported(error.to_string()))?;
        let at = path("/_matrix/federation/v1/send", &[&transaction.txn_id]);
        self.request(server, Method::PUT, &at, Some(&body), ANSWER_MAX_BYTES)
            .await?;
        Ok(())
    }
}

/// A room that has nothing to tell any more holds nobody up.
fn readable(reply: Result<OutgoingReply, AskError>, after: i64) -> Result<OutgoingReply, AskError> {
    match reply {
        Err(AskError::Refused(refusal)) => {
            tracing::warn!(%refusal, "a room does not say what it has for another server");
            Ok(OutgoingReply {
                events: Vec::new(),
                up_to: after,
            })
        }
        reply => reply,
    }
}

/// The time at which a transaction was made, which its id begins with, in milliseconds since 1970: so it is the same again when
/// it is sent again.
fn made_at(txn_id: &str) -> u64 {
    let (made_at, _) = txn_id.split_once('-').unwrap_or_default();
    made_at.parse().unwrap_or(0)
}
