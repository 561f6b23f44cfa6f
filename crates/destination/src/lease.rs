//! Who does something that one at a time may do.

use selvage_object::Timestamp;

/// The right to do something until a time, or until it is given back. It lies in memory: when it is lost, two may do the
/// same at once, and what they do must bear that.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lease {
    until: Option<Timestamp>,
}

impl Lease {
    /// Takes the lease for `ms` milliseconds; false when somebody else has it.
    pub(crate) fn take(&mut self, now: Timestamp, ms: u64) -> bool {
        let free = self.until.is_none_or(|until| until <= now);
        if free {
            self.until = Some(now.plus_ms(ms));
        }
        free
    }

    /// Gives it back.
    pub(crate) const fn end(&mut self) {
        self.until = None;
    }
}
