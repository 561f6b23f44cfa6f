//! The one place that asks the operating system for random bytes.

/// 32 unpredictable bytes.
///
/// The process ends when the system has none: nothing that this server does is safe without.
#[must_use]
pub fn bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "no randomness from the operating system");
        std::process::abort();
    }
    bytes
}
