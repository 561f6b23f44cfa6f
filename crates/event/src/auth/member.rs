//! The rules about `m.room.member`.

use serde_json::Value;

use super::state::{Check, Checked, Stop, demand};
use super::{Rule, StateLookup, creators, third_party};
use crate::event::Membership;
use crate::id::UserId;

pub(super) fn check<S: StateLookup>(check: &Check<'_, S>) -> Checked<S::Error> {
    let target = check.event.state_key().filter(|key| UserId::parse(key).is_ok());
    let Some(target) = target else {
        return Err(Stop::Refuse(Rule::MemberStateKey));
    };
    let Some(membership) = check.event.content().get("membership") else {
        return Err(Stop::Refuse(Rule::MemberMembership));
    };
    if let Some((_, domain)) = target.split_once(':') {
        check.check_federates(domain)?;
    }
    match membership.as_str().and_then(Membership::from_name) {
        Some(Membership::Join) => join(check, target),
        Some(Membership::Invite) => invite(check, target),
        Some(Membership::Leave) => leave(check, target),
        Some(Membership::Ban) => ban(check, target),
        Some(Membership::Knock) if check.rules.knock => knock(check, target),
        _ => Err(Stop::Refuse(Rule::MembershipUnknown)),
    }
}

fn join<S: StateLookup>(check: &Check<'_, S>, target: &str) -> Checked<S::Error> {
    if is_first_join(check, target) {
        return Ok(());
    }
    demand(check.event.sender().as_str() == target, Rule::JoinOther)?;
    let current = check.membership(target)?;
    demand(current != Some(Membership::Ban), Rule::JoinBanned)?;
    let is_in = matches!(current, Some(Membership::Invite | Membership::Join));
    match join_rule(check)?.as_str() {
        "public" => Ok(()),
        "invite" => demand(is_in, Rule::JoinRule),
        "knock" if check.rules.knock => demand(is_in, Rule::JoinRule),
        "restricted" if check.rules.restricted => is_in_or_authorised(check, is_in),
        "knock_restricted" if check.rules.knock_restricted => is_in_or_authorised(check, is_in),
        _ => Err(Stop::Refuse(Rule::JoinRule)),
    }
}

/// Whether this is the creator's join right after the create event.
fn is_first_join<S: StateLookup>(check: &Check<'_, S>, target: &str) -> bool {
    let follows_create = check.event.prev_events() == std::slice::from_ref(check.create.event_id());
    follows_create && creators(&check.create).first() == Some(&target)
}

/// The room's join rule.
///
/// A room without join rules, or with rules that do not say, is `invite`, as in Synapse. The spec is silent, and
/// ruma refuses every join and profile change of such rooms.
fn join_rule<S: StateLookup>(check: &Check<'_, S>) -> Result<String, Stop<S::Error>> {
    let event = check.state.get("m.room.join_rules", "").map_err(Stop::Lookup)?;
    Ok(
        match event.as_ref().and_then(|event| event.content().get("join_rule")) {
            None => "invite".to_owned(),
            Some(rule) => rule.as_str().unwrap_or("").to_owned(),
        },
    )
}

/// Joins by condition: someone who may invite has vouched that the condition is met.
fn is_in_or_authorised<S: StateLookup>(check: &Check<'_, S>, is_in: bool) -> Checked<S::Error> {
    if is_in {
        return Ok(());
    }
    let authoriser = check
        .event
        .content()
        .get("join_authorised_via_users_server")
        .and_then(Value::as_str);
    let Some(authoriser) = authoriser else {
        return Err(Stop::Refuse(Rule::JoinAuthoriser));
    };
    demand(
        check.membership(authoriser)? == Some(Membership::Join),
        Rule::JoinAuthoriser,
    )?;
    let power = check.power()?;
    demand(
        power.user(authoriser).reaches(power.invite()),
        Rule::JoinAuthoriser,
    )
}

fn invite<S: StateLookup>(check: &Check<'_, S>, target: &str) -> Checked<S::Error> {
    if let Some(invite) = check.event.content().get("third_party_invite") {
        return third_party::check(check, target, invite);
    }
    let sender = check.event.sender().as_str();
    demand(
        check.membership(sender)? == Some(Membership::Join),
        Rule::InviteSender,
    )?;
    let current = check.membership(target)?;
    demand(
        !matches!(current, Some(Membership::Join | Membership::Ban)),
        Rule::InviteTarget,
    )?;
    let power = check.power()?;
    demand(power.user(sender).reaches(power.invite()), Rule::InvitePower)
}

fn leave<S: StateLookup>(check: &Check<'_, S>, target: &str) -> Checked<S::Error> {
    let sender = check.event.sender().as_str();
    let current = check.membership(target)?;
    if sender == target {
        let is_in = matches!(current, Some(Membership::Invite | Membership::Join))
            || (check.rules.knock && current == Some(Membership::Knock));
        return demand(is_in, Rule::LeaveNotIn);
    }
    demand(
        check.membership(sender)? == Some(Membership::Join),
        Rule::KickSender,
    )?;
    let power = check.power()?;
    let level = power.user(sender);
    demand(
        current != Some(Membership::Ban) || level.reaches(power.ban()),
        Rule::UnbanPower,
    )?;
    demand(
        level.reaches(power.kick()) && power.user(target) < level,
        Rule::KickPower,
    )
}

fn ban<S: StateLookup>(check: &Check<'_, S>, target: &str) -> Checked<S::Error> {
    let sender = check.event.sender().as_str();
    demand(
        check.membership(sender)? == Some(Membership::Join),
        Rule::BanSender,
    )?;
    let power = check.power()?;
    let level = power.user(sender);
    demand(
        level.reaches(power.ban()) && power.user(target) < level,
        Rule::BanPower,
    )
}

fn knock<S: StateLookup>(check: &Check<'_, S>, target: &str) -> Checked<S::Error> {
    let rule = join_rule(check)?;
    let allows = rule == "knock" || (check.rules.knock_restricted && rule == "knock_restricted");
    demand(allows, Rule::KnockJoinRule)?;
    demand(check.event.sender().as_str() == target, Rule::KnockOther)?;
    let current = check.membership(target)?;
    let is_known = matches!(
        current,
        Some(Membership::Ban | Membership::Invite | Membership::Join)
    );
    demand(!is_known, Rule::KnockMembership)
}
