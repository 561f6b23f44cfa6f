//! Which servers may take part in a room. spec: `client-server-api §server-access-control-lists-acls-for-rooms`

use serde_json::Value;

use crate::{Map, ServerName, glob_matches};

/// The type of the state event that says so.
pub const ACL_TYPE: &str = "m.room.server_acl";

/// The most patterns of a list that are looked at. An event of the greatest size holds about as many.
const PATTERNS_MAX: usize = 16_384;

/// What an `m.room.server_acl` event says.
#[derive(Clone, Copy, Debug)]
pub struct ServerAcl<'a> {
    content: &'a Map,
}

impl<'a> ServerAcl<'a> {
    /// Of the event's content. What is malformed in it counts as not said.
    #[must_use]
    pub const fn new(content: &'a Map) -> Self {
        Self { content }
    }

    /// Whether a server may take part; its port does not matter.
    #[must_use]
    pub fn allows(&self, server: &ServerName) -> bool {
        if server.is_ip_literal() && self.content.get("allow_ip_literals") == Some(&Value::Bool(false)) {
            return false;
        }
        !self.lists("deny", server) && self.lists("allow", server)
    }

    fn lists(&self, list: &str, server: &ServerName) -> bool {
        let patterns = self.content.get(list).and_then(Value::as_array).into_iter();
        patterns
            .flatten()
            .take(PATTERNS_MAX)
            .filter_map(Value::as_str)
            .any(|pattern| glob_matches(pattern, server.host()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn allows(content: &Value, server: &str) -> bool {
        let content = content.as_object().unwrap();
        ServerAcl::new(content).allows(&ServerName::parse(server).unwrap())
    }

    #[test]
    fn denied_is_denied_and_what_is_not_allowed_too() {
        let acl = json!({ "allow": ["*.org", "b.com"], "deny": ["*.evil.org", "x?.org"] });
        for server in ["a.org", "A.ORG", "a.org:8448", "b.com", "x.org", "x12.org"] {
            assert!(allows(&acl, server), "{server}");
        }
        for server in ["a.com", "c.evil.org", "C.Evil.ORG:443", "x1.org", "b.com.net"] {
            assert!(!allows(&acl, server), "{server}");
        }
    }

    #[test]
    fn an_empty_list_allows_nobody() {
        assert!(!allows(&json!({}), "a.org"));
        assert!(!allows(&json!({ "allow": "*" }), "a.org"));
    }

    #[test]
    fn addresses_are_allowed_unless_that_is_said() {
        for (said, allowed) in [
            (json!(false), false),
            (json!(true), true),
            (json!("false"), true),
            (json!(null), true),
        ] {
            let acl = json!({ "allow": ["*"], "allow_ip_literals": said });
            assert_eq!(allows(&acl, "1.2.3.4"), allowed, "{said}");
            assert_eq!(allows(&acl, "[::1]:8448"), allowed, "{said}");
            assert!(allows(&acl, "a.org"));
        }
    }

    #[test]
    fn malformed_entries_are_passed_over() {
        let acl = json!({ "allow": [1, null, "*", {}], "deny": [["*"], 2, "b.org"] });
        assert!(allows(&acl, "a.org"));
        assert!(!allows(&acl, "b.org"));
    }
}
