//! What the server is and where. spec: `client-server-api §server-discovery`, `§api-versions`

use http::Method;
use ruma::api::client::discovery::{discover_homeserver, discover_support, get_supported_versions};
use serde_json::{Map, Value, json};

use crate::call::{Call, answer};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Host};

/// The versions of the spec whose parts that the server has behave as written. Later ones change how clients find
/// endpoints that are not there.
const VERSIONS: [&str; 12] = [
    "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12",
];

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_supported_versions::Request, _>(versions);
    routes.on::<discover_homeserver::Request, _>(well_known_client);
    routes.on::<discover_support::Request, _>(well_known_support);
    routes.at(
        Method::GET,
        "/.well-known/matrix/server",
        BODY_MAX_BYTES,
        well_known_server,
    );
}

/// spec: `client-server-api §get_matrixclientversions`
async fn versions<H: Host>(_: Call<H>) -> Answer {
    answer(&json!({
        "versions": VERSIONS,
        "unstable_features": { "org.matrix.msc4222": true },
    }))
}

/// spec: `client-server-api §getwell-knownmatrixclient`
async fn well_known_client<H: Host>(call: Call<H>) -> Answer {
    let base_url = call
        .gateway
        .settings()
        .public_base_url
        .as_ref()
        .ok_or_else(not_published)?;
    answer(&json!({ "m.homeserver": { "base_url": base_url } }))
}

/// spec: `server-server-api §getwell-knownmatrixserver`
async fn well_known_server<H: Host>(call: Call<H>) -> Answer {
    let address = call
        .gateway
        .settings()
        .federation_address
        .as_ref()
        .ok_or_else(not_published)?;
    answer(&json!({ "m.server": address }))
}

/// spec: `client-server-api §getwell-knownmatrixsupport`
async fn well_known_support<H: Host>(call: Call<H>) -> Answer {
    let support = &call.gateway.settings().support;
    if support.is_empty() {
        return Err(not_published());
    }
    let mut body = Map::new();
    let mut contact = Map::from_iter([("role".to_owned(), Value::from("m.role.admin"))]);
    let addresses = [
        ("matrix_id", &support.matrix_id),
        ("email_address", &support.email_address),
    ];
    for (name, address) in addresses {
        contact.extend(
            address
                .as_ref()
                .map(|address| (name.to_owned(), Value::from(address.as_str()))),
        );
    }
    if contact.len() > 1 {
        body.insert("contacts".to_owned(), json!([contact]));
    }
    body.extend(
        support
            .page
            .as_ref()
            .map(|page| ("support_page".to_owned(), Value::from(page.as_str()))),
    );
    answer(&body)
}

fn not_published() -> ApiError {
    ApiError::not_found("this server does not publish that")
}
