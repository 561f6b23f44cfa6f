//! What holds for every endpoint of the table.

use selvage_e2e::api::Call;
use selvage_e2e::{Api, Host, Options, Reply, Server, raw};
use serde_json::json;

use crate::scene::Scene;
use crate::table::{Endpoint, Stranger, endpoints};

cases!(
    good_requests_are_answered,
    a_missing_token_is_refused,
    an_unknown_token_is_refused,
    strangers_are_refused,
    bodies_that_are_not_json_are_refused,
    bodies_of_the_wrong_shape_are_refused,
    large_bodies_are_refused,
    wrong_methods_are_refused,
    unknown_paths_are_refused,
    browsers_are_told_that_they_may_ask,
    well_known_names_the_server,
);

/// More than any JSON endpoint takes, in bytes.
const TOO_LARGE_BYTES: usize = 80 << 20;

/// The codes of a body of the wrong shape.
const WRONG_SHAPE: &[&str] = &["M_BAD_JSON"];
/// The codes of a body that lacks something or names something impossible.
const LACKING: &[&str] = &["M_BAD_JSON", "M_MISSING_PARAM", "M_INVALID_PARAM"];

fn call<'a>(api: &'a Api, endpoint: &'a Endpoint) -> Call<'a> {
    let call = api.request(endpoint.method, &endpoint.path);
    match &endpoint.body {
        Some(body) => call.json(body),
        None => call,
    }
}

fn good_requests_are_answered(server: &mut Server) {
    let scene = Scene::new(server);
    for endpoint in endpoints(&scene) {
        let reply = call(&scene.alice, &endpoint).send();
        assert_eq!(reply.status, 200, "{reply}");
        assert!(reply.json.is_object() || reply.json.is_array(), "{reply}");
        assert!(
            reply.header("content-type").starts_with("application/json"),
            "{reply}"
        );
        for pointer in endpoint.answers {
            assert!(
                reply.json.pointer(pointer).is_some(),
                "{pointer} is missing: {reply}"
            );
        }
    }
}

/// spec: client-server-api §client-authentication
fn a_missing_token_is_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let guarded = endpoints(&scene).into_iter().filter(|endpoint| endpoint.token);
    for endpoint in guarded {
        scene.refused(&call(&scene.api, &endpoint).send(), 401, "M_MISSING_TOKEN");
    }
}

/// spec: client-server-api §client-authentication
fn an_unknown_token_is_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let long = "x".repeat(4_000);
    let real = scene.alice.token().expect("signed in").to_owned();
    let bogus = [
        "nonsense",
        &long,
        &real[..real.len() - 1],
        "..",
        "%00",
        "' OR 1=1 --",
        "syt_YWxpY2U_x_1",
    ];
    let guarded: Vec<_> = endpoints(&scene)
        .into_iter()
        .filter(|endpoint| endpoint.token)
        .collect();
    for endpoint in &guarded {
        scene.refused(
            &call(&scene.api.with_token("nonsense"), endpoint).send(),
            401,
            "M_UNKNOWN_TOKEN",
        );
    }
    for token in bogus {
        let reply = scene
            .api
            .with_token(token)
            .get("/_matrix/client/v3/account/whoami");
        scene.refused(&reply, 401, "M_UNKNOWN_TOKEN");
    }
    // Another scheme is no token at all.
    let reply = scene
        .api
        .request("GET", "/_matrix/client/v3/account/whoami")
        .header("Authorization", "Basic eDp5")
        .send();
    scene.refused(&reply, 401, "M_MISSING_TOKEN");
}

fn strangers_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let before = scene.state_as_seen(&scene.alice);
    for endpoint in endpoints(&scene) {
        let reply = call(&scene.eve, &endpoint).send();
        match endpoint.stranger {
            Stranger::Forbidden => scene.refused(&reply, 403, "M_FORBIDDEN"),
            Stranger::Ignored => assert!([200, 403, 404].contains(&reply.status), "{reply}"),
            Stranger::Welcome => assert_eq!(reply.status, 200, "{reply}"),
        }
    }
    assert_eq!(scene.state_as_seen(&scene.alice), before, "nothing changed");
}

/// spec: client-server-api §common-error-codes
fn bodies_that_are_not_json_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let bad: [&[u8]; 6] = [
        b"{",
        b"{\"a\":}",
        b"not json",
        b"{}{}",
        b"{\"a\": \"\xff\xfe\"}",
        b"{'a': 1}",
    ];
    let before = scene.state_as_seen(&scene.alice);
    for endpoint in endpoints(&scene)
        .iter()
        .filter(|endpoint| endpoint.body.is_some())
    {
        for body in bad {
            let reply = scene
                .alice
                .request(endpoint.method, &endpoint.path)
                .bytes(body)
                .send();
            scene.refused(&reply, 400, "M_NOT_JSON");
        }
    }
    assert_eq!(scene.state_as_seen(&scene.alice), before, "nothing changed");
}

