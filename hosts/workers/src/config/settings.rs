//! The gateway's settings.

use std::str::FromStr;

use selvage_event::{RoomVersion, ServerName};
use selvage_gateway::{Registration, Settings, Support};

use super::{ConfigError, federation};

/// Reads the variables.
///
/// # Errors
/// With the name of the first that is wrong.
pub(crate) fn settings(variable: impl Fn(&'static str) -> Option<String>) -> Result<Settings, ConfigError> {
    let server_name = variable("SELVAGE_SERVER_NAME").unwrap_or_default();
    let server_name = ServerName::parse(&server_name)
        .map_err(|error| ConfigError::new("SELVAGE_SERVER_NAME", error.to_string()))?;
    let mut settings = Settings::new(server_name);
    if let Some(registration) = read(&variable, "SELVAGE_REGISTRATION", registration)? {
        settings.registration = registration;
    }
    if let Some(version) = read(&variable, "SELVAGE_DEFAULT_ROOM_VERSION", room_version)? {
        settings.default_room_version = version;
    }
    if let Some(rate_limits) = read(&variable, "SELVAGE_RATE_LIMITS", switch)? {
        settings.rate_limits = rate_limits;
    }
    if let Some(memory) = read(&variable, "SELVAGE_PASSWORD_HASH_MEMORY", number)? {
        settings.password_hash_memory_kib = memory;
    }
    settings.registration_shared_secret = variable("SELVAGE_REGISTRATION_SHARED_SECRET");
    settings.public_base_url = variable("SELVAGE_PUBLIC_BASE_URL");
    settings.federation_address = variable("SELVAGE_FEDERATION_ADDRESS");
    settings.federation = federation(&variable)?;
    settings.support = Support {
        matrix_id: variable("SELVAGE_SUPPORT_MATRIX_ID"),
        email_address: variable("SELVAGE_SUPPORT_EMAIL"),
        page: variable("SELVAGE_SUPPORT_PAGE"),
    };
    Ok(settings)
}

/// Reads a variable, if it is set.
///
/// # Errors
/// When `parse` refuses it.
pub(super) fn read<T>(
    variable: impl Fn(&'static str) -> Option<String>,
    name: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, ConfigError> {
    let parsed = variable(name).map(|text| parse(&text)).transpose();
    parsed.map_err(|why| ConfigError::new(name, why))
}

fn registration(text: &str) -> Result<Registration, String> {
    match text {
        "closed" => Ok(Registration::Closed),
        "token" => Ok(Registration::Token),
        "open" => Ok(Registration::Open),
        _ => Err("must be closed, token or open".to_owned()),
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off".to_owned()),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "must be a number".to_owned())
}

fn room_version(text: &str) -> Result<RoomVersion, String> {
    RoomVersion::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let variable = |name| match name {
            "SELVAGE_SERVER_NAME" if pairs.iter().all(|(one, _)| *one != name) => {
                Some("example.org".to_owned())
            }
            _ => pairs
                .iter()
                .find(|(one, _)| *one == name)
                .map(|(_, value)| (*value).to_owned()),
        };
        settings(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.registration, Registration::Closed);
        assert_eq!(settings.registration_shared_secret, None);
        assert!(settings.rate_limits);
    }

    #[test]
    fn what_is_set_counts() {
        let pairs = [
            ("SELVAGE_REGISTRATION", "open"),
            ("SELVAGE_REGISTRATION_SHARED_SECRET", "s3cret"),
            ("SELVAGE_RATE_LIMITS", "off"),
            ("SELVAGE_DEFAULT_ROOM_VERSION", "11"),
            ("SELVAGE_PASSWORD_HASH_MEMORY", "64"),
        ];
        let settings = read(&pairs).unwrap();
        assert_eq!(settings.registration, Registration::Open);
        assert_eq!(settings.registration_shared_secret.as_deref(), Some("s3cret"));
        assert!(!settings.rate_limits);
        assert_eq!(settings.password_hash_memory_kib, 64);
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        let wrong = [
            ("SELVAGE_SERVER_NAME", "not a name"),
            ("SELVAGE_REGISTRATION", "Open"),
            ("SELVAGE_RATE_LIMITS", ""),
            ("SELVAGE_DEFAULT_ROOM_VERSION", "0"),
            ("SELVAGE_PASSWORD_HASH_MEMORY", "-1"),
        ];
        for (name, value) in wrong {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
        }
    }
}
