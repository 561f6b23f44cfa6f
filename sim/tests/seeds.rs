//! Some seeds of the simulator, in every test run. Longer searches: `cargo run --release -p selvage-sim -- --seeds N`.

use selvage_sim::Plan as _;
use selvage_sim::play::Plan;

/// How many seeds each of the two tests plays; they run side by side.
const SEEDS: u64 = 60;

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
