//! Devices, tokens and rate limits (spec: client-server-api §login, §rate-limiting).

use selvage_protocol::user::{Authenticate, Bucket, Login, Logout, SetPassword};
use selvage_sim::asks::{DEVICE, errcode, login, token};

use crate::fixture::{ALICE, Fixture};

/// The devices whose tokens are known.
fn known(fixture: &mut Fixture, tokens: &[&str]) -> Vec<String> {
    let mut known = Vec::new();
    for hash in tokens {
        let ask = Authenticate {
            token_hash: (*hash).to_owned(),
            bucket: None,
        };
        match fixture.ask(ask) {
            Ok(session) => known.push(format!("{hash} {}", session.device_id)),
            refused => assert_eq!(errcode(refused), "M_UNKNOWN_TOKEN"),
        }
    }
    known
}

#[test]
fn a_login_takes_the_device_over() {
    let mut fixture = Fixture::new();
    let old = token(ALICE, DEVICE);
    let login = Login {
        device_id: DEVICE.to_owned(),
        initial_device_display_name: None,
        token_hash: "new".to_owned(),
    };
    assert_eq!(fixture.ask(login).unwrap().device_id, DEVICE);
    for _ in 0..2 {
        assert_eq!(known(&mut fixture, &[&old, "new", "other", ""]), ["new PHONE"]);
        fixture.server.restart();
    }
}

#[test]
fn logging_out_ends_one_device_or_all() {
    let (phone, tablet) = (token(ALICE, DEVICE), token(ALICE, "TABLET"));
    let out = |device: Option<&str>| Logout {
        device_id: device.map(str::to_owned),
    };
    let password = |keep: Option<&str>, logout_devices| SetPassword {
        password_hash: "phc".to_owned(),
        logout_devices,
        keep_device: keep.map(str::to_owned),
    };
    let check = |what: &str, act: &dyn Fn(&mut Fixture), left: &[&str]| {
        let mut fixture = Fixture::new();
        login(&mut fixture.server, ALICE, "TABLET");
        act(&mut fixture);
        for _ in 0..2 {
            let known = known(&mut fixture, &[&phone, &tablet]);
            let known: Vec<&str> = known.iter().filter_map(|known| known.split(' ').nth(1)).collect();
            assert_eq!(known, left, "{what}");
            fixture.server.restart();
        }
    };
    check(
        "one",
        &|fixture| fixture.ask(out(Some(DEVICE))).unwrap(),
        &["TABLET"],
    );
    check(
        "twice",
        &|fixture| (0..2).for_each(|_| fixture.ask(out(Some(DEVICE))).unwrap()),
        &["TABLET"],
    );
    check(
        "another",
        &|fixture| fixture.ask(out(Some("WATCH"))).unwrap(),
        &["PHONE", "TABLET"],
    );
    check("all", &|fixture| fixture.ask(out(None)).unwrap(), &[]);
    check(
        "a new password",
        &|fixture| fixture.ask(password(Some("TABLET"), true)).unwrap(),
        &["TABLET"],
    );
    check(
        "a new password, all out",
        &|fixture| fixture.ask(password(None, true)).unwrap(),
        &[],
    );
    check(
        "a new password, none out",
        &|fixture| fixture.ask(password(None, false)).unwrap(),
        &["PHONE", "TABLET"],
    );
}

#[test]
fn logging_out_wakes_those_who_wait() {
    let mut fixture = Fixture::new();
    let before = fixture.changes(None).version;
    fixture.server.take_wakes();
    fixture.ask(Logout { device_id: None }).unwrap();
    let wakes = fixture.server.take_wakes();
    assert_eq!(wakes.len(), 1);
    assert!(wakes[0].version > before);
}

#[test]
fn requests_are_counted_by_bucket() {
    for (bucket, burst, refill_ms) in [(Bucket::Send, 100, 100), (Bucket::Membership, 30, 1_000)] {
        let mut fixture = Fixture::new();
        let ask = |bucket| Authenticate {
            token_hash: token(ALICE, DEVICE),
            bucket,
        };
        for _ in 0..burst {
            fixture.ask(ask(Some(bucket))).unwrap();
        }
        assert_eq!(errcode(fixture.ask(ask(Some(bucket)))), "M_LIMIT_EXCEEDED");
        fixture.ask(ask(None)).unwrap();
        fixture.server.tick(refill_ms);
        fixture.ask(ask(Some(bucket))).unwrap();
        assert_eq!(errcode(fixture.ask(ask(Some(bucket)))), "M_LIMIT_EXCEEDED");
    }
}
