//! Where an entry lies in the trie.

use std::sync::Arc;

use sha2::{Digest, Sha256};

/// The length of [`order_key`], in bytes.
pub const ORDER_KEY_BYTES: usize = 40;
/// Digits of a key.
pub(super) const LEVELS: usize = 64;
/// The first digits of a key, which are those of the type.
pub(super) const TYPE_LEVELS: usize = 32;
/// Values of a digit.
pub(super) const FAN_OUT: u8 = 32;

const DIGIT_BITS: usize = 5;
const HALF_BYTES: usize = ORDER_KEY_BYTES / 2;

/// The bytes by which states are ordered: 20 of SHA-256 of the type, 20 of SHA-256 of the state key.
///
/// Who sorts many changes by it, and applies them in pieces in that order, touches each part of the trie in one piece.
#[must_use]
pub fn order_key(event_type: &str, state_key: &str) -> [u8; ORDER_KEY_BYTES] {
    TypeHash::of(event_type).key(state_key).0
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The first half of the keys of one type.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypeHash(Key);

impl TypeHash {
    pub(super) fn of(event_type: &str) -> Self {
        let mut key = Key([0; ORDER_KEY_BYTES]);
        copy(&mut key.0, &sha256(event_type.as_bytes()));
        Self(key.masked())
    }

    pub(super) fn key(self, state_key: &str) -> Key {
        let mut key = self.0;
        if let Some(half) = key.0.get_mut(HALF_BYTES..) {
            copy(half, &sha256(state_key.as_bytes()));
        }
        key.masked()
    }

    /// The digit of the type at this level, below [`TYPE_LEVELS`].
    pub(super) fn digit(self, level: usize) -> u8 {
        self.0.digit(level)
    }
}

fn copy(half: &mut [u8], hash: &[u8]) {
    for (to, from) in half.iter_mut().take(HALF_BYTES).zip(hash) {
        *to = *from;
    }
}

/// The key of an entry, as the digits that lead to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key([u8; ORDER_KEY_BYTES]);

impl Key {
    /// The digit at this level, below [`LEVELS`].
    pub(super) fn digit(self, level: usize) -> u8 {
        let bit = level * DIGIT_BITS;
        let byte = |at: usize| self.0.get(at).copied().unwrap_or(0);
        let window = u16::from_be_bytes([byte(bit / 8), byte(bit / 8 + 1)]);
        let digit = (window >> (16 - DIGIT_BITS - bit % 8)) & u16::from(FAN_OUT - 1);
        digit.to_be_bytes()[1]
    }

    /// The digits from a level on.
    pub(super) fn digits(self, from: usize) -> impl Iterator<Item = u8> {
        (from..LEVELS).map(move |level| self.digit(level))
    }

    /// How many digits two keys share from a level on.
    pub(super) fn shared(self, other: Self, from: usize) -> usize {
        self.digits(from)
            .zip(other.digits(from))
            .take_while(|(a, b)| a == b)
            .count()
    }

    #[cfg(not(test))]
    const fn masked(self) -> Self {
        self
    }

    /// Tests blank out bits of every key, for no one can find collisions of the real ones.
    #[cfg(test)]
    fn masked(mut self) -> Self {
        let mask = super::tests::key_mask();
        self.0.iter_mut().zip(mask).for_each(|(byte, keep)| *byte &= keep);
        self
    }
}

/// What an entry is called, with the key that follows from it. Ordered by key; collisions by type and state key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) event_type: Arc<str>,
    pub(super) state_key: Arc<str>,
}

impl Slot {
    pub(super) fn new(event_type: &str, state_key: &str) -> Self {
        let key = TypeHash::of(event_type).key(state_key);
        Self {
            key,
            event_type: event_type.into(),
            state_key: state_key.into(),
        }
    }
}

/// Something that lies in a slot; slices of them, sorted, are cut by digit.
pub(super) trait Slotted {
    fn slot(&self) -> &Slot;
}

/// Cuts a sorted slice, whose keys share all digits before `level`, into the runs of one digit at `level`.
pub(super) fn by_digit<T: Slotted>(sorted: &[T], level: usize) -> impl Iterator<Item = (u8, &[T])> {
    let digit = move |item: &T| item.slot().key.digit(level);
    sorted
        .chunk_by(move |a, b| digit(a) == digit(b))
        .filter_map(move |run| run.first().map(|first| (first.slot().key.digit(level), run)))
}
