//! The server object: what belongs to the server and to no user or room.

use serde::{Deserialize, Serialize};

use crate::commands;

/// The server's signing identity, made on the first call. The reply is a secret: hosts alone ask for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The name of this server; the object refuses to serve another name than the first it was given.
    pub server_name: String,
}

/// See [`Identity`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityReply {
    /// The key's id, `ed25519:…`.
    pub key_id: String,
    /// The 32 bytes of the Ed25519 seed, url-safe base64 without padding.
    pub seed: String,
    /// 32 bytes for message authentication codes of the server's own (sessions, nonces), url-safe base64 without padding.
    pub mac_key: String,
    /// The keys that the server signed with before: they verify its own events of their time.
    #[serde(default)]
    pub old_keys: Vec<OldKey>,
}

/// The keys that the server signed with before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OldKeys {}

/// See [`OldKeys`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldKey {
    /// The key's id, `ed25519:…`.
    pub key_id: String,
    /// The public half, unpadded Base64.
    pub public_key: String,
    /// When the server stopped signing with it, in milliseconds since 1970.
    pub expired_ts: u64,
}

/// Makes another signing key. The server signs with it from the next time on that its data are opened ([`Identity`]), and goes on
/// publishing the one before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RotateKey {}

/// See [`RotateKey`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RotateKeyReply {
    /// The new key's id.
    pub key_id: String,
}

/// Makes a token that lets people register where registration asks for one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateRegistrationToken {
    /// How many registrations it is good for; `None` for any number.
    pub uses: Option<u64>,
    /// When it ends, in milliseconds since 1970; `None` for never.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// See [`CreateRegistrationToken`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateRegistrationTokenReply {
    /// The token.
    pub token: String,
}

/// Whether a registration token would be accepted now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckRegistrationToken {
    /// The token.
    pub token: String,
}

/// Uses a registration token once; refused when it is not valid. `receipt` makes a repetition count once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UseRegistrationToken {
    /// The token.
    pub token: String,
    /// A name for this use, unique to the registration that it is for.
    pub receipt: String,
}

commands!(
    Server,
    /// What the server object understands.
    ServerCommand {
        Identity => IdentityReply,
        OldKeys => Vec<OldKey>,
        RotateKey => RotateKeyReply,
        CreateRegistrationToken => CreateRegistrationTokenReply,
        CheckRegistrationToken => bool,
        UseRegistrationToken => (),
    }
);
