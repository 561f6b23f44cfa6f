//! The rules about memberships `join` and `knock`.

use super::*;

const RULES: [&str; 6] = [
    "public",
    "invite",
    "knock",
    "restricted",
    "knock_restricted",
    "private",
];

fn join(user: &str) -> Try<'_> {
    member(user, user, "join")
}

/// Whether the version knows the join rule (all know `private`, which lets nobody in).
fn knows(version: RoomVersion, rule: &str) -> bool {
    match rule {
        "knock" => version >= RoomVersion::V7,
        "restricted" => version >= RoomVersion::V8,
        "knock_restricted" => version >= RoomVersion::V10,
        "private" => false,
        _ => true,
    }
}

#[test]
fn join_1_the_creator_after_the_create_event() {
    for version in RoomVersion::ALL {
        let world = World::founded(version);
        let after_create = |user| Try {
            prev: vec!["$create:a"],
            ..join(user)
        };
        world.allows(after_create(CREATOR));
        world.refuses(after_create(USER), Rule::JoinRule);
        world.refuses(join(CREATOR), Rule::JoinRule);
        world.refuses(
            Try {
                prev: vec!["$create:a", "$e2:a"],
                ..join(CREATOR)
            },
            Rule::JoinRule,
        );
    }
}

/// The creator is named by `creator` before version 11 and is the sender from then on.
#[test]
fn join_1_who_the_creator_is() {
    for version in RoomVersion::ALL {
        let mut world = World::founded(version);
        let content =
            json!({"room_version": version.as_str(), "creator": USER, "additional_creators": [MOD]});
        world.set(Try {
            prev: vec![],
            ..state(CREATOR, "m.room.create", "", content)
        });
        let creator = if version <= RoomVersion::V10 {
            USER
        } else {
            CREATOR
        };
        for user in [USER, CREATOR, MOD] {
            let allowed = world
                .check(Try {
                    prev: vec!["$create:a"],
                    ..join(user)
                })
                .is_ok();
            assert_eq!(allowed, user == creator, "{version} {user}");
        }
    }
}

#[test]
fn join_2_for_somebody_else() {
    for version in RoomVersion::ALL {
        World::new(version).refuses(member(MOD, LEFT, "join"), Rule::JoinOther);
    }
}

#[test]
fn join_3_banned() {
    for version in RoomVersion::ALL {
        for rule in RULES {
            World::new(version)
                .join_rule(rule)
                .refuses(join(BANNED), Rule::JoinBanned);
        }
    }
}

#[test]
fn join_4_to_7_by_join_rule() {
    for version in RoomVersion::ALL {
        for rule in RULES {
            let world = World::new(version).join_rule(rule);
            for (user, is_in) in [(USER, true), (INVITED, true), (LEFT, false), (STRANGER, false)] {
                let allowed = knows(version, rule) && (is_in || rule == "public");
                assert_eq!(
                    world.check(join(user)).is_ok(),
                    allowed,
                    "{version} {rule} {user}"
                );
            }
        }
    }
}

/// Without join rules a room is as with `invite`, as in Synapse.
#[test]
fn join_rules_that_say_nothing() {
    for version in RoomVersion::ALL {
        let mut world = World::new(version);
        world.state.remove(&("m.room.join_rules".into(), String::new()));
        for content in [None, Some(json!({})), Some(json!({"join_rule": 5}))] {
            if let Some(content) = &content {
                world.set(state(CREATOR, "m.room.join_rules", "", content.clone()));
            }
            let readable = content
                .as_ref()
                .is_none_or(|content| content.get("join_rule").is_none());
            assert_eq!(
                world.check(join(INVITED)).is_ok(),
                readable,
                "{version} {content:?}"
            );
            world.refuses(join(LEFT), Rule::JoinRule);
        }
    }
}

#[test]
fn join_5_restricted() {
    let authorised = |by: Value| {
        let content = json!({"membership": "join", "join_authorised_via_users_server": by});
        state(LEFT, "m.room.member", LEFT, content)
    };
    for version in from(RoomVersion::V8) {
        for rule in ["restricted", "knock_restricted"]
            .into_iter()
            .filter(|rule| knows(version, rule))
        {
            let mut levels = usual_levels(version);
            levels["invite"] = json!(50);
            let world = World::new(version).join_rule(rule).levels(levels);
            for by in [MOD, PEER, CREATOR] {
                world.allows(authorised(json!(by)));
            }
            for by in [
                json!(USER),
                json!(INVITED),
                json!(BANNED),
                json!(LEFT),
                json!(STRANGER),
                json!(5),
                json!(null),
            ] {
                world.refuses(authorised(by), Rule::JoinAuthoriser);
            }
            world.refuses(join(LEFT), Rule::JoinAuthoriser);
        }
    }
    for version in before(RoomVersion::V8) {
        World::new(version)
            .join_rule("restricted")
            .refuses(authorised(json!(MOD)), Rule::JoinRule);
    }
}

#[test]
fn knock_does_not_exist_before_version_7() {
    for version in before(RoomVersion::V7) {
        World::new(version)
            .join_rule("knock")
            .refuses(member(LEFT, LEFT, "knock"), Rule::MembershipUnknown);
    }
}

#[test]
fn knock_1_by_join_rule() {
    for version in from(RoomVersion::V7) {
        for rule in RULES {
            let allowed = knows(version, rule) && rule.starts_with("knock");
            let expected = if allowed { Ok(()) } else { Err(Rule::KnockJoinRule) };
            let world = World::new(version).join_rule(rule);
            assert_eq!(
                world.check(member(LEFT, LEFT, "knock")),
                expected,
                "{version} {rule}"
            );
        }
    }
}

#[test]
fn knock_2_to_4() {
    for version in from(RoomVersion::V7) {
        let mut world = World::new(version).join_rule("knock");
        world.refuses(member(MOD, LEFT, "knock"), Rule::KnockOther);
        for user in [USER, INVITED, BANNED] {
            world.refuses(member(user, user, "knock"), Rule::KnockMembership);
        }
        for user in [LEFT, STRANGER] {
            world.allows(member(user, user, "knock"));
        }
        world.set(member(LEFT, LEFT, "knock"));
        world.allows(member(LEFT, LEFT, "knock"));
        world.refuses(join(LEFT), Rule::JoinRule);
    }
}
