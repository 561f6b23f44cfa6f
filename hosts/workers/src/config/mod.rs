//! The deployment's variables and secrets, which have the names of the native host's environment variables.

mod deployment;
mod federation;
mod settings;

#[cfg(target_arch = "wasm32")]
pub(crate) use deployment::Deployment;
pub(crate) use federation::federation;
#[cfg(target_arch = "wasm32")]
pub(crate) use federation::resolver;
#[cfg(target_arch = "wasm32")]
pub(crate) use settings::settings;

/// A variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub(crate) struct ConfigError {
    /// The variable's name.
    pub(crate) name: String,
    /// What is wrong with it.
    pub(crate) why: String,
}

impl ConfigError {
    /// This variable is wrong for this reason.
    pub(crate) fn new(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            why: why.into(),
        }
    }
}

/// Every variable that means something.
const KNOWN: &[&str] = &[
    "SELVAGE_SERVER_NAME",
    "SELVAGE_SHARDS",
    "SELVAGE_REGISTRATION",
    "SELVAGE_REGISTRATION_SHARED_SECRET",
    "SELVAGE_DEFAULT_ROOM_VERSION",
    "SELVAGE_RATE_LIMITS",
    "SELVAGE_PASSWORD_HASH_MEMORY",
    "SELVAGE_PUBLIC_BASE_URL",
    "SELVAGE_FEDERATION_ADDRESS",
    "SELVAGE_DNS_OVER_HTTPS",
    "SELVAGE_FEDERATION_ALLOW",
    "SELVAGE_FEDERATION_DENY",
    "SELVAGE_FEDERATION_TRUSTED_NOTARY",
    "SELVAGE_FEDERATION_RETRY_MIN",
    "SELVAGE_FEDERATION_RETRY_MAX",
    "SELVAGE_SUPPORT_MATRIX_ID",
    "SELVAGE_SUPPORT_EMAIL",
    "SELVAGE_SUPPORT_PAGE",
    "SELVAGE_COUNTS",
];

/// Refuses variables that look like settings and are none: a misspelt setting would otherwise have no effect.
///
/// # Errors
/// With the first such name.
pub(crate) fn check_names(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    let mut unknown = names.filter(|name| name.starts_with("SELVAGE_") && !KNOWN.contains(&name.as_str()));
    unknown.next().map_or(Ok(()), |name| {
        Err(ConfigError::new(name, "there is no such setting"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_variables_are_refused() {
        let check = |names: &[&str]| {
            check_names(names.iter().map(ToString::to_string)).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["ROOM", "SELVAGE_SHARDS", "PATH"]), Ok(()));
        assert_eq!(
            check(&["SELVAGE_SHARD"]),
            Err("SELVAGE_SHARD: there is no such setting".to_owned())
        );
    }
}
