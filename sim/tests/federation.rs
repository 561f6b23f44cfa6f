//! Some seeds of the simulator of many servers, in every test run, and what its searches once found. Longer searches:
//! `cargo run --release -p selvage-sim -- --play federation --seeds N`.

use selvage_sim::Plan as _;
use selvage_sim::federation::Plan;

/// How many seeds each of the two tests plays; they run side by side.
const SEEDS: u64 = 15;

fn search(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let verdict = Plan::of(seed).run();
        assert_eq!(verdict.failure, None, "seed {seed}");
    }
}

#[test]
fn nothing_is_wrong_in_some_seeds() {
    search(0..SEEDS);
}

#[test]
fn nothing_is_wrong_in_more_seeds() {
    search(SEEDS..2 * SEEDS);
}

#[test]
fn a_seed_is_one_run() {
    let traces: Vec<u64> = (0..3).map(|seed| Plan::of(seed).run().trace).collect();
    let again: Vec<u64> = (0..3).map(|seed| Plan::of(seed).run().trace).collect();
    assert_eq!(traces, again);
    assert_ne!(traces[0], traces[1]);
}

/// What searches found, as few steps as shrinking left of it. The names of the files say what was wrong.
#[test]
fn what_was_wrong_once_stays_right() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let mut played = 0;
    for entry in std::fs::read_dir(cases).expect("the cases are there") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a case");
        let plan = Plan::read(&text).expect("a plan");
        assert_eq!(plan.run().failure, None, "{}", path.display());
        played += 1;
    }
    assert!(played > 0);
}
