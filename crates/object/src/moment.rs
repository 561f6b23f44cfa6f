//! Time and randomness as inputs of a turn.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time `ms` milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The milliseconds from `earlier` to this time; zero when `earlier` is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What the host adds to each input: the time, and 32 random bytes from which the turn draws all it needs.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time at which the turn runs.
    pub now: Timestamp,
    /// Fresh, unpredictable bytes; never used for two turns.
    pub seed: [u8; 32],
}

/// A stream of bytes that a seed determines: SHA-256 over the seed and a counter.
#[derive(Clone, Debug)]
pub struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    /// The stream of this seed, from its beginning.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.drawn.to_be_bytes());
        self.drawn = self.drawn.wrapping_add(1);
        hash.finalize().into()
    }

    /// The next `length` letters and digits, each from 62: about 5.95 bits a letter.
    pub fn letters(&mut self, length: usize) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        /// Bytes from here on are drawn again, so that every letter is equally likely: 4 x 62.
        const UNBIASED_END: u8 = 248;
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let drawn = self.bytes();
            let usable = drawn.iter().filter(|byte| **byte < UNBIASED_END);
            let letters = usable.filter_map(|byte| LETTERS.get(usize::from(byte % 62)));
            text.extend(
                letters
                    .take(length - text.len())
                    .map(|letter| char::from(*letter)),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let (mut one, mut other) = (Random::new([7; 32]), Random::new([7; 32]));
        assert_eq!(one.bytes(), other.bytes());
        assert_eq!(one.letters(40), other.letters(40));
        assert_ne!(one.bytes(), one.bytes());
    }

    #[test]
    fn letters_have_the_length_asked_for() {
        for length in [0, 1, 32, 33, 200] {
            assert_eq!(Random::new([1; 32]).letters(length).len(), length);
        }
    }
}
