//! Users of other servers who join, leave and knock through this one (spec: server-server-api §joining-rooms,
//! §leaving-rooms, §knocking-upon-a-room).

use selvage_event::{Event, Membership, ReceivedEvent, UserId, authorise_at_extremities};
use selvage_object::{Failure, Fault, Refusal};
use selvage_protocol::federation::{
    MakeMembership, MakeMembershipReply, SendMembership, SendMembershipReply,
};
use selvage_protocol::user::Profile;
use selvage_protocol::{Json, errcode, user};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::accept::{Work, spoken};
use crate::client_event;
use crate::error::{forbidden, format, json, refused};
use crate::membership::{member_content, own_draft};
use crate::place::{Placed, Placing, chain};
use crate::residence::{check_acl, check_resident};
use crate::restricted::AUTHORISED_VIA;

/// What the signing server makes itself, and a template therefore lacks.
const MADE_BY_SIGNER: [&str; 3] = ["event_id", "hashes", "signatures"];

/// A membership event to be signed; see [`MakeMembership`].
pub(crate) fn make(work: &Work<'_, '_>, command: &MakeMembership) -> Result<MakeMembershipReply, Failure> {
    check_resident(work.view())?;
    check_acl(work.view(), &command.server)?;
    let user_id = user_of(&command.user_id, &command.server)?;
    let version = work.view().head()?.version;
    if !command
        .versions
        .iter()
        .any(|supported| supported == version.as_str())
    {
        let message = format!("the room is of version {version}");
        return Err(Refusal::new(errcode::INCOMPATIBLE_ROOM_VERSION, message).into());
    }
    let membership = wanted(command.membership)?;
    let mut content = member_content(membership, &Profile::default(), None);
    if membership == Membership::Join
        && let Some(authoriser) = work.authoriser(user_id.as_str(), command.is_in_allowed_room)?
    {
        content.insert(AUTHORISED_VIA.to_owned(), Value::from(authoriser.as_str()));
    }
    let checked = work.build(own_draft(user_id.clone(), user_id.as_str(), content))?;
    let template = template(checked.event())?;
    match chain(authorise_at_extremities(checked, &work.view(), &work.now()?))? {
        Ok(_) => Ok(MakeMembershipReply {
            version: version.as_str().to_owned(),
            event: template,
        }),
        Err(rejected) => Err(refused(rejected.refusal())),
    }
}

fn user_of(user_id: &str, server: &str) -> Result<UserId, Failure> {
    let user_id = UserId::parse(user_id)
        .map_err(|error| Refusal::new(errcode::INVALID_PARAM, format!("the user: {error}")))?;
    if user_id.domain() != server {
        return Err(forbidden("a server may ask for its own users only"));
    }
    Ok(user_id)
}

fn wanted(membership: user::Membership) -> Result<Membership, Refusal> {
    match membership {
        user::Membership::Join => Ok(Membership::Join),
        user::Membership::Leave => Ok(Membership::Leave),
        user::Membership::Knock => Ok(Membership::Knock),
        user::Membership::Invite | user::Membership::Ban => Err(Refusal::new(
            errcode::INVALID_PARAM,
            "users of other servers join, leave or knock",
        )),
    }
}

fn template(event: &Event) -> Result<Json, Fault> {
    let mut object: selvage_event::Map = serde_json::from_str(event.json()).map_err(|error| json(&error))?;
    object.retain(|key, _| !MADE_BY_SIGNER.contains(&key.as_str()));
    to_raw_value(&object).map_err(|error| json(&error))
}

/// Takes a signed membership event in; see [`SendMembership`].
pub(crate) fn send(mut work: Work<'_, '_>, command: &SendMembership) -> Result<SendMembershipReply, Failure> {
    check_resident(work.view())?;
    check_acl(work.view(), &command.server)?;
    let version = work.view().head()?.version;
    let received =
        ReceivedEvent::parse(command.event.get().as_bytes(), version).map_err(|error| format(&error))?;
    work.is_as_asked(received.event(), command)?;
    let received = work.co_signed(received, command)?;
    let Ok(verified) = received.verify(&work.verify_keys(&command.keys));
    let checked = verified.map_err(|error| forbidden(error.to_string()))?;
    let event = checked.event().clone();
    if work.is_placed(&event)? {
        return work.sent(&event, command);
    }
    let needs = work.needs(&checked)?;
    if !needs.is_empty() {
        return Err(forbidden("the event cites events that this server does not have"));
    }
    if let Placed::SoftFailed(refusal) | Placed::Rejected(refusal) =
        work.place(checked, Placing::received(None))?
    {
        return Err(refused(refusal));
    }
    work.relay(&event)?;
    let reply = work.sent(&event, command)?;
    work.finish()?;
    Ok(reply)
}

impl Work<'_, '_> {
    fn is_as_asked(&self, event: &Event, command: &SendMembership) -> Result<(), Failure> {
        user_of(event.sender().as_str(), &command.server)?;
        let is_member = event.kind() == "m.room.member" && event.state_key() == Some(event.sender().as_str());
        if !is_member || event.membership() != Some(wanted(command.membership)?) {
            let message = "the event is not the membership that the request is about";
            return Err(Refusal::new(errcode::INVALID_PARAM, message).into());
        }
        if event.room_id().as_str() != self.turn.key().name() {
            return Err(Refusal::new(errcode::INVALID_PARAM, "the event is of another room").into());
        }
        Ok(())
    }

    /// The event with this server's signature, where it names a local user who lets the sender in, and that is so.
    fn co_signed(&self, received: ReceivedEvent, command: &SendMembership) -> Result<ReceivedEvent, Failure> {
        let event = received.event();
        let authoriser = event.content_str(AUTHORISED_VIA);
        let authoriser = authoriser.filter(|user_id| self.room.identity.is_local(user_id));
        if event.membership() != Some(Membership::Join) || authoriser.is_none() {
            return Ok(received);
        }
        // A signature lets in for good, so it is not given on the word of the event alone.
        self.authoriser(event.sender().as_str(), command.is_in_allowed_room)?;
        let identity = &self.room.identity;
        let signed = received.co_sign(&identity.server_name, &identity.key);
        Ok(signed.map_err(|error| format(&error))?)
    }

    fn sent(&self, event: &Event, command: &SendMembership) -> Result<SendMembershipReply, Failure> {
        if self.view().stored_by_id(event.event_id().as_str())?.is_none() {
            return Err(forbidden("this event was refused before"));
        }
        let stripped_state = if command.membership == spoken(Membership::Knock) {
            client_event::shown_state(self.view())?
        } else {
            Vec::new()
        };
        let json = RawValue::from_string(event.json().to_owned()).map_err(|error| json(&error))?;
        Ok(SendMembershipReply {
            event_id: event.event_id().as_str().to_owned(),
            event: json,
            stripped_state,
        })
    }
}
