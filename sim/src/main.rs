//! Long searches: `cargo run --release -p selvage-sim -- --seeds N [--from S] [--play clients|federation]`.
//!
//! Plays N seeds from S on. The first that fails is printed with its steps, as few as shrinking leaves of them.

use std::process::ExitCode;

use selvage_sim::{Plan, federation, play, shrink};

const USAGE: &str = "usage: selvage-sim --seeds N [--from S] [--play clients|federation]";
/// How often progress is told, in seeds.
const TELL_EVERY: u64 = 1_000;

/// What to search.
struct Search {
    seeds: u64,
    from: u64,
    federation: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments) {
        Some(search) if search.federation => go::<federation::Plan>(&search),
        Some(search) => go::<play::Plan>(&search),
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Option<Search> {
    let (mut seeds, mut from, mut federation) = (None, 0, false);
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match (name.as_str(), value.as_str()) {
            ("--seeds", number) => seeds = Some(number.parse().ok()?),
            ("--from", number) => from = number.parse().ok()?,
            ("--play", "clients") => federation = false,
            ("--play", "federation") => federation = true,
            _ => return None,
        }
    }
    Some(Search {
        seeds: seeds?,
        from,
        federation,
    })
}

fn go<P: Plan>(search: &Search) -> ExitCode {
    // What a run panics with is told with its verdict.
    std::panic::set_hook(Box::new(|_| ()));
    let Search { seeds, from, .. } = *search;
    for seed in from..from.saturating_add(seeds) {
        let plan = P::of(seed);
        if let Some((at, wrong)) = plan.run().failure {
            let wrong = wrong.lines().next().unwrap_or_default();
            println!("seed {seed} fails at step {at}: {wrong}");
            return report(&plan);
        }
        if (seed + 1).is_multiple_of(TELL_EVERY) {
            eprintln!("up to seed {seed}: nothing wrong");
        }
    }
    println!("{seeds} seeds from {from}: nothing wrong");
    ExitCode::SUCCESS
}

fn report<P: Plan>(plan: &P) -> ExitCode {
    let (small, verdict) = shrink(plan);
    for line in small.lines() {
        println!("{line}");
    }
    let (at, wrong) = verdict.failure.unwrap_or_default();
    println!("after shrinking, at step {at}: {wrong}");
    ExitCode::FAILURE
}
