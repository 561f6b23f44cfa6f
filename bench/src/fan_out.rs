//! A fixed number of requests, a fixed number of them in flight: how a server is filled.

use std::cell::Cell;

use futures_util::{TryStreamExt as _, stream::FuturesUnordered};

use crate::{
    fault::Fault,
    http::{Address, Connection},
    meter::{Meter, Usage},
};

/// Results in the order of their indices, and what they cost.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    /// One result for each index.
    pub(crate) results: Vec<T>,
    /// Time and CPU from first request to last response.
    pub(crate) usage: Usage,
}

/// Runs `operation` for 0..`count`, `in_flight` at a time, each lane on its own connection. The first fault ends it.
pub(crate) async fn fan_out<T>(
    server: (&Address, Option<u32>),
    count: usize,
    in_flight: usize,
    operation: impl AsyncFn(&mut Connection, usize) -> Result<T, Fault>,
) -> Result<Batch<T>, Fault> {
    let (address, pid) = server;
    let next = Cell::new(0);
    let lane = async || {
        let mut connection = Connection::open(address).await?;
        let mut done = Vec::new();
        while let Some(index) = take(&next, count) {
            done.push((index, operation(&mut connection, index).await?));
        }
        Ok::<_, Fault>(done)
    };
    let meter = Meter::start(pid)?;
    let lanes: FuturesUnordered<_> = (0..in_flight.min(count)).map(|_| lane()).collect();
    let mut results = lanes.try_concat().await?;
    let usage = meter.stop()?;
    results.sort_by_key(|(index, _)| *index);
    Ok(Batch {
        results: results.into_iter().map(|(_, result)| result).collect(),
        usage,
    })
}

fn take(next: &Cell<usize>, count: usize) -> Option<usize> {
    let index = next.get();
    next.set(index + 1);
    (index < count).then_some(index)
}
