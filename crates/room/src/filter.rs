//! Which events a reader wants (spec: client-server-api §filtering).

use selvage_event::Event;
use selvage_protocol::room::EventFilter;

/// Whether the event is wanted.
pub(crate) fn wants(filter: &EventFilter, event: &Event) -> bool {
    let kind = event.kind();
    let sender = event.sender().as_str();
    let types = filter
        .types
        .as_ref()
        .is_none_or(|types| types.iter().any(|pattern| matches(pattern, kind)));
    let senders = filter
        .senders
        .as_ref()
        .is_none_or(|senders| senders.iter().any(|one| one == sender));
    let url = filter
        .contains_url
        .is_none_or(|wanted| event.content_str("url").is_some() == wanted);
    let refused = filter.not_types.iter().any(|pattern| matches(pattern, kind))
        || filter.not_senders.iter().any(|one| one == sender);
    types && senders && url && !refused
}

/// Whether a type matches a pattern, in which `*` stands for any number of letters.
fn matches(pattern: &str, kind: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = kind.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_match_by_wildcard() {
        let cases = [
            ("m.room.message", "m.room.message", true),
            ("m.room.message", "m.room.messages", false),
            ("m.room.*", "m.room.message", true),
            ("*", "", true),
            ("*.message", "m.room.message", true),
            ("m.*.message", "m.room.message", true),
            ("m.*.message", "m.message", false),
            ("*a*b", "ab", true),
            ("*a*b", "ba", false),
            ("", "m", false),
        ];
        for (pattern, kind, expected) in cases {
            assert_eq!(matches(pattern, kind), expected, "{pattern} {kind}");
        }
    }
}
