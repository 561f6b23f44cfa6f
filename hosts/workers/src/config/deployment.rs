//! What a deployment is for its whole life.

use selvage_object::Placement;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How many shards users have when no variable says otherwise.
const SHARDS_DEFAULT: u16 = 64;
/// The most shards a kind may have.
const SHARDS_MAX: u16 = 4_096;

/// What a deployment is for its whole life: data that were written under one of these make no sense under another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    /// The Matrix server name.
    pub(crate) server_name: String,
    /// Over how many shards users, and other kinds that are not rooms, are spread.
    pub(crate) shards: u16,
}

impl Deployment {
    /// Reads the variables.
    ///
    /// # Errors
    /// When one is missing or wrong.
    pub(crate) fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let server_name = variable("SELVAGE_SERVER_NAME").filter(|name| !name.is_empty());
        let missing = || {
            ConfigError::new(
                "SELVAGE_SERVER_NAME",
                "is needed: the server name that user ids end with",
            )
        };
        Ok(Self {
            server_name: server_name.ok_or_else(missing)?,
            shards: variable("SELVAGE_SHARDS").map_or(Ok(SHARDS_DEFAULT), |text| shards(&text))?,
        })
    }

    /// Where objects are.
    pub(crate) const fn placement(&self) -> Placement {
        Placement::ByKind { shards: self.shards }
    }

    /// Whether data that were written under `stored` make sense under this.
    ///
    /// # Errors
    /// With the variable that was changed.
    pub(crate) fn check(&self, stored: &Self) -> Result<(), ConfigError> {
        let changed = |name, was: &str| {
            Err(ConfigError::new(
                name,
                format!("was {was} when these data were made, and cannot change"),
            ))
        };
        if self.server_name != stored.server_name {
            return changed("SELVAGE_SERVER_NAME", &stored.server_name);
        }
        if self.shards != stored.shards {
            return changed("SELVAGE_SHARDS", &stored.shards.to_string());
        }
        Ok(())
    }
}

fn shards(text: &str) -> Result<u16, ConfigError> {
    let shards = text
        .parse()
        .ok()
        .filter(|shards| (1..=SHARDS_MAX).contains(shards));
    shards.ok_or_else(|| {
        ConfigError::new(
            "SELVAGE_SHARDS",
            format!("must be a number from 1 to {SHARDS_MAX}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, shards: Option<&'static str>) -> Result<Deployment, String> {
        let variable = |variable| match variable {
            "SELVAGE_SERVER_NAME" => Some(name.to_owned()),
            _ => shards.map(str::to_owned),
        };
        Deployment::read(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_variables_are_named() {
        assert_eq!(read("a.org", None).unwrap().shards, 64);
        assert_eq!(read("a.org", Some("4096")).unwrap().shards, 4096);
        for shards in ["0", "4097", "", "many", "-1"] {
            assert!(
                read("a.org", Some(shards))
                    .unwrap_err()
                    .starts_with("SELVAGE_SHARDS: must be"),
                "{shards}"
            );
        }
        assert!(
            read("", None)
                .unwrap_err()
                .starts_with("SELVAGE_SERVER_NAME: is needed")
        );
    }

    #[test]
    fn what_data_were_written_under_stays() {
        let stored = read("a.org", Some("8")).unwrap();
        assert_eq!(stored.check(&stored), Ok(()));
        let changes = [
            ("b.org", "8", "SELVAGE_SERVER_NAME: was a.org"),
            ("a.org", "9", "SELVAGE_SHARDS: was 8"),
        ];
        for (name, shards, says) in changes {
            let error = read(name, Some(shards)).unwrap().check(&stored).unwrap_err();
            assert!(error.to_string().starts_with(says), "{error}");
        }
    }
}
