//! Initial sync.

use std::{cell::Cell, time::Duration};

use super::Record;
use crate::{
    clock,
    fault::Fault,
    figures::Unit,
    http::Connection,
    matrix::sync,
    meter::Meter,
    stats::{Samples, float, quotient},
    world::{Reader, Target},
};

/// Repetitions a round.
const REPETITIONS: usize = 5;

/// Syncs from nothing a few times.
///
/// An initial sync answers at once whatever its timeout, so the timeout is used to make every request different:
/// Synapse answers an equal one from a cache for two minutes.
pub(super) async fn initial_sync(
    target: Target<'_>,
    reader: &Reader,
    ids: &Cell<u64>,
    record: &mut Record,
) -> Result<(), Fault> {
    let mut connection = Connection::open(target.address).await?;
    let (mut samples, mut bytes) = (Samples::default(), 0);
    let meter = Meter::start(target.pid)?;
    for _ in 0..REPETITIONS {
        ids.set(ids.get() + 1);
        let timeout = Duration::from_millis(ids.get());
        let start = clock::now();
        let poll = sync(&mut connection, &reader.account.token, None, timeout, "").await?;
        samples.add(poll.arrived - start);
        bytes = poll.bytes;
    }
    let usage = meter.stop()?;
    let key = |name: &str| format!("initial_sync.{}.{name}", reader.rooms);
    let figures = &mut record.figures;
    figures.record_some(key("p50"), Unit::Milliseconds, samples.percentile(50));
    figures.record(key("bytes"), Unit::Bytes, float(bytes));
    let cpu = usage
        .server_micros
        .and_then(|micros| quotient(micros, float(REPETITIONS)));
    figures.record_some(key("server_cpu"), Unit::CpuMicros, cpu);
    Ok(())
}
