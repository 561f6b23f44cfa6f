//! Inviting users of other servers: their server signs the invite before it comes into the room
//! (spec: server-server-api §inviting-to-a-room).

use selvage_event::key::verify_json;
use selvage_event::{Event, Map, ReceivedEvent, UserId, authorise_at_extremities, redact};
use selvage_object::{Failure, Refusal};
use selvage_protocol::elsewhere::{MakeInvite, MakeInviteReply, SendInvite};
use selvage_protocol::room::SendReply;
use selvage_protocol::{Json, errcode};
use serde_json::Value;

use crate::accept::Work;
use crate::client_event::STRIPPED;
use crate::error::{forbidden, format, json, refused};
use crate::membership::{member_content, own_draft};
use crate::place::{Placed, Placing, chain};
use crate::serve::raw;
use crate::view::View;

/// Makes the invite, which is not in the room yet; see [`MakeInvite`].
pub(crate) fn make(work: &Work<'_, '_>, command: &MakeInvite) -> Result<MakeInviteReply, Failure> {
    let version = work.view().head()?.version;
    let user = |id: &str, who: &str| {
        UserId::parse(id).map_err(|error| Refusal::new(errcode::INVALID_PARAM, format!("the {who}: {error}")))
    };
    let (sender, target) = (user(&command.sender, "sender")?, user(&command.target, "user")?);
    if work.now()?.membership(target.as_str())? == selvage_event::Membership::Join {
        return Err(forbidden("this user is in the room already"));
    }
    let membership = selvage_event::Membership::Invite;
    let mut content = member_content(membership, &command.profile, command.reason.as_deref());
    if command.is_direct {
        content.insert("is_direct".to_owned(), Value::Bool(true));
    }
    let checked = work.build(own_draft(sender, target.as_str(), content))?;
    let event = checked.event().clone();
    match chain(authorise_at_extremities(checked, &work.view(), &work.now()?))? {
        Ok(_) => Ok(MakeInviteReply {
            version: version.as_str().to_owned(),
            event_id: event.event_id().as_str().to_owned(),
            room_state: shown_state(work.view(), &event)?,
            event: raw(&event)?,
        }),
        Err(rejected) => Err(refused(rejected.refusal())),
    }
}

/// What the invited user is shown of the room, as whole events.
fn shown_state(view: View<'_>, invite: &Event) -> Result<Vec<Json>, Failure> {
    let now = view.now()?;
    let mut shown = Vec::with_capacity(STRIPPED.len() + 1);
    for kind in STRIPPED {
        shown.extend(now.shown(kind, "")?.as_ref().map(raw).transpose()?);
    }
    let sender = now.shown("m.room.member", invite.sender().as_str())?;
    shown.extend(sender.as_ref().map(raw).transpose()?);
    Ok(shown)
}

/// Takes the invite into the room, with both signatures; see [`SendInvite`].
pub(crate) fn send(mut work: Work<'_, '_>, command: &SendInvite) -> Result<SendReply, Failure> {
    let version = work.view().head()?.version;
    let received =
        ReceivedEvent::parse(command.event.get().as_bytes(), version).map_err(|error| format(&error))?;
    let event = received.event().clone();
    if !work.room.identity.is_local(event.sender().as_str())
        || event.room_id().as_str() != work.turn.key().name()
    {
        return Err(forbidden("the event is no invite of this server"));
    }
    work.is_signed_by(&event, command)?;
    let Ok(verified) = received.verify(&work.verify_keys(&[]));
    let checked = verified.map_err(|error| forbidden(error.to_string()))?;
    let reply = SendReply {
        event_id: event.event_id().as_str().to_owned(),
    };
    if work.is_placed(&event)? {
        return Ok(reply);
    }
    if !work.needs(&checked)?.is_empty() {
        return Err(forbidden("the event cites events that are not here"));
    }
    if let Placed::SoftFailed(refusal) | Placed::Rejected(refusal) =
        work.place(checked, Placing::received(None))?
    {
        return Err(refused(refusal));
    }
    work.spread(&event)?;
    work.finish()?;
    Ok(reply)
}

impl Work<'_, '_> {
    /// Whether the invited user's server has signed an invite, in which it may have changed nothing else: then the id would be
    /// another.
    fn is_signed_by(&self, event: &Event, command: &SendInvite) -> Result<(), Failure> {
        let server = command.server.parse();
        let server = server.map_err(|_| Refusal::new(errcode::INVALID_PARAM, "no server name"))?;
        let object: Map = serde_json::from_str(event.json()).map_err(|error| json(&error))?;
        let redacted = redact(event.room_version(), &object);
        let Ok(verified) = verify_json(&redacted, &server, &self.verify_keys(&command.keys));
        verified.map_err(|error| {
            forbidden(format!(
                "the invited user's server did not sign the invite: {error}"
            ))
        })
    }
}
