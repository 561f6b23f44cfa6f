//! With which other servers this one speaks, and how often it tries again.

use selvage_event::ServerName;
use selvage_gateway::{FederationSettings, ServerPattern};

use super::ConfigError;
use super::settings::read;
use crate::doh;

/// Reads the variables.
///
/// # Errors
/// With the name of the first that is wrong.
pub(crate) fn federation(
    variable: impl Fn(&'static str) -> Option<String>,
) -> Result<FederationSettings, ConfigError> {
    let mut settings = FederationSettings::default();
    if let Some(allow) = read(&variable, "SELVAGE_FEDERATION_ALLOW", patterns)? {
        settings.allow = allow;
    }
    if let Some(deny) = read(&variable, "SELVAGE_FEDERATION_DENY", patterns)? {
        settings.deny = deny;
    }
    if let Some(notaries) = read(&variable, "SELVAGE_FEDERATION_TRUSTED_NOTARY", names)? {
        settings.trusted_notaries = notaries;
    }
    if let Some(ms) = read(&variable, "SELVAGE_FEDERATION_RETRY_MIN", milliseconds)? {
        settings.retry_min_ms = ms;
        settings.retry_max_ms = settings.retry_max_ms.max(ms);
    }
    if let Some(ms) = read(&variable, "SELVAGE_FEDERATION_RETRY_MAX", milliseconds)? {
        settings.retry_max_ms = ms;
    }
    if settings.pauses_make_sense() {
        return Ok(settings);
    }
    let problem = "less than SELVAGE_FEDERATION_RETRY_MIN";
    Err(ConfigError::new("SELVAGE_FEDERATION_RETRY_MAX", problem))
}

/// The resolver of DNS over HTTPS; `None` when the operator wants none.
///
/// # Errors
/// When the variable is no such address.
pub(crate) fn resolver(
    variable: impl Fn(&'static str) -> Option<String>,
) -> Result<Option<String>, ConfigError> {
    const NAME: &str = "SELVAGE_DNS_OVER_HTTPS";
    let resolver = variable(NAME).unwrap_or_else(|| doh::RESOLVER_DEFAULT.to_owned());
    if resolver == "off" {
        return Ok(None);
    }
    if resolver.starts_with("https://") && !resolver.contains(['?', '#', ' ']) {
        return Ok(Some(resolver));
    }
    Err(ConfigError::new(
        NAME,
        "must be off, or an https address without a query",
    ))
}

fn patterns(text: &str) -> Result<Vec<ServerPattern>, String> {
    let one =
        |part: &str| ServerPattern::parse(part.trim()).map_err(|error| format!("{:?}: {error}", part.trim()));
    text.split(',').map(one).collect()
}

fn names(text: &str) -> Result<Vec<ServerName>, String> {
    let one =
        |part: &str| ServerName::parse(part.trim()).map_err(|error| format!("{:?}: {error}", part.trim()));
    text.split(',').map(one).collect()
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "must be a number of milliseconds above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<FederationSettings, String> {
        let variable = |name| {
            let pair = pairs.iter().find(|(one, _)| *one == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        federation(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_set_counts() {
        assert_eq!(read(&[]), Ok(FederationSettings::default()));
        let settings = read(&[
            ("SELVAGE_FEDERATION_ALLOW", "a.org, *.b.org"),
            ("SELVAGE_FEDERATION_DENY", "evil.b.org"),
            ("SELVAGE_FEDERATION_RETRY_MIN", "5"),
            ("SELVAGE_FEDERATION_RETRY_MAX", "50"),
        ])
        .unwrap();
        assert_eq!((settings.retry_min_ms, settings.retry_max_ms), (5, 50));
        for (server, allowed) in [
            ("a.org", true),
            ("c.b.org:1", true),
            ("evil.b.org", false),
            ("c.org", false),
        ] {
            assert_eq!(settings.allows(&server.parse().unwrap()), allowed, "{server}");
        }
    }

    #[test]
    fn a_resolver_is_an_address_or_off() {
        let read = |text: Option<&str>| resolver(|_| text.map(str::to_owned));
        assert_eq!(read(None), Ok(Some(doh::RESOLVER_DEFAULT.to_owned())));
        assert_eq!(read(Some("off")), Ok(None));
        assert_eq!(
            read(Some("https://a.org/q")),
            Ok(Some("https://a.org/q".to_owned()))
        );
        for wrong in ["", "on", "http://a.org/", "https://a.org/?x=y"] {
            assert!(read(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        let wrong = [
            ("SELVAGE_FEDERATION_ALLOW", ""),
            ("SELVAGE_FEDERATION_DENY", "https://evil.org"),
            ("SELVAGE_FEDERATION_TRUSTED_NOTARY", "a.org,*"),
            ("SELVAGE_FEDERATION_RETRY_MIN", "0"),
            ("SELVAGE_FEDERATION_RETRY_MAX", "999"),
        ];
        for (name, value) in wrong {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
        }
    }
}
