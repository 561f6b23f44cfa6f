//! What an operator decides about other servers: with whom this one speaks, and how often it tries again.

use selvage_event::{ServerName, glob_matches};

/// The first pause after a failed request unless set otherwise, in milliseconds.
pub const RETRY_MIN_DEFAULT_MS: u64 = 1_000;
/// The longest pause unless set otherwise, in milliseconds.
pub const RETRY_MAX_DEFAULT_MS: u64 = 24 * 60 * 60 * 1_000;

/// What an operator decides about other servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederationSettings {
    /// The servers to speak with; all, when there is no pattern.
    pub allow: Vec<ServerPattern>,
    /// Those not to speak with, even if they are allowed.
    pub deny: Vec<ServerPattern>,
    /// The first pause after a failed request, in milliseconds.
    pub retry_min_ms: u64,
    /// The longest pause, in milliseconds.
    pub retry_max_ms: u64,
    /// Servers that are asked for the keys of others that cannot be reached; none, unless the operator trusts some to say
    /// which old keys were valid.
    pub trusted_notaries: Vec<ServerName>,
}

impl Default for FederationSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            retry_min_ms: RETRY_MIN_DEFAULT_MS,
            retry_max_ms: RETRY_MAX_DEFAULT_MS,
            trusted_notaries: Vec::new(),
        }
    }
}

impl FederationSettings {
    /// Whether this server speaks with that one, in either direction.
    #[must_use]
    pub fn allows(&self, server: &ServerName) -> bool {
        let any = |patterns: &[ServerPattern]| patterns.iter().any(|pattern| pattern.matches(server));
        !any(&self.deny) && (self.allow.is_empty() || any(&self.allow))
    }

    /// Whether the pauses make sense: there is one, and the longest is no shorter than the first.
    #[must_use]
    pub const fn pauses_make_sense(&self) -> bool {
        self.retry_min_ms > 0 && self.retry_min_ms <= self.retry_max_ms
    }
}

/// Server names, by a pattern with `*` and `?`. One without a port matches servers on any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPattern(String);

/// A pattern that matches no server whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a server name nor a pattern of such, with * and ?")]
pub struct NotAPattern;

impl ServerPattern {
    /// Takes a text as a pattern.
    ///
    /// # Errors
    /// When it has characters that no server name has.
    pub fn parse(text: &str) -> Result<Self, NotAPattern> {
        let known = |c: char| c.is_ascii_alphanumeric() || "*?-._:[]".contains(c);
        let whole = !text.is_empty() && text.chars().all(known);
        whole.then(|| Self(text.to_owned())).ok_or(NotAPattern)
    }

    fn matches(&self, server: &ServerName) -> bool {
        glob_matches(&self.0, server.as_str()) || glob_matches(&self.0, server.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<ServerPattern> {
        let parsed = texts.iter().map(|text| ServerPattern::parse(text));
        parsed.collect::<Result<_, _>>().unwrap()
    }

    fn check(allow: &[&str], deny: &[&str], server: &str) -> bool {
        let settings = FederationSettings {
            allow: patterns(allow),
            deny: patterns(deny),
            ..FederationSettings::default()
        };
        settings.allows(&server.parse().unwrap())
    }

    #[test]
    fn servers_are_allowed_unless_the_operator_says_otherwise() {
        assert!(check(&[], &[], "a.org"));
        assert!(check(&["a.org"], &[], "A.org:1234"));
        assert!(check(&["a.org:1234"], &[], "a.org:1234"));
        assert!(check(&["*.a.org", "b.org"], &["c.org"], "x.a.org"));
        assert!(check(&["[2001:db8::*"], &[], "[2001:db8::1]:8448"));
    }

    #[test]
    fn those_who_are_denied_find_no_way_around() {
        assert!(!check(&["a.org"], &[], "b.org"));
        assert!(!check(&["a.org"], &[], "a.org.evil"));
        assert!(!check(&["a.org:1234"], &[], "a.org"));
        assert!(!check(&[], &["evil.org"], "evil.org:1234"));
        assert!(!check(&[], &["evil.org"], "EVIL.org"));
        assert!(!check(&["*"], &["*.evil.org"], "x.evil.org"));
    }

    #[test]
    fn what_no_server_is_called_is_no_pattern() {
        for text in ["", "a.org,b.org", "https://a.org", "a b"] {
            assert_eq!(ServerPattern::parse(text), Err(NotAPattern), "{text}");
        }
    }
}
