//! What an operator decides about the gateway, on whichever host.

use selvage_event::{RoomVersion, ServerName};
use selvage_workflow::FederationSettings;

/// Who may make an account through the Client-Server API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Nobody: accounts are made by the operator, or through the registration shared secret.
    #[default]
    Closed,
    /// Whoever has a registration token.
    Token,
    /// Anybody.
    Open,
}

/// Where people of this server find help. spec: `client-server-api §getwell-knownmatrixsupport`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Support {
    /// The Matrix id of an administrator.
    pub matrix_id: Option<String>,
    /// The address of an administrator's electronic mail.
    pub email_address: Option<String>,
    /// A page that helps.
    pub page: Option<String>,
}

impl Support {
    /// Whether nothing is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.matrix_id.is_none() && self.email_address.is_none() && self.page.is_none()
    }
}

/// The memory of one password hash unless set otherwise, in KiB (19 MiB with two passes, as OWASP advises).
pub const PASSWORD_HASH_MEMORY_DEFAULT_KIB: u32 = 19 * 1024;
/// The least memory of a password hash, in KiB: what Argon2 itself needs.
pub const PASSWORD_HASH_MEMORY_MIN_KIB: u32 = 8;
/// The most memory of a password hash, in KiB: no request may need more than 32 MB.
pub const PASSWORD_HASH_MEMORY_MAX_KIB: u32 = 32 * 1024;

/// The gateway's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of this server, the part after the colon of its users' ids.
    pub server_name: ServerName,
    /// Who may register.
    pub registration: Registration,
    /// The secret of `/_synapse/admin/v1/register`; `None` turns that endpoint off.
    pub registration_shared_secret: Option<String>,
    /// The version of rooms whose creator names none.
    pub default_room_version: RoomVersion,
    /// Whether requests are counted and refused when there are too many.
    pub rate_limits: bool,
    /// The memory of one password hash in KiB, between [`PASSWORD_HASH_MEMORY_MIN_KIB`] and
    /// [`PASSWORD_HASH_MEMORY_MAX_KIB`].
    pub password_hash_memory_kib: u32,
    /// Where clients reach this server, `https://…` without a slash at the end; `None` when it is not published.
    pub public_base_url: Option<String>,
    /// Where other servers reach this one, `host:port`; `None` when it is not published.
    pub federation_address: Option<String>,
    /// With which other servers this one speaks, and how often it tries again.
    pub federation: FederationSettings,
    /// Where people find help.
    pub support: Support,
}

impl Settings {
    /// The defaults: registration is closed, rate limits are on, nothing is published.
    #[must_use]
    pub fn new(server_name: ServerName) -> Self {
        Self {
            server_name,
            registration: Registration::Closed,
            registration_shared_secret: None,
            default_room_version: RoomVersion::NEWEST_STABLE,
            rate_limits: true,
            password_hash_memory_kib: PASSWORD_HASH_MEMORY_DEFAULT_KIB,
            public_base_url: None,
            federation_address: None,
            federation: FederationSettings::default(),
            support: Support {
                matrix_id: None,
                email_address: None,
                page: None,
            },
        }
    }
}
