//! Time and chance.

use selvage_object::{Moment, Timestamp};

/// The time.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970, whole and positive"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp(js_sys::Date::now() as u64)
}

/// 32 unpredictable bytes, of `crypto.getRandomValues`.
pub(crate) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    // A runtime without randomness must not go on with predictable keys and tokens.
    #[allow(clippy::expect_used, reason = "ends the call, whose writes are then undone")]
    getrandom::fill(&mut bytes).expect("the runtime has randomness");
    bytes
}

/// What a turn that runs now is given.
pub(crate) fn moment() -> Moment {
    Moment {
        now: now(),
        seed: random(),
    }
}
