//! Scenarios of the server object, over a real shard.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

use selvage_protocol::server::{
    CheckRegistrationToken, CreateRegistrationToken, Identity, OldKeys, RotateKey, UseRegistrationToken,
};
use selvage_protocol::server_key;
use selvage_sim::asks::errcode;
use selvage_sim::{Layout, Server};

fn server() -> Server {
    Server::new("test", Layout::default(), 1)
}

fn identity(server: &mut Server, name: &str) -> Result<(String, String, String), selvage_object::Failure> {
    let ask = Identity {
        server_name: name.to_owned(),
    };
    let reply = server.ask(&server_key(), ask)?;
    Ok((reply.key_id, reply.seed, reply.mac_key))
}

#[test]
fn the_identity_is_made_once_and_serves_one_name() {
    let mut server = server();
    let first = identity(&mut server, "test").unwrap();
    assert!(first.0.starts_with("ed25519:"));
    assert_eq!((first.1.len(), first.2.len()), (43, 43));
    assert_ne!(first.1, first.2);
    server.restart();
    assert_eq!(identity(&mut server, "test").unwrap(), first);
    assert_eq!(errcode(identity(&mut server, "other")), "M_INVALID_PARAM");
    assert_eq!(identity(&mut server, "test").unwrap(), first);
}

/// spec: `server-server-api §publishing-keys`
#[test]
fn a_new_key_counts_from_the_next_start_and_the_old_one_stays_published() {
    let mut server = server();
    let first = identity(&mut server, "test").unwrap();
    let unused = server.ask(&server_key(), RotateKey {}).unwrap().key_id;
    let next = server.ask(&server_key(), RotateKey {}).unwrap().key_id;
    assert!(next != first.0 && next != unused);
    assert_eq!(server.ask(&server_key(), OldKeys {}).unwrap().len(), 0);
    server.restart();
    let second = identity(&mut server, "test").unwrap();
    assert_eq!((second.0.as_str(), &second.2), (next.as_str(), &first.2));
    assert_ne!(second.1, first.1);
    assert_eq!(identity(&mut server, "test").unwrap(), second);
    let old = server.ask(&server_key(), OldKeys {}).unwrap();
    assert_eq!((old.len(), old[0].key_id.as_str()), (1, first.0.as_str()));
    assert_eq!((old[0].public_key.len(), old[0].expired_ts), (43, server.now().0));
}

#[test]
fn an_identity_that_was_not_durable_is_no_identity() {
    let mut server = server();
    let ask = Identity {
        server_name: "test".to_owned(),
    };
    let lost = server
        .turn(&server_key(), &selvage_sim::server::command(ask))
        .unwrap();
    let shard = server.shard_of(&server_key());
    server.crash(&shard, false);
    let made = identity(&mut server, "test").unwrap();
    assert!(!String::from_utf8(lost).unwrap().contains(&made.1));
}

#[test]
fn a_registration_token_is_good_for_so_many_uses() {
    for (uses, good) in [(Some(0), 0), (Some(1), 1), (Some(3), 3), (None, 5)] {
        let mut server = server();
        let create = CreateRegistrationToken {
            uses,
            expires_ms: None,
        };
        let token = server.ask(&server_key(), create).unwrap().token;
        let spend = |server: &mut Server, receipt: usize| {
            let spend = UseRegistrationToken {
                token: token.clone(),
                receipt: receipt.to_string(),
            };
            server.ask(&server_key(), spend)
        };
        let check = |server: &mut Server| {
            let check = CheckRegistrationToken { token: token.clone() };
            server.ask(&server_key(), check).unwrap()
        };
        for receipt in 0..good {
            assert!(check(&mut server), "{uses:?}");
            spend(&mut server, receipt).unwrap();
            spend(&mut server, receipt).unwrap();
            server.restart();
        }
        if uses.is_some() {
            assert!(!check(&mut server), "{uses:?}");
            assert_eq!(errcode(spend(&mut server, 100)), "M_FORBIDDEN");
        }
    }
}

#[test]
fn a_registration_token_ends_in_time() {
    let mut server = server();
    let create = CreateRegistrationToken {
        uses: None,
        expires_ms: Some(server.now().0 + 1_000),
    };
    let token = server.ask(&server_key(), create).unwrap().token;
    for (ms, good) in [(999, true), (1, false)] {
        server.tick(ms);
        let check = CheckRegistrationToken { token: token.clone() };
        assert_eq!(server.ask(&server_key(), check).unwrap(), good);
    }
    let unknown = CheckRegistrationToken {
        token: "unknown".to_owned(),
    };
    assert!(!server.ask(&server_key(), unknown).unwrap());
}
