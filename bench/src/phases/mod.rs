//! The phases of a round. Each opens its own connections, so that none has idled while another server was measured.

mod incremental;
mod initial;
mod latency;
mod send;

use std::{cell::Cell, fmt::Write as _};

use crate::{
    args::Plan,
    fault::{Errors, Fault},
    figures::Figures,
    http::{Connection, Request},
    world::{Lane, Target, World},
};

pub(crate) use self::{latency::Pair, send::send};

/// What the rounds of one server brought.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The figures.
    pub(crate) figures: Figures,
    /// The failed requests.
    pub(crate) errors: Errors,
}

/// One part of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    /// Messages, this many in flight.
    Send(usize),
    /// Single messages, from send to sync.
    Deliver,
    /// Initial sync of the user in few rooms, and of the one in many.
    Initial,
    /// Incremental sync of both.
    Incremental,
}

/// The phases of a round, in their order.
pub(crate) fn phases(plan: &Plan) -> Vec<Phase> {
    let sends = plan.in_flight.iter().copied().map(Phase::Send);
    sends
        .chain([Phase::Deliver, Phase::Initial, Phase::Incremental])
        .collect()
}

impl Phase {
    /// Carries the phase out once.
    pub(crate) async fn run(
        self,
        target: Target<'_>,
        plan: &Plan,
        world: &World,
        record: &mut Record,
    ) -> Result<(), Fault> {
        let (times, ids) = (plan.times(), &world.ids);
        match self {
            Phase::Send(in_flight) => send(target, times, &world.lanes, (in_flight, ids), record).await,
            Phase::Deliver => latency::deliver(target, times, &world.narrow, ids, record).await,
            Phase::Initial => {
                initial::initial_sync(target, &world.narrow, ids, record).await?;
                initial::initial_sync(target, &world.wide, ids, record).await
            }
            Phase::Incremental => {
                incremental::incremental_sync(target, times, &world.narrow, ids, record).await?;
                incremental::incremental_sync(target, times, &world.wide, ids, record).await?;
                incremental::compare(world, record);
                Ok(())
            }
        }
    }
}

/// Sends one message with a transaction id of its own.
pub(crate) async fn send_one(
    connection: &mut Connection,
    lane: &Lane,
    ids: &Cell<u64>,
    content: &[u8],
) -> Result<(), Fault> {
    ids.set(ids.get() + 1);
    let mut path = String::with_capacity(lane.path.len() + 20);
    path.push_str(&lane.path);
    // Writing to a string does not fail.
    let _ = write!(path, "{}", ids.get());
    let response = connection
        .call(&Request::put(&path, Some(&lane.token), content))
        .await?;
    match response.status {
        200 => Ok(()),
        status => Err(Fault::refused("send", status, response.body)),
    }
}
