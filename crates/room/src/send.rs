//! Sending events: messages, state, redactions.

use selvage_event::acl::ACL_TYPE;
use selvage_event::{EventId, Map, Membership, ServerAcl, UserId};
use selvage_object::{Failure, Refusal};
use selvage_protocol::errcode;
use selvage_protocol::room::{Send, SendReply};

use crate::accept::{Draft, Work};
use crate::error::forbidden;
use crate::restricted::AUTHORISED_VIA;
use crate::{redact, txns, typing};

/// Sends one event, or says which one the same transaction has sent.
pub(crate) fn send(mut work: Work<'_, '_>, command: &Send) -> Result<SendReply, Failure> {
    work.view().head()?;
    let txn = command
        .txn_id
        .as_ref()
        .map(|id| txns::text(&command.device_id, id))
        .transpose()?;
    if let Some(txn) = &txn
        && let Some(sent) = txns::sent(work.view(), command, txn)?
    {
        return Ok(reply(sent.event.event_id()));
    }
    let draft = draft(command, txn.clone())?;
    if let Some(same) = unchanged(&work, &draft)? {
        return Ok(reply(&same));
    }
    redact::check(&work, &draft)?;
    check_own_acl(&work, &draft)?;
    let event = work.send(draft)?;
    if let Some(txn) = &txn {
        txns::remember(&mut work, command, txn)?;
    }
    typing::stop(&mut work, &command.sender)?;
    work.finish()?;
    Ok(reply(event.event_id()))
}

fn reply(event_id: &EventId) -> SendReply {
    SendReply {
        event_id: event_id.as_str().to_owned(),
    }
}

fn draft(command: &Send, txn: Option<String>) -> Result<Draft, Failure> {
    if command.kind == "m.room.create" {
        return Err(forbidden("a room has one create event, which is there already"));
    }
    let sender = UserId::parse(&command.sender)
        .map_err(|error| Refusal::new(errcode::INVALID_PARAM, format!("the sender: {error}")))?;
    let mut content = redact::object(&command.content)?;
    if command.kind == "m.room.member" && content.contains_key(AUTHORISED_VIA) {
        return Err(forbidden("it is for the server to say who lets a user in"));
    }
    let redacts = if command.kind == "m.room.redaction" {
        Some(redact::target(&mut content)?)
    } else {
        None
    };
    Ok(Draft {
        sender,
        kind: command.kind.clone(),
        state_key: command.state_key.clone(),
        content,
        redacts,
        origin_server_ts: command.origin_server_ts,
        txn,
    })
}

/// Refuses to shut this very server out of the room: its users could not even undo it.
fn check_own_acl(work: &Work<'_, '_>, draft: &Draft) -> Result<(), Refusal> {
    let is_acl = draft.kind == ACL_TYPE && draft.state_key.as_deref() == Some("");
    if !is_acl || ServerAcl::new(&draft.content).allows(&work.room.identity.server_name) {
        return Ok(());
    }
    let message = "this would not let your own server take part in the room";
    Err(Refusal::new(errcode::INVALID_PARAM, message))
}

/// The current state event, when a member's draft says just the same: setting state to what it is changes nothing.
fn unchanged(work: &Work<'_, '_>, draft: &Draft) -> Result<Option<EventId>, Failure> {
    let Some(state_key) = &draft.state_key else {
        return Ok(None);
    };
    if work.now()?.membership(draft.sender.as_str())? != Membership::Join {
        return Ok(None);
    }
    let current = work.now()?.event(&draft.kind, state_key)?;
    let same = |content: &Map| *content == draft.content;
    let current = current.filter(|event| *event.sender() == draft.sender && same(event.content()));
    Ok(current.map(|event| event.event_id().clone()))
}
