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

use selvage_sim::Prng;

/// Mutations tried of each node of the corpus.
const NODE_MUTATIONS: u64 = 500;
/// Mutations tried of each list of changes, which may be hundreds.
const CHANGES_MUTATIONS: u64 = 25;

fn below(prng: &mut Prng, bound: usize) -> usize {
    usize::try_from(prng.below(bound as u64)).unwrap()
}

/// Changes, removes, inserts or swaps a few bytes.
fn mutate(bytes: &[u8], prng: &mut Prng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(prng, 3) {
        let at = below(prng, bytes.len() + 1);
        let byte = u8::try_from(below(prng, 256)).unwrap();
        match below(prng, 4) {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
            2 if at < bytes.len() => drop(bytes.drain(at..(at + 1 + usize::from(byte % 8)).min(bytes.len()))),
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

fn run(target: &str, mutations: u64, check: fn(&[u8])) {
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
        let mut prng = Prng::new(seed);
        for _ in 0..mutations {
            check(&mutate(&bytes, &mut prng));
        }
    }
}

#[test]
fn node() {
    run("node", NODE_MUTATIONS, targets::node);
}

#[test]
fn changes() {
    run("changes", CHANGES_MUTATIONS, targets::changes);
}
