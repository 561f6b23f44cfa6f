//! The Worker refuses impossible settings by their names, and serves nobody until they are mended.

// Helpers of tests fail like tests.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub
)]

mod drivers;

use drivers::workerd;
use selvage_conformance::http;

fn refusal(variables: &'static [(&'static str, &'static str)]) -> String {
    let server = workerd::start(&workerd::product_bundle().join("workerd.capnp"), variables);
    let sent = http::send(server.remote().0, "GET", "/_matrix/client/versions", &[], b"");
    let response = sent.expect("an answer");
    assert_eq!(response.status, 503);
    String::from_utf8(response.body).expect("a text")
}

/// What data were written under is theirs for ever.
#[test]
fn a_deployment_cannot_become_another() {
    const FIRST: &[(&str, &str)] = &[("SELVAGE_SERVER_NAME", "settings.test"), ("SELVAGE_SHARDS", "8")];
    const CHANGED: [(&[(&str, &str)], &str); 2] = [
        (
            &[("SELVAGE_SERVER_NAME", "settings.test"), ("SELVAGE_SHARDS", "9")],
            "SELVAGE_SHARDS: was 8",
        ),
        (
            &[("SELVAGE_SERVER_NAME", "other.test"), ("SELVAGE_SHARDS", "8")],
            "SELVAGE_SERVER_NAME: was settings.test",
        ),
    ];
    let config = workerd::product_bundle().join("workerd.capnp");
    let server = workerd::start(&config, FIRST);
    let look =
        || http::send(server.remote().0, "GET", "/_matrix/client/versions", &[], b"").expect("an answer");
    assert_eq!(look().status, 200);
    for (variables, says) in CHANGED {
        server.crash_into(workerd::launch(&config, variables));
        let refused = look();
        let text = String::from_utf8(refused.body).expect("a text");
        assert!(
            refused.status == 503 && text.starts_with(says),
            "{} {text}",
            refused.status
        );
    }
    server.crash_into(workerd::launch(&config, FIRST));
    assert_eq!(look().status, 200);
}

#[test]
fn a_server_needs_a_name() {
    assert!(refusal(&[]).starts_with("SELVAGE_SERVER_NAME: "));
    assert!(refusal(&[("SELVAGE_SERVER_NAME", "no name")]).starts_with("SELVAGE_SERVER_NAME: "));
}

#[test]
fn wrong_values_are_named() {
    const NAME: (&str, &str) = ("SELVAGE_SERVER_NAME", "settings.test");
    assert!(refusal(&[NAME, ("SELVAGE_SHARDS", "0")]).starts_with("SELVAGE_SHARDS: "));
    assert!(refusal(&[NAME, ("SELVAGE_REGISTRATION", "maybe")]).starts_with("SELVAGE_REGISTRATION: "));
    let secret = refusal(&[NAME, ("SELVAGE_REGISTRATION_SHARED_SECRET", "")]);
    assert!(
        secret.to_lowercase().contains("registration_shared_secret"),
        "{secret}"
    );
}
