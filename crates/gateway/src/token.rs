//! Access tokens: `sel_<localpart in base64url>_<32 random letters>`. The localpart says which user object to ask; only
//! that object knows whether the token, of which it keeps the hash, is good.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_event::{ServerName, UserId};
use selvage_object::Random;
use sha2::{Digest, Sha256};

const PREFIX: &str = "sel_";
/// The random letters of a token: 190 bits.
const SECRET_LETTERS: usize = 32;
/// The letters of a device id that the server chooses.
const DEVICE_ID_LETTERS: usize = 10;

/// A new token of a user.
pub(crate) fn create(localpart: &str, seed: [u8; 32]) -> String {
    let secret = Random::new(seed).letters(SECRET_LETTERS);
    format!("{PREFIX}{}_{secret}", URL_SAFE_NO_PAD.encode(localpart))
}

/// The user whom a token claims to be of; `None` when it is no token of this server.
pub(crate) fn claimed_user(token: &str, server: &ServerName) -> Option<UserId> {
    // The base64 alphabet has `_`, the secret's has not.
    let (localpart, _) = token.strip_prefix(PREFIX)?.rsplit_once('_')?;
    let localpart = String::from_utf8(URL_SAFE_NO_PAD.decode(localpart).ok()?).ok()?;
    UserId::from_parts(&localpart, server).ok()
}

/// What the user object keeps of a token.
pub(crate) fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

/// A device id, for those who do not choose one themselves.
pub(crate) fn new_device_id(seed: [u8; 32]) -> String {
    Random::new(seed).letters(DEVICE_ID_LETTERS).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(token: &str) -> Option<String> {
        claimed_user(token, &"example.org".parse().unwrap()).map(String::from)
    }

    #[test]
    fn a_token_names_its_user() {
        for localpart in ["alice", "a_b", "~~~???", "ünï", ""] {
            let token = create(localpart, [5; 32]);
            assert_eq!(
                claimed(&token),
                Some(format!("@{localpart}:example.org")),
                "{token}"
            );
        }
    }

    #[test]
    fn other_texts_name_nobody() {
        for text in [
            "",
            "sel_",
            "sel__",
            "sel_YWxpY2U",
            "syt_YWxpY2U_x",
            "sel_%%_x",
            "sel_//8_x",
            "sel_YTpi\0_x",
        ] {
            let user = claimed(text);
            assert!(user.is_none() || text == "sel__", "{text} names {user:?}");
        }
    }

    #[test]
    fn the_hash_is_that_of_sha_256() {
        assert_eq!(hash("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
