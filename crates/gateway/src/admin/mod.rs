//! What the operator does: through the host's command line, as functions, and through the HTTP endpoint that tools use.

pub mod accounts;
mod shared_secret;

use selvage_protocol::server::{CreateRegistrationToken, RotateKey};
use selvage_protocol::server_key;

use crate::router::Routes;
use crate::{ApiError, Gateway, Host};

pub(crate) fn routes<H: Host>(routes: &mut Routes<H>) {
    shared_secret::routes(routes);
}

/// Makes a registration token, good for `uses` registrations (any number when `None`) until `expires_ms` (milliseconds
/// since 1970; for ever when `None`).
///
/// # Errors
/// When the server object cannot be asked.
pub async fn create_registration_token<H: Host>(
    gateway: &Gateway<H>,
    uses: Option<u64>,
    expires_ms: Option<u64>,
) -> Result<String, ApiError> {
    let command = CreateRegistrationToken { uses, expires_ms };
    Ok(gateway.ask(server_key(), command).await?.token)
}

/// Makes another signing key, with which the server signs from its next start on; returns the key's id.
///
/// # Errors
/// When the server object cannot be asked.
pub async fn rotate_key<H: Host>(gateway: &Gateway<H>) -> Result<String, ApiError> {
    Ok(gateway.ask(server_key(), RotateKey {}).await?.key_id)
}
