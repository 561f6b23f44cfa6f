//! Long searches: `cargo run --release -p selvage-sim -- --seeds N [--from S]`.
//!
//! Plays N seeds from S on. The first that fails is printed with its steps, as few as shrinking leaves of them.

use std::process::ExitCode;

use selvage_sim::play::{Plan, run, shrink};

const USAGE: &str = "usage: selvage-sim --seeds N [--from S]";
/// How often progress is told, in seeds.
const TELL_EVERY: u64 = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments) {
        Some((seeds, from)) => search(seeds, from),
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// How many seeds, and the first of them.
fn parse(arguments: &[String]) -> Option<(u64, u64)> {
    let (mut seeds, mut from) = (None, 0);
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--seeds" => seeds = Some(value),
            "--from" => from = value,
            _ => return None,
        }
    }
    Some((seeds?, from))
}

fn search(seeds: u64, from: u64) -> ExitCode {
    // What a run panics with is told with its verdict.
    std::panic::set_hook(Box::new(|_| ()));
    for seed in from..from.saturating_add(seeds) {
        let plan = Plan::of(seed);
        if run(&plan).failure.is_some() {
            return report(seed, &plan);
        }
        if (seed + 1).is_multiple_of(TELL_EVERY) {
            eprintln!("up to seed {seed}: nothing wrong");
        }
    }
    println!("{seeds} seeds from {from}: nothing wrong");
    ExitCode::SUCCESS
}

fn report(seed: u64, plan: &Plan) -> ExitCode {
    println!("seed {seed} fails: {:?}", run(plan).failure);
    let (small, verdict) = shrink(plan);
    for line in small.lines() {
        println!("{line}");
    }
    println!("after shrinking: {:?}", verdict.failure);
    ExitCode::FAILURE
}