/// spec: client-server-api §common-error-codes
fn bodies_of_the_wrong_shape_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let before = scene.state_as_seen(&scene.alice);
    let mut failures = Vec::new();
    for endpoint in endpoints(&scene) {
        let wrong = endpoint.wrong.iter().map(|body| (body, WRONG_SHAPE));
        let lacking = endpoint.lacking.iter().map(|body| (body, LACKING));
        for (body, codes) in wrong.chain(lacking) {
            let reply = scene
                .alice
                .request(endpoint.method, &endpoint.path)
                .json(body)
                .send();
            if reply.status != 400 || !codes.contains(&reply.errcode()) {
                failures.push(format!("{codes:?} {body}: {reply}"));
            }
        }
    }
    if scene.host == Host::Synapse {
        return println!("Synapse differs from 400:\n{}", failures.join("\n"));
    }
    assert!(
        failures.is_empty(),
        "not refused with 400:\n{}",
        failures.join("\n")
    );
    assert_eq!(scene.state_as_seen(&scene.alice), before, "nothing changed");
}

/// spec: client-server-api §common-error-codes
fn large_bodies_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let token = scene.alice.token().expect("signed in");
    for endpoint in endpoints(&scene)
        .iter()
        .filter(|endpoint| endpoint.body.is_some())
    {
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {TOO_LARGE_BYTES}\r\n\r\n",
            endpoint.method, endpoint.path,
        );
        let answer = raw::exchange(&server.base_url(), &head, TOO_LARGE_BYTES);
        assert!(
            answer.starts_with("HTTP/1.1 413 "),
            "{}: {answer}",
            endpoint.name()
        );
        // Synapse hangs up before it comes to a body.
        assert!(
            scene.host == Host::Synapse || answer.contains("M_TOO_LARGE"),
            "{}: {answer}",
            endpoint.name()
        );
    }
    scene.alice.say(&scene.room_id, "still here").ok();
}

/// spec: client-server-api §api-standards, "unrecognized endpoints"
fn wrong_methods_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    for endpoint in endpoints(&scene) {
        let path = endpoint.path.split('?').next().unwrap_or_default();
        let reply = scene.alice.request("PATCH", path).send();
        scene.refused(&reply, 405, "M_UNRECOGNIZED");
    }
    scene.refused(
        &scene.alice.request("DELETE", "/_matrix/client/v3/sync").send(),
        405,
        "M_UNRECOGNIZED",
    );
    scene.refused(
        &scene.alice.post("/_matrix/client/v3/account/whoami", &json!({})),
        405,
        "M_UNRECOGNIZED",
    );
    scene.refused(
        &scene.alice.get("/_matrix/client/v3/createRoom"),
        405,
        "M_UNRECOGNIZED",
    );
}

/// spec: client-server-api §api-standards, "unrecognized endpoints"
fn unknown_paths_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let paths = [
        "/_matrix/client/v3/nothing",
        "/_matrix/client/v9/sync",
        "/_matrix/client/v3/rooms",
        "/_matrix/client/v3/rooms/!a:localhost",
        "/_matrix/client/v3/sync/more",
        "/_matrix/nothing",
        "/_matrix/",
        "/_matrix/client/v3/../v3/nothing",
        "/_matrix/client//v3/sync",
    ];
    for path in paths {
        for api in [&scene.api, &*scene.alice] {
            scene.refused(&api.get(path), 404, "M_UNRECOGNIZED");
        }
    }
}

/// spec: client-server-api §web-browser-clients
fn browsers_are_told_that_they_may_ask(server: &mut Server) {
    let scene = Scene::new(server);
    for endpoint in endpoints(&scene) {
        allows_any_origin(&call(&scene.alice, &endpoint).send());
        allows_any_origin(&call(&scene.api.with_token("nonsense"), &endpoint).send());
        let preflight = scene
            .api
            .request("OPTIONS", &endpoint.path)
            .header("Origin", "https://app.example.org")
            .header("Access-Control-Request-Method", endpoint.method)
            .header("Access-Control-Request-Headers", "authorization,content-type")
            .send();
        assert!([200, 204].contains(&preflight.status), "{preflight}");
        allows_any_origin(&preflight);
        let methods = preflight.header("access-control-allow-methods");
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            assert!(
                methods.contains(method),
                "{method} is not in {methods:?}: {preflight}"
            );
        }
        let headers = preflight.header("access-control-allow-headers").to_lowercase();
        for header in ["authorization", "content-type", "x-requested-with"] {
            assert!(
                headers.contains(header),
                "{header} is not in {headers:?}: {preflight}"
            );
        }
    }
    allows_any_origin(&scene.api.get("/_matrix/client/v3/nothing"));
    allows_any_origin(&scene.api.get("/_matrix/client/v3/createRoom"));
    let bad = scene
        .alice
        .request("POST", "/_matrix/client/v3/createRoom")
        .bytes("{")
        .send();
    allows_any_origin(&bad);
}

#[track_caller]
fn allows_any_origin(reply: &Reply) {
    assert_eq!(reply.header("access-control-allow-origin"), "*", "{reply}");
}

/// spec: client-server-api §well-known-uri
fn well_known_names_the_server(server: &mut Server) {
    let unset = server.api().get("/.well-known/matrix/client");
    assert_eq!(unset.status, 404, "{unset}");
    let public_base_url = Some("https://matrix.example.org/".to_owned());
    let told = Server::start_with(
        server.host(),
        Options {
            public_base_url,
            ..Options::default()
        },
    );
    let reply = told.api().get("/.well-known/matrix/client");
    assert_eq!(reply.status, 200, "{reply}");
    assert_eq!(
        reply.string("/m.homeserver/base_url").trim_end_matches('/'),
        "https://matrix.example.org"
    );
    allows_any_origin(&reply);
}
