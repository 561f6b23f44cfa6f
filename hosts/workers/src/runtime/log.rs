//! Structured logs: one JSON object a line. Neither secrets nor what people wrote may enter them: names of objects,
//! error codes and the program's own words only.

use serde_json::{Map, Value};

/// Who must look at it.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    /// Somebody, when it goes on.
    Warn,
    /// Somebody, now.
    Error,
}

/// Writes one line.
pub(crate) fn log(level: Level, event: &str, fields: &[(&str, &str)]) {
    let mut line = Map::new();
    let name = match level {
        Level::Warn => "warn",
        Level::Error => "error",
    };
    line.insert("level".to_owned(), Value::from(name));
    line.insert("event".to_owned(), Value::from(event));
    for (field, value) in fields {
        line.insert((*field).to_owned(), Value::from(*value));
    }
    let line = Value::Object(line).to_string();
    match level {
        Level::Warn => worker::console_warn!("{line}"),
        Level::Error => worker::console_error!("{line}"),
    }
}

/// Makes panics say where they happened before the instance ends.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or_default();
        log(Level::Error, "panic", &[("at", &place), ("message", message)]);
    }));
}
