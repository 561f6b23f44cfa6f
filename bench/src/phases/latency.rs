//! From the send by one client until the message stands in another client's long-poll sync.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::try_join;

use super::{Record, send_one};
use crate::{
    args::Times,
    clock,
    fault::Fault,
    figures::{Figures, Unit},
    http::{Address, Connection},
    matrix::{message, sync},
    stats::{Samples, float},
    world::{Reader, Target},
};

/// Timeout of the long poll.
const LONG_POLL: Duration = Duration::from_secs(30);
/// How long a poll is open before the message is sent, so that the server is waiting by then.
const SETTLE: Duration = Duration::from_millis(25);

/// Both ends of a conversation.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    sender: Connection,
    receiver: Connection,
    reader: &'a Reader,
    ids: &'a Cell<u64>,
    since: String,
}

/// Measures single messages, one after the other, for as long as `times` says.
pub(super) async fn deliver(
    target: Target<'_>,
    times: Times,
    reader: &Reader,
    ids: &Cell<u64>,
    record: &mut Record,
) -> Result<(), Fault> {
    let mut pair = Pair::open(target.address, reader, ids).await?;
    let (mut samples, mut polls) = (Samples::default(), 0);
    let from = clock::now() + times.warm_up;
    while clock::now() < from + times.duration {
        let (latency, responses) = pair.exchange().await?;
        if clock::now() >= from {
            samples.add(latency);
            polls += responses;
        }
    }
    note(&mut record.figures, &mut samples, polls);
    Ok(())
}

impl<'a> Pair<'a> {
    /// Connects both, and lets the reader sync once.
    pub(crate) async fn open(
        address: &Address,
        reader: &'a Reader,
        ids: &'a Cell<u64>,
    ) -> Result<Self, Fault> {
        let sender = Connection::open(address).await?;
        let mut receiver = Connection::open(address).await?;
        let since = sync(&mut receiver, &reader.account.token, None, Duration::ZERO, "")
            .await?
            .next_batch;
        Ok(Self {
            sender,
            receiver,
            reader,
            ids,
            since,
        })
    }

    /// Sends one message; how long it took to arrive, and in how many sync responses.
    pub(crate) async fn exchange(&mut self) -> Result<(Duration, usize), Fault> {
        let number = self.ids.get();
        let marker = format!("delivery-{number}.");
        let content = message(&marker);
        let lanes = &self.reader.changing;
        let index = usize::try_from(number).unwrap_or(0) % lanes.len().max(1);
        let lane = lanes
            .get(index)
            .ok_or_else(|| Fault::Usage("no room to write into".to_owned()))?;
        let send = async {
            tokio::time::sleep(SETTLE).await;
            let start = clock::now();
            send_one(&mut self.sender, lane, self.ids, &content).await?;
            Ok(start)
        };
        let token = &self.reader.account.token;
        let (start, (arrived, polls)) =
            try_join(send, receive(&mut self.receiver, token, &mut self.since, &marker)).await?;
        Ok((arrived.saturating_duration_since(start), polls))
    }
}

/// Polls until the message is there. Other news, such as presence, may come in responses of their own.
async fn receive(
    receiver: &mut Connection,
    token: &str,
    since: &mut String,
    marker: &str,
) -> Result<(Instant, usize), Fault> {
    for polls in 1.. {
        let poll = sync(receiver, token, Some(since), LONG_POLL, marker).await?;
        *since = poll.next_batch;
        if poll.found {
            return Ok((poll.arrived, polls));
        }
    }
    Err(Fault::Usage("the message never came".to_owned()))
}

fn note(figures: &mut Figures, samples: &mut Samples, polls: usize) {
    for percent in [50, 95, 99] {
        figures.record_some(
            format!("deliver.p{percent}"),
            Unit::Milliseconds,
            samples.percentile(percent),
        );
    }
    figures.record("deliver.samples", Unit::Number, float(samples.len()));
    figures.record(
        "deliver.polls",
        Unit::Number,
        float(polls) / float(samples.len().max(1)),
    );
}
