//! Turns that use up what they run on.

use std::hint::black_box;

use super::Resource;

/// Calls within calls, more than any stack holds.
const DEPTH: u64 = 1 << 40;
/// Two blocks of so many bytes are more than 32 bits address, and most of one is never touched.
const BLOCK_BYTES: usize = (1 << 31) - 65_536;
const BLOCKS: usize = 2;

/// Uses all of it up; returns how much there was, if it does not end by that.
pub(super) fn exhaust(resource: Resource) -> u64 {
    match resource {
        Resource::Stack => descend(DEPTH),
        Resource::Memory => hoard(),
    }
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    black_box(descend(black_box(depth - 1))) + 1
}

fn hoard() -> u64 {
    let blocks: Vec<Vec<u8>> = (0..BLOCKS).map(|_| Vec::with_capacity(BLOCK_BYTES)).collect();
    black_box(&blocks)
        .iter()
        .map(|block| block.capacity() as u64)
        .sum()
}
