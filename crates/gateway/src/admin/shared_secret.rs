//! Registration by whoever knows the shared secret: `/_synapse/admin/v1/register`, which many tools speak.
//!
//! `GET` gives a nonce; `POST` names user, password and whether it is an administrator, with an HMAC-SHA1 over all of it
//! under the secret. The nonce is a ticket that expires; what was signed over it makes one account, since its name is then
//! taken.

use hmac::{Hmac, KeyInit, Mac};
use http::{Method, StatusCode};
use selvage_protocol::errcode;
use serde::Deserialize;
use serde_json::json;
use sha1::Sha1;

use super::accounts::{self, NewAccount};
use crate::call::{Call, answer};
use crate::client::login::{self, WantedDevice};
use crate::client::register::{refuse_taken, wanted_user};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Gateway, Host, password, ticket};

const PATH: &str = "/_synapse/admin/v1/register";
const PURPOSE: &str = "registration nonce";
/// How long a nonce is good, in milliseconds.
const NONCE_MS: u64 = 60_000;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.at(Method::GET, PATH, BODY_MAX_BYTES, nonce);
    routes.at(Method::POST, PATH, BODY_MAX_BYTES, register);
}

#[derive(Deserialize)]
struct Request {
    nonce: String,
    username: String,
    password: String,
    mac: String,
    #[serde(default)]
    admin: bool,
    displayname: Option<String>,
    user_type: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
    #[serde(flatten)]
    device: WantedDevice,
}

fn secret<H: Host>(gateway: &Gateway<H>) -> Result<&str, ApiError> {
    gateway
        .settings()
        .registration_shared_secret
        .as_deref()
        .ok_or_else(|| {
            let message = "shared secret registration is not enabled";
            ApiError::with_status(StatusCode::BAD_REQUEST, errcode::UNKNOWN, message)
        })
}

async fn nonce<H: Host>(call: Call<H>) -> Answer {
    let gateway = &call.gateway;
    secret(gateway)?;
    let expires = gateway.now().plus_ms(NONCE_MS);
    let nonce = ticket::issue(gateway.mac_key(), PURPOSE, &[], expires, gateway.host().random());
    answer(&json!({ "nonce": nonce }))
}

async fn register<H: Host>(call: Call<H>) -> Answer {
    let gateway = &call.gateway;
    let secret = secret(gateway)?;
    let request: Request = call.json()?;
    ticket::check(gateway.mac_key(), PURPOSE, &[], &request.nonce, gateway.now())
        .map_err(|_| ApiError::new(errcode::UNKNOWN, "unrecognised nonce"))?;
    if !mac_fits(secret, &request) {
        return Err(ApiError::forbidden("HMAC incorrect"));
    }
    password::check(&request.password)?;
    let user = wanted_user(gateway, Some(&request.username))?;
    refuse_taken(gateway, &user).await?;
    let (password, displayname) = (Some(request.password.as_str()), request.displayname);
    let account = NewAccount {
        user: &user,
        password,
        admin: request.admin,
        displayname,
    };
    accounts::create(gateway, account, Some(request.nonce)).await?;
    if request.inhibit_login {
        return answer(&json!({ "user_id": user, "home_server": gateway.server_name() }));
    }
    answer(&login::sign_in(gateway, &user, request.device).await?)
}

/// Whether the request's code is that of its nonce, user name, password, `admin` or `notadmin`, and user type if it has
/// one, with NUL between them.
fn mac_fits(secret: &str, request: &Request) -> bool {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else {
        return false;
    };
    let admin = if request.admin { "admin" } else { "notadmin" };
    let parts = [
        request.nonce.as_str(),
        &request.username,
        &request.password,
        admin,
    ];
    mac.update(parts.join("\0").as_bytes());
    if let Some(user_type) = &request.user_type {
        mac.update(b"\0");
        mac.update(user_type.as_bytes());
    }
    hex(&request.mac).is_some_and(|given| mac.verify_slice(&given).is_ok())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn request(changes: &Value) -> Request {
        let mut body = json!({
            "nonce": "thisisanonce",
            "username": "pepper_roni",
            "password": "pizza",
            "admin": true,
            "mac": "24c9cb5ac8cfd7ee5e7ad55bd2c7d1d7fe47a8d2",
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        serde_json::from_value(body).unwrap()
    }

    fn mac(admin: &str) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(b"shared_secret").unwrap();
        mac.update(format!("thisisanonce\0pepper_roni\0pizza\0{admin}").as_bytes());
        mac.finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn the_code_covers_every_part() {
        let good = request(&json!({ "mac": mac("admin") }));
        assert!(mac_fits("shared_secret", &good));
        assert!(!mac_fits("another", &good));
        let changes = [
            json!({ "admin": false }),
            json!({ "username": "pepper" }),
            json!({ "password": "pizza\0" }),
            json!({ "nonce": "another" }),
            json!({ "user_type": "bot" }),
        ];
        for mut change in changes {
            change["mac"] = mac("admin").into();
            assert!(!mac_fits("shared_secret", &request(&change)), "{change}");
        }
    }

    #[test]
    fn codes_are_hexadecimal() {
        assert_eq!(hex("00fF"), Some(vec![0, 255]));
        for text in ["0", "0g", "é"] {
            assert_eq!(hex(text), None, "{text}");
        }
        assert!(!mac_fits("shared_secret", &request(&json!({ "mac": "" }))));
    }
}
