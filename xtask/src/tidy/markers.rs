//! Nothing unfinished, and nothing of the machine it was written on.

use anyhow::Result;

use super::{Finding, tree::TextFile, tree::Tree};

/// Something that no committed text holds.
struct Marker {
    /// Found as a whole word; written in two pieces, so that this file does not hold it either.
    word: &'static str,
    instead: &'static str,
    /// Files it matters in, by their extension; all when empty.
    only: &'static [&'static str],
    /// Places where the word means something else, as beginnings of paths.
    not_in: &'static [&'static str],
}

const UNFINISHED: &str = "finish it, or file an issue and write what holds until then";
const DEBUGGING: &str = "a leftover of debugging";
const MACHINE: &str = "a path of one machine; take a relative path or a setting";
const CODE: &[&str] = &[
    "rs", "js", "mjs", "ts", "py", "sh", "sql", "toml", "capnp", "jsonc", "md", "html", "css",
];

const MARKERS: &[Marker] = &[
    Marker {
        word: concat!("TO", "DO"),
        instead: UNFINISHED,
        only: CODE,
        not_in: &[],
    },
    Marker {
        word: concat!("FIX", "ME"),
        instead: UNFINISHED,
        only: CODE,
        not_in: &[],
    },
    Marker {
        word: concat!("XX", "X"),
        instead: UNFINISHED,
        only: CODE,
        not_in: &[],
    },
    Marker {
        word: concat!("HA", "CK"),
        instead: UNFINISHED,
        only: CODE,
        not_in: &[],
    },
    Marker {
        word: concat!("todo", "!"),
        instead: UNFINISHED,
        only: &["rs"],
        not_in: &[],
    },
    Marker {
        word: concat!("unimplemented", "!"),
        instead: UNFINISHED,
        only: &["rs"],
        not_in: &[],
    },
    // Cloudflare's word for the handle of a Durable Object.
    Marker {
        word: concat!("stu", "b"),
        instead: UNFINISHED,
        only: CODE,
        not_in: &["hosts/workers/", "docs/"],
    },
    Marker {
        word: concat!("dbg", "!"),
        instead: DEBUGGING,
        only: &["rs"],
        not_in: &[],
    },
    Marker {
        word: concat!("/wo", "rk/"),
        instead: MACHINE,
        only: &[],
        not_in: &[],
    },
    Marker {
        word: concat!("/ro", "ot/"),
        instead: MACHINE,
        only: &[],
        not_in: &[],
    },
    Marker {
        word: concat!("/ho", "me/"),
        instead: MACHINE,
        only: &[],
        not_in: &[],
    },
    Marker {
        word: concat!("/Us", "ers/"),
        instead: MACHINE,
        only: &[],
        not_in: &[],
    },
    Marker {
        word: concat!("\"resol", "ved\":"),
        instead: "the lock file names the registry of one machine; npm's omit-lockfile-registry-resolved leaves it out",
        only: &["package-lock.json"],
        not_in: &[],
    },
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    Ok(tree.files.iter().flat_map(check_file).collect())
}

fn check_file(file: &TextFile) -> Vec<Finding> {
    let markers: Vec<_> = MARKERS
        .iter()
        .filter(|marker| marker.applies(&file.path))
        .collect();
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let held = markers.iter().filter(|marker| has_word(line, marker.word));
        findings.extend(held.map(|marker| {
            Finding::at(
                &file.path,
                number,
                format!("holds `{}`: {}", marker.word, marker.instead),
            )
        }));
    }
    findings
}

impl Marker {
    fn applies(&self, path: &str) -> bool {
        let of_a_kind = self.only.is_empty() || self.only.iter().any(|ending| path.ends_with(ending));
        of_a_kind && !self.not_in.iter().any(|place| path.starts_with(place))
    }
}

/// Whether `word` stands in the line with no letter, digit or underscore at either side.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !(joined(before, word.chars().next()) || joined(word.chars().next_back(), after))
    })
}

/// Whether two neighbouring characters are of one word. A path goes on after its slash.
fn joined(left: Option<char>, right: Option<char>) -> bool {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match (left, right) {
        (_, Some('/')) => in_word(left) || left == Some('.'),
        _ => in_word(left) && in_word(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check_file(&TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        })
        .len()
    }

    #[test]
    fn every_marker_is_found() {
        for marker in MARKERS {
            let path = format!("a/b.{}", marker.only.first().unwrap_or(&"rs"));
            assert_eq!(
                count(&path, &format!("x\nlet a = \"{}\n", marker.word)),
                1,
                "{}",
                marker.word
            );
        }
    }

    #[test]
    fn the_line_is_named() {
        let text = format!("fine\n// {} later\n", concat!("TO", "DO"));
        let found = check_file(&TextFile {
            path: "a.rs".to_owned(),
            text,
        });
        assert_eq!(
            found
                .iter()
                .map(|finding| finding.place.as_str())
                .collect::<Vec<_>>(),
            ["a.rs:2"]
        );
    }

    #[test]
    fn parts_of_other_words_are_not() {
        assert_eq!(count("a.rs", concat!("let mut TO", "DOS = MY_TO", "DO;")), 0);
        assert_eq!(count("a.rs", concat!("stu", "bborn")), 0);
        assert_eq!(
            count("a.rs", concat!("./ho", "me/x and https://example.org/ho", "me/x")),
            0
        );
    }

    #[test]
    fn a_word_that_means_something_else_there_is_let_be() {
        let text = concat!("let stu", "b = namespace.get();");
        assert_eq!(count("hosts/workers/src/a.rs", text), 0);
        assert_eq!(count("crates/room/src/a.rs", text), 1);
    }
}
