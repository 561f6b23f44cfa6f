//! The settings file.

use std::fs;
use std::path::Path;

use super::{Options, SettingError};

/// Reads a TOML file of settings.
pub(crate) fn read(path: &Path) -> Result<Options, SettingError> {
    let wrong = |problem: String| SettingError::new("--config", format!("{}: {problem}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    // The whole message would show the line, and the line can be a secret.
    toml::from_str(&text).map_err(|error| wrong(place(&text, &error)))
}

fn place(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => error.message().to_owned(),
    }
}
