//! A rule that comes from the Matrix specification names its document and section, and the document exists.

use anyhow::Result;

use super::{Finding, tree::TextFile, tree::Tree};

const DOCUMENTS: [&str; 8] = [
    "client-server-api",
    "server-server-api",
    "application-service-api",
    "identity-service-api",
    "push-gateway-api",
    "rooms",
    "appendices",
    "olm-megolm",
];

/// Room versions have a document each, `rooms/v1` to this.
const NEWEST_ROOM_VERSION: u32 = 12;

/// Written in two pieces, so that this file's own text is no link.
const LINK: &str = concat!("spe", "c:");

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let rust = tree.files.iter().filter(|file| file.path.ends_with(".rs"));
    Ok(rust.flat_map(check_file).collect())
}

fn check_file(file: &TextFile) -> Vec<Finding> {
    let lines = (1..).zip(file.text.lines());
    let wrong = lines.filter_map(|(number, line)| Some((number, wrong_link(line)?)));
    wrong
        .map(|(number, message)| Finding::at(&file.path, number, message))
        .collect()
}

/// What is wrong with the links of a line; a link is the mark, a document and a section.
fn wrong_link(line: &str) -> Option<String> {
    line.split(LINK).skip(1).find_map(|after| {
        let after = after.trim_start_matches([' ', '`']);
        let (document, section) = after.split_once(char::is_whitespace)?;
        let section = section.trim_start().strip_prefix('§')?;
        if !is_document(document.trim_end_matches('`')) {
            return Some(format!(
                "`{document}` is no document of the Matrix specification: {}",
                DOCUMENTS.join(", ")
            ));
        }
        let named = section.trim_start().starts_with(char::is_alphanumeric);
        (!named).then(|| "the link names no section after its sign".to_owned())
    })
}

fn is_document(name: &str) -> bool {
    let version = name
        .strip_prefix("rooms/v")
        .and_then(|version| version.parse().ok());
    DOCUMENTS.contains(&name) || version.is_some_and(|version| (1..=NEWEST_ROOM_VERSION).contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(rest: &str) -> bool {
        wrong_link(&format!("/// Rule. {LINK} {rest}")).is_some()
    }

    #[test]
    fn documents_that_exist_may_be_linked() {
        assert!(!wrong("server-server-api §Checks performed on receipt of a PDU"));
        assert!(!wrong("`client-server-api §5.7.1`, v1.19"));
        assert!(!wrong("rooms/v11 §Redactions"));
    }

    #[test]
    fn others_may_not() {
        assert!(wrong("federation-api §Keys"));
        assert!(wrong("`rooms/v13 §Redactions`"));
        assert!(wrong("server-server-api, §Keys"));
    }

    #[test]
    fn a_link_names_a_section() {
        assert!(wrong("server-server-api §"));
        assert!(wrong("`server-server-api §`"));
    }

    #[test]
    fn prose_is_no_link() {
        assert!(!wrong("nothing here says so"));
    }
}
