//! Runs the fuzz targets' functions over the committed corpus, and over mutations of it.

// Clippy knows only functions marked as tests for tests, not those they call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

// Public for the fuzz targets, which are a crate of their own.
#[allow(unreachable_pub)]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

/// Mutations tried of each file of the corpus.
const MUTATIONS: u64 = 150;

/// SplitMix64.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 1).unwrap()
}

/// Changes, removes, repeats or swaps a few bytes.
fn mutate(bytes: &[u8], state: &mut u64) -> Vec<u8> {
    const TOKENS: [&[u8]; 8] = [
        b"null",
        b"{}",
        b"[]",
        b"-0",
        b"1e9",
        b"\"\"",
        b"\\ud800",
        b"9007199254740992",
    ];
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + next(state) % 3 {
        let at = next(state) % (bytes.len() + 1);
        match next(state) % 4 {
            0 if at < bytes.len() => bytes[at] = u8::try_from(next(state) % 256).unwrap(),
            1 if at < bytes.len() => drop(bytes.drain(at..(at + 1 + next(state) % 8).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, TOKENS[next(state) % TOKENS.len()].iter().copied())),
            _ => {
                let half = bytes.len() / 2;
                bytes.rotate_left(at.min(half));
            }
        }
    }
    bytes
}

fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{target} has a corpus");
    for (seed, file) in (0..).zip(&files) {
        let bytes = std::fs::read(file).unwrap();
        check(&bytes);
        let mut state = seed;
        for _ in 0..MUTATIONS {
            check(&mutate(&bytes, &mut state));
        }
    }
}

#[test]
fn event() {
    run("event", targets::event);
}

#[test]
fn canonical() {
    run("canonical", targets::canonical);
}

#[test]
fn auth() {
    run("auth", targets::auth);
}

#[test]
fn resolve() {
    run("resolve", targets::resolve_forks);
}
