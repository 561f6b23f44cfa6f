//! Patterns with `*` and `?`, as server ACLs, push rules and application services use them. spec: appendices §glob-style-matching.

/// Whether a whole text matches a pattern in which `*` stands for any characters, none too, and `?` for exactly one.
/// Letters of ASCII match in either case. The time is at most in proportion to the product of both lengths.
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let mut matcher = Matcher {
        pattern,
        text,
        retry: None,
    };
    while let Some(found) = matcher.step() {
        if !found {
            return false;
        }
    }
    true
}

/// What is left to match, and where to take up again after a mismatch: behind the last `*`, one character further on.
struct Matcher<'a> {
    pattern: &'a str,
    text: &'a str,
    retry: Option<(&'a str, &'a str)>,
}

impl Matcher<'_> {
    /// Matches one character: `None` when all is matched, false when nothing can match any more.
    fn step(&mut self) -> Option<bool> {
        let (mut pattern, mut text) = (self.pattern.chars(), self.text.chars());
        match (pattern.next(), text.next()) {
            (None, None) => return None,
            (Some('*'), _) => {
                self.pattern = pattern.as_str();
                self.retry = Some((self.pattern, self.text));
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted.eq_ignore_ascii_case(&found) => {
                (self.pattern, self.text) = (pattern.as_str(), text.as_str());
            }
            _ => return Some(self.take_up()),
        }
        Some(true)
    }

    fn take_up(&mut self) -> bool {
        let Some((pattern, text)) = self.retry else {
            return false;
        };
        let mut shorter = text.chars();
        if shorter.next().is_none() {
            return false;
        }
        (self.pattern, self.text) = (pattern, shorter.as_str());
        self.retry = Some((pattern, self.text));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        let matching = [
            ("", ""),
            ("*", ""),
            ("*", "example.org"),
            ("example.org", "Example.ORG"),
            ("*.example.org", "a.b.example.org"),
            ("ex*le.*g", "example.org"),
            ("e?ample.org", "example.org"),
            ("**a**", "bab"),
            ("*ab*abc", "abababc"),
            ("?", "ü"),
        ];
        for (pattern, text) in matching {
            assert!(glob_matches(pattern, text), "{pattern} {text}");
        }
        let others = [
            ("", "a"),
            ("?", ""),
            ("*.example.org", "example.org"),
            ("example.org", "example.org.evil"),
            ("example", "an example"),
            ("e.ample", "example"),
            ("[a-z]", "a"),
            ("*?", ""),
        ];
        for (pattern, text) in others {
            assert!(!glob_matches(pattern, text), "{pattern} {text}");
        }
    }

    /// A pattern from another server costs no more than a little work.
    #[test]
    fn many_stars_are_no_burden() {
        let (pattern, text) = (format!("{}b", "a*".repeat(10_000)), "a".repeat(20_000));
        assert!(!glob_matches(&pattern, &text));
    }
}
