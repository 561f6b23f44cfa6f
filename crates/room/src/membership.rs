//! Joining, inviting, leaving, kicking, banning, knocking (spec: client-server-api §room-membership). What is allowed, the
//! authorisation rules decide; here is what the endpoints ask beyond them.

use selvage_event::{Event, Map, Membership, UserId};
use selvage_object::{Failure, Refusal};
use selvage_protocol::errcode;
use selvage_protocol::room::{AccountEnded, ChangeMembership, MembershipAction, SendReply};
use selvage_protocol::user::Profile;
use serde_json::Value;

use crate::accept::{Draft, Work};
use crate::error::forbidden;
use crate::restricted::AUTHORISED_VIA;

/// The content of a membership event.
pub(crate) fn member_content(membership: Membership, profile: &Profile, reason: Option<&str>) -> Map {
    let mut content = Map::new();
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            content.insert(key.to_owned(), Value::from(value));
        }
    };
    put("membership", Some(membership.as_str()));
    put("displayname", profile.displayname.as_deref());
    put("avatar_url", profile.avatar_url.as_deref());
    put("reason", reason);
    content
}

/// Changes a membership.
pub(crate) fn change(mut work: Work<'_, '_>, command: &ChangeMembership) -> Result<SendReply, Failure> {
    is_here(&work, command)?;
    let current = work.now()?.event("m.room.member", &command.target)?;
    if let Some(same) = already(command, current.as_ref()) {
        return Ok(reply(same));
    }
    let membership = current.as_ref().and_then(Event::membership);
    possible(command.action, membership)?;
    let mut draft = draft(command)?;
    if command.action == MembershipAction::Join
        && let Some(authoriser) = work.authoriser(&command.target, command.is_in_allowed_room)?
    {
        let authoriser = Value::from(authoriser.as_str());
        draft.content.insert(AUTHORISED_VIA.to_owned(), authoriser);
    }
    let event = work.send(draft)?;
    work.finish()?;
    Ok(reply(&event))
}

/// Whether the room is here, for one who wants to enter it. A room that goes on elsewhere is entered through another server.
fn is_here(work: &Work<'_, '_>, command: &ChangeMembership) -> Result<(), Failure> {
    let own = command.sender == command.target;
    let elsewhere = match command.action {
        MembershipAction::Join | MembershipAction::Knock => {
            own && work.view().is_elsewhere(&work.room.identity.server_name)?
        }
        _ => false,
    };
    if elsewhere {
        return Err(Refusal::new(errcode::NOT_HERE, "you are not in this room").into());
    }
    Ok(())
}

fn reply(event: &Event) -> SendReply {
    SendReply {
        event_id: event.event_id().as_str().to_owned(),
    }
}

const fn wanted(action: MembershipAction) -> Membership {
    match action {
        MembershipAction::Join => Membership::Join,
        MembershipAction::Invite => Membership::Invite,
        MembershipAction::Leave | MembershipAction::Kick | MembershipAction::Unban => Membership::Leave,
        MembershipAction::Ban => Membership::Ban,
        MembershipAction::Knock => Membership::Knock,
    }
}

/// The membership event that makes the request a repetition: joining when joined, leaving when gone.
fn already<'e>(command: &ChangeMembership, current: Option<&'e Event>) -> Option<&'e Event> {
    let repeatable = matches!(command.action, MembershipAction::Join | MembershipAction::Leave);
    let current = current.filter(|event| event.sender().as_str() == command.sender);
    current.filter(|event| repeatable && event.membership() == Some(wanted(command.action)))
}

/// What the endpoints refuse though the rules would allow it: the request speaks of a membership that is not so.
fn possible(action: MembershipAction, current: Option<Membership>) -> Result<(), Failure> {
    let present = matches!(
        current,
        Some(Membership::Join | Membership::Invite | Membership::Knock)
    );
    match action {
        MembershipAction::Kick if !present => Err(forbidden("this user is not in the room")),
        MembershipAction::Unban if current != Some(Membership::Ban) => {
            Err(forbidden("this user is not banned"))
        }
        MembershipAction::Invite if current == Some(Membership::Join) => {
            Err(forbidden("this user is in the room already"))
        }
        _ => Ok(()),
    }
}

fn draft(command: &ChangeMembership) -> Result<Draft, Failure> {
    let user = |id: &str, who: &str| {
        UserId::parse(id).map_err(|error| Refusal::new(errcode::INVALID_PARAM, format!("the {who}: {error}")))
    };
    let target = user(&command.target, "user")?;
    let mut content = member_content(
        wanted(command.action),
        &command.profile,
        command.reason.as_deref(),
    );
    if command.is_direct && command.action == MembershipAction::Invite {
        content.insert("is_direct".to_owned(), Value::Bool(true));
    }
    Ok(own_draft(
        user(&command.sender, "sender")?,
        target.as_str(),
        content,
    ))
}

/// A membership event to be sent.
pub(crate) fn own_draft(sender: UserId, target: &str, content: Map) -> Draft {
    Draft {
        sender,
        kind: "m.room.member".to_owned(),
        state_key: Some(target.to_owned()),
        content,
        redacts: None,
        origin_server_ts: None,
        txn: None,
    }
}

/// The user's account ended: the user leaves, if there is anything to leave.
pub(crate) fn account_ended(mut work: Work<'_, '_>, command: &AccountEnded) -> Result<(), Failure> {
    if work.view().head().is_err() {
        return Ok(());
    }
    let membership = work.now()?.membership(&command.user_id)?;
    if matches!(membership, Membership::Leave | Membership::Ban) {
        return Ok(());
    }
    let sender = UserId::parse(&command.user_id)
        .map_err(|error| Refusal::new(errcode::INVALID_PARAM, error.to_string()))?;
    let content = member_content(Membership::Leave, &Profile::default(), None);
    work.send(own_draft(sender, &command.user_id, content))?;
    work.finish()
}
