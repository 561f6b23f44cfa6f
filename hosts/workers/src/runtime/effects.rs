//! What follows an input: watchers woken, hints sent, deliveries brought in the background, the alarm set.

use std::rc::Rc;

use selvage_gateway::Workflows;
use selvage_object::{Delivery, Failure, Outcome, Started};

use super::home::Home;
use super::host::WorkersHost;
use super::moment::{moment, now};
use super::{call, foundation, variable};
use crate::wire::Reply;
use crate::{config, counts};

impl Home {
    /// Carries out an outcome, and whatever may leave now. Called before anything is awaited after the input, so that
    /// the alarm is durable together with what it is for.
    pub(super) fn carry_out(self: &Rc<Self>, outcome: &Outcome) {
        for wake in &outcome.wakes {
            self.wake(wake);
        }
        for (to, refusal) in &outcome.refused {
            tracing::warn!(%to, errcode = %refusal.errcode, "an object refused what it was told");
        }
        for hint in &outcome.hints {
            let (home, hint) = (Rc::clone(self), hint.clone());
            self.background(async move {
                home.bring(&hint).await;
            });
        }
        for started in &outcome.started {
            let (home, started) = (Rc::clone(self), started.clone());
            self.background(async move {
                home.work(&started).await;
            });
        }
        self.settle();
    }

    /// Runs a workflow that an object started, beside the shard, which it asks like anybody else.
    async fn work(&self, started: &Started) {
        match self.workflows().await {
            Ok(workflows) => workflows.run(started).await,
            // Its object's timer starts it again.
            Err(reply) => {
                tracing::error!(by = %started.by, status = reply.status(), "a workflow cannot run");
            }
        }
    }

    async fn workflows(&self) -> Result<Workflows<WorkersHost>, Reply> {
        let deployment = self.deployment()?;
        let identity = foundation::identity(&self.env, &deployment).await?;
        let (name, key) =
            foundation::signer(&deployment, &identity).map_err(|fault| Reply::from(Failure::Fault(fault)))?;
        let host = WorkersHost::new(self.env.clone(), deployment.placement());
        let federation = config::federation(|name| variable(&self.env, name));
        let federation = federation.map_err(|error| Reply::Unavailable(error.to_string()))?;
        Ok(Workflows::new(host, name, key, federation))
    }

    /// Sends what may leave, and sets the alarm for what may not yet.
    pub(super) fn settle(self: &Rc<Self>) {
        if self.is_open() {
            self.send().unwrap_or_else(|failure| self.broken(&failure));
        }
    }

    fn send(self: &Rc<Self>) -> Result<(), Failure> {
        let again = self.begin_redelivery()?;
        let deliveries = self.with_shard(|shard| shard.take_deliveries(now()))??;
        if again {
            self.redelivering(deliveries.len())?;
        }
        let due = self.with_shard(|shard| shard.next_due(now()))?;
        due.into_iter().for_each(|due| self.arm(due));
        deliveries
            .into_iter()
            .for_each(|delivery| self.dispatch(delivery, again));
        Ok(())
    }

    fn dispatch(self: &Rc<Self>, delivery: Delivery, again: bool) {
        let home = Rc::clone(self);
        self.background(async move {
            let reply = home.bring(&delivery).await;
            home.brought(&delivery, &reply, again)
                .unwrap_or_else(|failure| home.broken(&failure));
            home.settle();
        });
    }

    fn background(&self, work: impl Future<Output = ()> + 'static) {
        counts::delivery_started();
        self.state.wait_until(async move {
            work.await;
            counts::delivery_ended();
        });
    }

    /// Brings a delivery to its shard, which may be this one.
    async fn bring(self: &Rc<Self>, delivery: &Delivery) -> Reply {
        if delivery.shard != self.id {
            return call::deliver(&self.env, delivery).await;
        }
        self.deliver(delivery).await
    }

    /// Takes a delivery in.
    pub(super) async fn deliver(self: &Rc<Self>, delivery: &Delivery) -> Reply {
        if let Err(reply) = self.prepare().await {
            return reply;
        }
        match self.with_shard(|shard| shard.deliver(moment(), delivery)) {
            Ok(outcome) => {
                self.carry_out(&outcome);
                Reply::from(outcome.reply)
            }
            Err(failure) => Reply::from(failure),
        }
    }

    /// Records what came of a delivery.
    fn brought(&self, delivery: &Delivery, reply: &Reply, again: bool) -> Result<(), Failure> {
        let receipt = delivery.receipt();
        if matches!(reply, Reply::Done(_)) {
            self.with_shard(|shard| shard.delivered(&receipt))??;
            return if again { Ok(self.redelivered()?) } else { Ok(()) };
        }
        let busy = matches!(reply, Reply::Overloaded(_));
        let tells = self.with_shard(|shard| shard.not_delivered(&receipt, now(), busy))??;
        if tells > 0 {
            tracing::error!(from = %delivery.from, to = %delivery.shard, tells, "tells were set aside");
        }
        Ok(())
    }

    fn broken(&self, failure: &Failure) {
        tracing::error!(shard = %self.id, %failure, "the shard is broken");
    }
}
