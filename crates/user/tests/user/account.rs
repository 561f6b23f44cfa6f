//! Accounts (spec: client-server-api §account-registration-and-management).

use selvage_protocol::user::{
    Account, AccountReply, Authenticate, Deactivate, GetProfile, Login, PasswordHash, Profile, Register,
    SetPassword, SetProfile,
};
use selvage_protocol::user_key;
use selvage_sim::asks::{DEVICE, errcode, token};
use selvage_sim::{Layout, Server};

use crate::fixture::{ALICE, Fixture};

fn register(receipt: &str) -> Register {
    Register {
        password_hash: Some("phc".to_owned()),
        admin: false,
        displayname: Some("Alice".to_owned()),
        receipt: receipt.to_owned(),
    }
}

fn profile(name: Option<&str>) -> Profile {
    Profile {
        displayname: name.map(str::to_owned),
        avatar_url: None,
    }
}

#[test]
fn registering_again_succeeds_for_the_same_receipt_alone() {
    let mut server = Server::new("test", Layout::default(), 1);
    let user = user_key(ALICE);
    let state = |exists| AccountReply {
        exists,
        deactivated: false,
        admin: false,
    };
    assert_eq!(server.ask(&user, Account {}).unwrap(), state(false));
    assert_eq!(errcode(server.ask(&user, GetProfile {})), "M_NOT_FOUND");
    server.ask(&user, register("one")).unwrap();
    for restart in [false, true] {
        if restart {
            server.restart();
        }
        server.ask(&user, register("one")).unwrap();
        assert_eq!(errcode(server.ask(&user, register("two"))), "M_USER_IN_USE");
        assert_eq!(server.ask(&user, Account {}).unwrap(), state(true));
        assert_eq!(server.ask(&user, GetProfile {}).unwrap(), profile(Some("Alice")));
    }
}

#[test]
fn profile_fields_are_set_and_removed() {
    let mut fixture = Fixture::new();
    let mut set = |field: &str, value: Option<&str>| {
        let set = SetProfile {
            field: field.to_owned(),
            value: value.map(str::to_owned),
        };
        fixture.ask(set)
    };
    set("displayname", Some("Alice")).unwrap();
    set("avatar_url", Some("mxc://test/a")).unwrap();
    assert_eq!(errcode(set("shoe_size", Some("40"))), "M_INVALID_PARAM");
    assert_eq!(
        errcode(set("displayname", Some(&"x".repeat(1_001)))),
        "M_TOO_LARGE"
    );
    set("avatar_url", None).unwrap();
    fixture.server.restart();
    assert_eq!(fixture.ask(GetProfile {}).unwrap(), profile(Some("Alice")));
    let session = fixture
        .ask(Authenticate {
            token_hash: token(ALICE, DEVICE),
            bucket: None,
        })
        .unwrap();
    assert_eq!(session.profile, profile(Some("Alice")));
}

#[test]
fn a_deactivated_account_is_over_and_its_name_stays_taken() {
    let mut fixture = Fixture::new();
    fixture
        .ask(SetPassword {
            password_hash: "phc".to_owned(),
            logout_devices: false,
            keep_device: None,
        })
        .unwrap();
    for restart in [false, false, true] {
        if restart {
            fixture.server.restart();
        }
        fixture.ask(Deactivate {}).unwrap();
        let authenticate = Authenticate {
            token_hash: token(ALICE, DEVICE),
            bucket: None,
        };
        assert_eq!(errcode(fixture.ask(authenticate)), "M_UNKNOWN_TOKEN");
        assert_eq!(errcode(fixture.ask(GetProfile {})), "M_NOT_FOUND");
        assert_eq!(errcode(fixture.ask(register("new"))), "M_USER_IN_USE");
        let login = Login {
            device_id: "NEW".to_owned(),
            initial_device_display_name: None,
            token_hash: "new".to_owned(),
        };
        assert_eq!(errcode(fixture.ask(login)), "M_USER_DEACTIVATED");
        let hash = fixture.ask(PasswordHash { rate_limited: false }).unwrap();
        assert_eq!((hash.phc, hash.deactivated), (None, true));
        let account = fixture.ask(Account {}).unwrap();
        assert_eq!(
            account,
            AccountReply {
                exists: true,
                deactivated: true,
                admin: false
            }
        );
    }
}

#[test]
fn logins_are_few_a_minute() {
    let mut fixture = Fixture::new();
    let ask = || PasswordHash { rate_limited: true };
    for _ in 0..10 {
        fixture.ask(ask()).unwrap();
    }
    let refused = fixture.ask(ask()).unwrap_err();
    let selvage_object::Failure::Refusal(refusal) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (refusal.errcode.as_ref(), refusal.retry_after_ms),
        ("M_LIMIT_EXCEEDED", Some(6_000))
    );
    fixture.server.tick(5_999);
    assert_eq!(errcode(fixture.ask(ask())), "M_LIMIT_EXCEEDED");
    fixture.server.tick(1);
    fixture.ask(ask()).unwrap();
    fixture.ask(PasswordHash { rate_limited: false }).unwrap();
}
