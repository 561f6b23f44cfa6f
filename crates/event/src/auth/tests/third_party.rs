//! The rules about invites by third-party identifier (`invite` 1), and about their tokens.

use super::*;
use crate::id::ServerName;
use crate::key::SigningKey;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("ed25519:0", &[seed; 32]).unwrap()
}

/// A `signed` object for a user and the token `tok`.
fn signed(user: &str, by: &SigningKey) -> Value {
    let mut signed = json!({"mxid": user, "token": "tok"}).as_object().unwrap().clone();
    by.sign_json(&ServerName::parse("identity.example").unwrap(), &mut signed)
        .unwrap();
    Value::Object(signed)
}

fn invite(sender: &'static str, target: &'static str, signed: Option<Value>) -> Try<'static> {
    let mut third_party = json!({"display_name": "someone"});
    if let Some(signed) = signed {
        third_party["signed"] = signed;
    }
    state(
        sender,
        "m.room.member",
        target,
        json!({"membership": "invite", "third_party_invite": third_party}),
    )
}

/// A room where `MOD` has invited by the token `tok`, with these keys.
fn room(version: RoomVersion, keys: Value) -> World {
    let mut world = World::new(version);
    world.set(state(MOD, "m.room.third_party_invite", "tok", keys));
    world
}

fn announced(version: RoomVersion) -> World {
    room(version, json!({"public_key": key(1).public_key_base64()}))
}

#[test]
fn allowed() {
    for version in RoomVersion::ALL {
        let world = announced(version);
        for target in [LEFT, STRANGER, INVITED] {
            world.allows(invite(MOD, target, Some(signed(target, &key(1)))));
        }
    }
}

#[test]
fn invite_1_1_banned() {
    for version in RoomVersion::ALL {
        let what = invite(MOD, BANNED, Some(signed(BANNED, &key(1))));
        announced(version).refuses(what, Rule::ThirdPartyBanned);
    }
}

#[test]
fn invite_1_2_no_signed() {
    for version in RoomVersion::ALL {
        announced(version).refuses(invite(MOD, LEFT, None), Rule::ThirdPartySigned);
        announced(version).refuses(invite(MOD, LEFT, Some(json!("x"))), Rule::ThirdPartySigned);
    }
}

#[test]
fn invite_1_3_no_mxid_or_token() {
    for missing in ["mxid", "token"] {
        let mut incomplete = signed(LEFT, &key(1));
        incomplete.as_object_mut().unwrap().remove(missing);
        announced(RoomVersion::V12).refuses(invite(MOD, LEFT, Some(incomplete)), Rule::ThirdPartyFields);
    }
}

#[test]
fn invite_1_4_another_user() {
    for version in RoomVersion::ALL {
        let what = invite(MOD, LEFT, Some(signed(STRANGER, &key(1))));
        announced(version).refuses(what, Rule::ThirdPartyUser);
    }
}

#[test]
fn invite_1_5_no_such_token() {
    for version in RoomVersion::ALL {
        let what = invite(MOD, LEFT, Some(signed(LEFT, &key(1))));
        World::new(version).refuses(what, Rule::ThirdPartyToken);
    }
}

#[test]
fn invite_1_6_another_sender() {
    for version in RoomVersion::ALL {
        let what = invite(CREATOR, LEFT, Some(signed(LEFT, &key(1))));
        announced(version).refuses(what, Rule::ThirdPartySender);
    }
}

#[test]
fn invite_1_7_any_key_will_do() {
    let base64 = key(1).public_key_base64();
    let url_safe = base64.replace('+', "-").replace('/', "_");
    for keys in [
        json!({"public_key": base64}),
        json!({"public_key": url_safe}),
        json!({"public_key": format!("{base64}=")}),
        json!({"public_keys": [{"public_key": key(2).public_key_base64()}, {"public_key": base64}]}),
        json!({"public_key": "nonsense", "public_keys": [5, {}, {"public_key": base64}]}),
    ] {
        for version in RoomVersion::ALL {
            room(version, keys.clone()).allows(invite(MOD, LEFT, Some(signed(LEFT, &key(1)))));
        }
    }
}

#[test]
fn invite_1_8_no_key_fits() {
    for version in RoomVersion::ALL {
        let world = announced(version);
        world.refuses(
            invite(MOD, LEFT, Some(signed(LEFT, &key(2)))),
            Rule::ThirdPartySignature,
        );
        let mut unsigned = signed(LEFT, &key(1));
        unsigned.as_object_mut().unwrap().remove("signatures");
        world.refuses(invite(MOD, LEFT, Some(unsigned)), Rule::ThirdPartySignature);
        let mut changed = signed(LEFT, &key(1));
        changed["more"] = json!(1);
        world.refuses(invite(MOD, LEFT, Some(changed)), Rule::ThirdPartySignature);
        let no_keys = room(version, json!({"public_keys": {}}));
        no_keys.refuses(
            invite(MOD, LEFT, Some(signed(LEFT, &key(1)))),
            Rule::ThirdPartySignature,
        );
    }
}

#[test]
fn tokens_need_the_power_to_invite() {
    for version in RoomVersion::ALL {
        let token = |sender| state(sender, "m.room.third_party_invite", "t", json!({}));
        let mut levels = usual_levels(version);
        World::new(version).allows(token(USER));
        levels["invite"] = json!(50);
        // The level of the type itself counts for nothing.
        levels["events"]["m.room.third_party_invite"] = json!(100);
        let world = World::new(version).levels(levels);
        world.allows(token(MOD));
        world.refuses(token(USER), Rule::TokenPower);
        world.refuses(token(LEFT), Rule::SenderNotJoined);
    }
}
