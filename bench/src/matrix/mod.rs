//! The requests of the client-server API that the load consists of.

mod account;
mod room;
mod sync;

use serde::de::DeserializeOwned;

use crate::{
    fault::Fault,
    http::{Connection, Request},
};

pub(crate) use self::{
    account::{Account, register},
    room::{create_room, join_room, message, send_path},
    sync::{Poll, sync},
};

/// Path that every server answers once it is up (spec: client-server-api §get_matrixclientversions).
pub(crate) const VERSIONS: &str = "/_matrix/client/versions";

/// Sends a request and reads the JSON of a 200 response.
async fn json<T: DeserializeOwned>(
    connection: &mut Connection,
    request: &Request<'_>,
    what: &str,
) -> Result<T, Fault> {
    let response = connection.call(request).await?;
    match response.status {
        200 => parse(response.body, what),
        status => Err(Fault::refused(what, status, response.body)),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|source| Fault::Json {
        what: what.to_owned(),
        source,
    })
}
