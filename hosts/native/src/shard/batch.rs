//! A batch: some inputs handled in one transaction.

use std::collections::BTreeSet;

use selvage_gateway::AskError;
use selvage_object::{
    Delivery, Failure, Fault, Moment, ObjectKey, Outcome, Random, Receipt, Shard, SqlFault, SqlFaultKind,
    Timestamp,
};
use selvage_sqlite::{Durability, Sqlite};

use super::answer::{Answer, Fate};
use super::held::Held;
use super::input::{Input, Reply};
use super::trouble;
use super::watches::Watches;
use crate::metrics::Metrics;
use crate::{clock, random};

/// One batch under way.
pub(crate) struct Batch<'a> {
    shard: &'a mut Shard<Sqlite>,
    watches: &'a mut Watches,
    metrics: &'a Metrics,
    held: &'a mut Held,
    now: Timestamp,
    random: Random,
    /// Objects whose rows this batch has changed. What is said of any other object stands on durable rows.
    changed: BTreeSet<ObjectKey>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        shard: &'a mut Shard<Sqlite>,
        watches: &'a mut Watches,
        metrics: &'a Metrics,
        held: &'a mut Held,
    ) -> Self {
        Self {
            shard,
            watches,
            metrics,
            held,
            now: clock::now(),
            random: Random::new(random::bytes()),
            changed: BTreeSet::new(),
        }
    }

    /// Handles the inputs, and timers that have rung, and makes their writes durable.
    ///
    /// After an error the shard's memory is ahead of its database and has to be dropped.
    pub(crate) fn run(mut self, inputs: Vec<Input>) -> Result<(), SqlFault> {
        let timers_ring = self.shard.next_due(self.now).is_some_and(|due| due <= self.now);
        let lazy = !timers_ring && inputs.iter().all(Input::may_be_forgotten);
        let durability = if lazy {
            Durability::Lazy
        } else {
            Durability::Synced
        };
        self.shard.storage().begin(durability)?;
        self.metrics.batches.add(1);
        self.metrics.batch_inputs.add(inputs.len() as u64);
        let handled = self.handle_all(inputs, timers_ring);
        if let Err(fault) = handled {
            self.shard.storage().roll_back();
            return Err(fault);
        }
        self.shard.storage().commit()
    }

    fn handle_all(&mut self, inputs: Vec<Input>, timers_ring: bool) -> Result<(), SqlFault> {
        for input in inputs {
            self.handle(input)?;
        }
        if timers_ring {
            let moment = self.moment();
            let outcome = self.shard.ring_timers(moment).map_err(sql_fault)?;
            self.keep_effects(outcome);
        }
        Ok(())
    }

    fn handle(&mut self, input: Input) -> Result<(), SqlFault> {
        match input {
            Input::Ask { to, command, reply } => self.ask(&to, &command, reply),
            Input::Watch { of, seen, waker } => self.watch(of, seen, waker),
            Input::Deliver { delivery, answer } => self.deliver(&delivery, answer),
            Input::Hint(delivery) => {
                let outcome = self.turn_of(&delivery);
                self.keep_effects(outcome);
            }
            Input::Answered { receipt, fate } => return self.answered(&receipt, fate),
            Input::EndWaits => self.watches.end_for_good(&AskError::Stopping),
            Input::Check { reply } => drop(reply.send(self.check())),
        }
        Ok(())
    }

    fn ask(&mut self, to: &ObjectKey, command: &[u8], reply: Reply<Vec<u8>>) {
        if reply.is_closed() {
            return;
        }
        self.metrics.turns.add(1);
        let before = self.shard.storage().changes();
        let moment = self.moment();
        let mut outcome = self.shard.ask(moment, to, command);
        if self.shard.storage().changes() != before {
            self.changed.insert(to.clone());
        }
        let result = std::mem::replace(&mut outcome.reply, Ok(Vec::new()));
        let result = result.map_err(|failure| trouble::of_turn(to, failure));
        if self.changed.contains(to) {
            self.held.reply(reply, result);
        } else {
            // Nothing durable is missing from what this reply says, so it need not wait for the others' sync.
            drop(reply.send(result));
        }
        self.keep_effects(outcome);
    }

    fn watch(&mut self, of: ObjectKey, seen: u64, waker: Reply<()>) {
        let moment = self.moment();
        match self.shard.version(moment, &of) {
            Ok(version) if version > seen && self.changed.contains(&of) => self.held.woken(waker),
            Ok(version) if version > seen => drop(waker.send(Ok(()))),
            Ok(_) => self.watches.add(of, seen, waker),
            Err(failure) => drop(waker.send(Err(trouble::of_turn(&of, failure)))),
        }
    }

    fn deliver(&mut self, delivery: &Delivery, answer: Answer) {
        let mut outcome = self.turn_of(delivery);
        let fate = match std::mem::replace(&mut outcome.reply, Ok(Vec::new())) {
            Ok(_) => Fate::Durable,
            // Not the delivery's fault: the shard has no room.
            Err(Failure::Fault(Fault::Backlog)) => Fate::Busy,
            Err(Failure::Fault(Fault::Sql(fault))) if fault.kind == SqlFaultKind::Full => Fate::Busy,
            Err(failure) => {
                tracing::error!(from = %delivery.from, %failure, "a delivery failed");
                Fate::Failed
            }
        };
        self.held.answer(answer, fate);
        self.keep_effects(outcome);
    }

    fn turn_of(&mut self, delivery: &Delivery) -> Outcome {
        let recipients = delivery.tells.iter().map(|tell| tell.to.len() as u64).sum();
        self.metrics.turns.add(recipients);
        self.changed
            .extend(delivery.tells.iter().flat_map(|tell| tell.to.iter().cloned()));
        let moment = self.moment();
        self.shard.deliver(moment, delivery)
    }

    fn answered(&mut self, receipt: &Receipt, fate: Fate) -> Result<(), SqlFault> {
        let given_up = match fate {
            Fate::Durable => self.shard.delivered(receipt).map(|()| 0),
            Fate::Busy => self.shard.not_delivered(receipt, self.now, true),
            Fate::Failed => self.shard.not_delivered(receipt, self.now, false),
        };
        let given_up = given_up.map_err(sql_fault)?;
        if given_up > 0 {
            self.metrics.tells_given_up.add(given_up as u64);
            tracing::error!(
                tells = given_up,
                "tells were set aside: their receiver cannot take them"
            );
        }
        Ok(())
    }

    fn check(&self) -> Result<Vec<String>, AskError> {
        let storage = self.shard.storage();
        let read = storage.check_integrity().and_then(|mut problems| {
            problems.extend(self.shard.check()?);
            Ok(problems)
        });
        read.map_err(|fault| trouble::of_database(&fault))
    }

    fn keep_effects(&mut self, outcome: Outcome) {
        for (object, refusal) in &outcome.refused {
            tracing::warn!(%object, errcode = %refusal.errcode, "an object refused what it was told");
        }
        self.held.effects(outcome.wakes, outcome.hints, outcome.started);
    }

    fn moment(&mut self) -> Moment {
        Moment {
            now: self.now,
            seed: self.random.bytes(),
        }
    }
}

/// The database's own fault. Others cannot come of calls that run no object code.
pub(crate) fn sql_fault(fault: Fault) -> SqlFault {
    match fault {
        Fault::Sql(fault) => fault,
        other => SqlFault::new(SqlFaultKind::Damaged, other.to_string()),
    }
}
