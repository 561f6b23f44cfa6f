//! The rules about membership `invite`, and what every membership must have.

use super::*;

#[test]
fn member_1_state_key_and_membership() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        let content = json!({"membership": "join"});
        world.refuses(
            Try {
                content: content.clone(),
                ..message(USER, "m.room.member")
            },
            Rule::MemberStateKey,
        );
        for key in ["", "user:b", "@user", "@user:"] {
            world.refuses(
                state(USER, "m.room.member", key, content.clone()),
                Rule::MemberStateKey,
            );
        }
        world.refuses(
            state(USER, "m.room.member", USER, json!({})),
            Rule::MemberMembership,
        );
        for membership in [json!(5), json!("lurk"), json!(null), json!("Join")] {
            let what = state(USER, "m.room.member", USER, json!({"membership": membership}));
            world.refuses(what, Rule::MembershipUnknown);
        }
    }
}

#[test]
fn invite_2_sender_must_be_joined() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        for sender in [INVITED, BANNED, LEFT, STRANGER] {
            world.refuses(member(sender, "@new:c", "invite"), Rule::InviteSender);
        }
        world.allows(member(USER, "@new:c", "invite"));
    }
}

#[test]
fn invite_3_target_must_not_be_joined_or_banned() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        world.refuses(member(MOD, USER, "invite"), Rule::InviteTarget);
        world.refuses(member(CREATOR, BANNED, "invite"), Rule::InviteTarget);
        for target in [LEFT, INVITED, STRANGER] {
            world.allows(member(MOD, target, "invite"));
        }
    }
}

#[test]
fn invite_4_and_5_power() {
    for version in RoomVersion::ALL {
        let mut levels = usual_levels(version);
        levels["invite"] = json!(50);
        let world = World::new(version).levels(levels);
        world.allows(member(MOD, LEFT, "invite"));
        world.allows(member(CREATOR, LEFT, "invite"));
        world.refuses(member(USER, LEFT, "invite"), Rule::InvitePower);
    }
}
