//! The log, on standard error.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::settings::{LogFormat, LogLevel};

/// Begins to log. Other people's crates are heard from warnings up: what they say below that can hold what clients sent.
pub(crate) fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("selvage", level);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => registry()
            .with(lines.with_ansi(false).with_filter(targets))
            .try_init(),
        LogFormat::Json => registry().with(lines.json().with_filter(targets)).try_init(),
    };
    // A second call, in a test, leaves the first one's log in place.
    drop(started);
}
