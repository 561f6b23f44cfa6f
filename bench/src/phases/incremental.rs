//! Incremental sync of a user in many rooms and of one in few, one room changed.

use std::{cell::Cell, time::Duration};

use super::{Record, send_one};
use crate::{
    args::Times,
    clock,
    fault::Fault,
    figures::{Figures, Unit},
    http::Connection,
    matrix::{Poll, message, sync},
    meter::{Meter, Usage},
    stats::{Samples, float, quotient},
    world::{Reader, Target, World},
};

/// How long after the send the sync begins, so that the server has long finished what the send left to do.
const SETTLE: Duration = Duration::from_millis(25);
/// Timeout of the poll; the change is there already, so a server that waits for it has not noticed it.
const LONG_POLL: Duration = Duration::from_secs(30);

/// Measures, for as long as `times` says, syncs that find one message in one room.
pub(super) async fn incremental_sync(
    target: Target<'_>,
    times: Times,
    reader: &Reader,
    ids: &Cell<u64>,
    record: &mut Record,
) -> Result<(), Fault> {
    let mut connection = Connection::open(target.address).await?;
    let token = &reader.account.token;
    let mut since = sync(&mut connection, token, None, Duration::ZERO, "")
        .await?
        .next_batch;
    let (mut samples, mut bytes) = (Samples::default(), 0);
    let meter = Meter::start(target.pid)?;
    let until = clock::now() + times.duration;
    for lane in reader
        .changing
        .iter()
        .cycle()
        .take_while(|_| clock::now() < until)
    {
        let marker = format!("change-{}.", ids.get());
        send_one(&mut connection, lane, ids, &message(&marker)).await?;
        tokio::time::sleep(SETTLE).await;
        let start = clock::now();
        let found = find(&mut connection, token, &mut since, &marker).await?;
        samples.add(found.arrived - start);
        bytes += found.bytes;
    }
    note(
        &mut record.figures,
        reader.rooms,
        (samples, bytes),
        &meter.stop()?,
    );
    Ok(())
}

/// Syncs until the message is there, which is once unless other news came before it.
async fn find(
    connection: &mut Connection,
    token: &str,
    since: &mut String,
    marker: &str,
) -> Result<Poll, Fault> {
    loop {
        let poll = sync(connection, token, Some(since), LONG_POLL, marker).await?;
        since.clone_from(&poll.next_batch);
        if poll.found {
            return Ok(poll);
        }
    }
}

fn note(figures: &mut Figures, rooms: usize, (mut samples, bytes): (Samples, usize), usage: &Usage) {
    let key = |name: &str| format!("incremental_sync.{rooms}.{name}");
    for percent in [50, 95, 99] {
        figures.record_some(
            key(&format!("p{percent}")),
            Unit::Milliseconds,
            samples.percentile(percent),
        );
    }
    let count = float(samples.len());
    figures.record_some(key("bytes"), Unit::Bytes, quotient(float(bytes), count));
    let cpu = usage.server_micros.and_then(|micros| quotient(micros, count));
    figures.record_some(key("server_cpu_with_send"), Unit::CpuMicros, cpu);
}

/// How many times longer the sync takes with many rooms than with few, in this round.
pub(super) fn compare(world: &World, record: &mut Record) {
    let last = |rooms: usize| {
        let figure = record.figures.get(&format!("incremental_sync.{rooms}.p50"))?;
        figure.rounds.last().copied()
    };
    let growth = last(world.wide.rooms).zip(last(world.narrow.rooms));
    let growth = growth.and_then(|(wide, narrow)| quotient(wide, narrow));
    record
        .figures
        .record_some("incremental_sync.growth", Unit::Number, growth);
}
