//! What a client asks for.

use selvage_protocol::user::Seen;
use serde::Deserialize;

use crate::ApiError;
use crate::client::filter::{self, Filter};
use crate::client::position::parse_sync_token;

/// The longest that a sync waits for news, in milliseconds: short of the minute after which proxies give up.
const TIMEOUT_MAX_MS: u64 = 50_000;

/// The parameters. `set_presence` is not among them: the server has no presence.
#[derive(Deserialize)]
pub(super) struct Query {
    filter: Option<String>,
    since: Option<String>,
    timeout: Option<i64>,
    #[serde(default)]
    full_state: bool,
    #[serde(default)]
    use_state_after: bool,
    #[serde(default, rename = "org.matrix.msc4222.use_state_after")]
    use_state_after_unstable: bool,
}

/// How state after the timeline is asked for and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StateAfter {
    /// Not: `state` is that before the timeline.
    No,
    /// As `state_after`. spec: `client-server-api §get_matrixclientv3sync`
    Stable,
    /// As `org.matrix.msc4222.state_after`, which clients from before version 1.16 of the spec know.
    Unstable,
}

/// A filter that is written out, or one that the user has stored.
pub(super) enum WantedFilter {
    /// Written out.
    Inline(Box<Filter>),
    /// Stored under this id.
    Stored(String),
}

/// A sync that was asked for.
pub(super) struct Wanted {
    pub(super) since: Option<Seen>,
    pub(super) timeout_ms: u64,
    pub(super) full_state: bool,
    pub(super) state_after: StateAfter,
    pub(super) filter: WantedFilter,
}

impl Wanted {
    /// Whether the answer is due though nothing changed.
    pub(super) const fn at_once(&self) -> bool {
        self.since.is_none() || self.full_state
    }
}

impl Query {
    /// Understands the parameters.
    ///
    /// # Errors
    /// `M_INVALID_PARAM` for a token that is none, `M_NOT_JSON` or `M_BAD_JSON` for such a filter.
    pub(super) fn into_wanted(self) -> Result<Wanted, ApiError> {
        let since = self.since.as_deref().filter(|since| !since.is_empty());
        let filter = match self.filter.filter(|filter| !filter.is_empty()) {
            None => WantedFilter::Inline(Box::default()),
            Some(inline) if inline.starts_with('{') => {
                WantedFilter::Inline(Box::new(filter::parse(&inline)?))
            }
            Some(id) => WantedFilter::Stored(id),
        };
        Ok(Wanted {
            since: since.map(parse_sync_token).transpose()?,
            timeout_ms: u64::try_from(self.timeout.unwrap_or(0))
                .unwrap_or(0)
                .min(TIMEOUT_MAX_MS),
            full_state: self.full_state,
            state_after: match (self.use_state_after_unstable, self.use_state_after) {
                (true, _) => StateAfter::Unstable,
                (false, true) => StateAfter::Stable,
                (false, false) => StateAfter::No,
            },
            filter,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;

    fn wanted(query: &str) -> Result<Wanted, String> {
        let query: Query = input::query(Some(query)).map_err(|error| error.errcode.into_owned())?;
        query.into_wanted().map_err(|error| error.errcode.into_owned())
    }

    #[test]
    fn parameters_are_understood() {
        let all = wanted("since=s5_6&timeout=30000&full_state=true&filter=3&set_presence=offline").unwrap();
        assert_eq!(
            (all.since, all.timeout_ms, all.full_state),
            (Some(Seen { seq: 5, typing: 6 }), 30_000, true)
        );
        assert!(matches!(all.filter, WantedFilter::Stored(id) if id == "3"));
        let none = wanted("").unwrap();
        assert_eq!(
            (none.since, none.timeout_ms, none.state_after),
            (None, 0, StateAfter::No)
        );
        assert!(none.at_once());
    }

    #[test]
    fn waiting_has_an_end() {
        assert_eq!(wanted("timeout=99999999").unwrap().timeout_ms, TIMEOUT_MAX_MS);
        assert_eq!(wanted("timeout=-1").unwrap().timeout_ms, 0);
    }

    #[test]
    fn state_after_is_answered_in_the_words_it_was_asked_in() {
        let of = |query: &str| wanted(query).unwrap().state_after;
        assert_eq!(of("use_state_after=true"), StateAfter::Stable);
        assert_eq!(
            of("org.matrix.msc4222.use_state_after=true"),
            StateAfter::Unstable
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for (query, errcode) in [
            ("since=x", "M_INVALID_PARAM"),
            ("since=t5", "M_INVALID_PARAM"),
            ("timeout=soon", "M_INVALID_PARAM"),
            ("filter={", "M_NOT_JSON"),
            ("filter={%22room%22:1}", "M_BAD_JSON"),
        ] {
            assert_eq!(wanted(query).err().as_deref(), Some(errcode), "{query}");
        }
    }
}
