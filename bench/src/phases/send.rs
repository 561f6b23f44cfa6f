//! Messages as fast as the server takes them, a fixed number of them in flight.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, future::try_join, stream::FuturesUnordered};

use super::{Record, send_one};
use crate::{
    args::Times,
    clock,
    fault::{Errors, Fault},
    figures::{Figures, Unit},
    http::Connection,
    matrix::message,
    meter::{Meter, Usage},
    stats::{Samples, float, quotient},
    world::{Lane, Target},
};

/// Failed requests after which a lane gives up: the server is not serving.
const PATIENCE: u64 = 100;

/// When to count.
#[derive(Clone, Copy)]
struct Window {
    /// What ends before this is warm-up.
    from: Instant,
    /// Nothing begins after this, and what ends after it does not count.
    until: Instant,
}

/// What one lane, or all of them, did within the window.
#[derive(Default)]
struct Outcome {
    samples: Samples,
    errors: Errors,
}

/// Sends with `in_flight` connections for as long as `times` says.
///
/// Each connection has rooms of its own as far as there are enough, and writes into them in turn.
pub(crate) async fn send(
    target: Target<'_>,
    times: Times,
    lanes: &[Lane],
    (in_flight, ids): (usize, &Cell<u64>),
    record: &mut Record,
) -> Result<(), Fault> {
    let mut connections = Vec::new();
    for _ in 0..in_flight {
        connections.push(Connection::open(target.address).await?);
    }
    let from = clock::now() + times.warm_up;
    let window = Window {
        from,
        until: from + times.duration,
    };
    let content = message("load");
    let workers: FuturesUnordered<_> = (0..)
        .zip(connections)
        .map(|(index, connection)| {
            let rooms = lanes.iter().skip(index % lanes.len().max(1)).step_by(in_flight);
            worker(connection, rooms.collect(), window, ids, &content)
        })
        .collect();
    let (usage, outcomes) = try_join(measure(target.pid, window), async {
        Ok(workers.collect::<Vec<_>>().await)
    })
    .await?;
    let mut sum = Outcome::default();
    for outcome in outcomes {
        sum.samples.absorb(outcome.samples);
        sum.errors.absorb(outcome.errors);
    }
    note(&mut record.figures, in_flight, &mut sum.samples, &usage);
    record.errors.absorb(sum.errors);
    Ok(())
}

async fn worker(
    mut connection: Connection,
    lanes: Vec<&Lane>,
    window: Window,
    ids: &Cell<u64>,
    content: &[u8],
) -> Outcome {
    let mut outcome = Outcome::default();
    for lane in lanes.into_iter().cycle() {
        let start = clock::now();
        if start >= window.until || outcome.errors.count >= PATIENCE {
            break;
        }
        let sent = send_one(&mut connection, lane, ids, content).await;
        let end = clock::now();
        match sent {
            Ok(()) if (window.from..window.until).contains(&end) => outcome.samples.add(end - start),
            Ok(()) => {}
            Err(fault) => outcome.errors.add(&fault),
        }
    }
    outcome
}

async fn measure(pid: Option<u32>, window: Window) -> Result<Usage, Fault> {
    sleep_until(window.from).await;
    let meter = Meter::start(pid)?;
    sleep_until(window.until).await;
    meter.stop()
}

async fn sleep_until(instant: Instant) {
    tokio::time::sleep(
        instant
            .saturating_duration_since(clock::now())
            .max(Duration::ZERO),
    )
    .await;
}

fn note(figures: &mut Figures, in_flight: usize, samples: &mut Samples, usage: &Usage) {
    let key = |name: &str| format!("send.{in_flight}.{name}");
    let messages = float(samples.len());
    figures.record_some(key("rate"), Unit::PerSecond, quotient(messages, usage.seconds));
    for percent in [50, 95, 99] {
        figures.record_some(
            key(&format!("p{percent}")),
            Unit::Milliseconds,
            samples.percentile(percent),
        );
    }
    let server_cpu = usage.server_micros.and_then(|micros| quotient(micros, messages));
    figures.record_some(key("server_cpu"), Unit::CpuMicros, server_cpu);
    let cores = |micros: f64| quotient(micros, usage.seconds * 1e6);
    figures.record_some(
        key("server_cores"),
        Unit::Cores,
        usage.server_micros.and_then(cores),
    );
    figures.record_some(key("generator_cores"), Unit::Cores, cores(usage.generator_micros));
    figures.record_some(
        key("other_cores"),
        Unit::Cores,
        usage.other_micros.and_then(cores),
    );
}

#[cfg(test)]
mod tests;
