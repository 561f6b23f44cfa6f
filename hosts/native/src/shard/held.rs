//! What a batch holds back until its writes are durable.

use std::sync::Arc;

use selvage_gateway::AskError;
use selvage_object::{Delivery, Started, Wake};

use super::answer::{Answer, Fate};
use super::input::{Input, Reply};
use super::watches::Watches;
use crate::queue::Queue;

/// A reply, and where it goes.
type Replied = (Reply<Vec<u8>>, Result<Vec<u8>, AskError>);

/// Effects of turns, in the order of the turns.
#[derive(Default)]
pub(crate) struct Held {
    replies: Vec<Replied>,
    woken: Vec<Reply<()>>,
    wakes: Vec<Wake>,
    hints: Vec<Delivery>,
    started: Vec<Started>,
    answers: Vec<(Answer, Fate)>,
}

impl Held {
    pub(crate) fn reply(&mut self, to: Reply<Vec<u8>>, reply: Result<Vec<u8>, AskError>) {
        self.replies.push((to, reply));
    }

    pub(crate) fn woken(&mut self, waker: Reply<()>) {
        self.woken.push(waker);
    }

    pub(crate) fn answer(&mut self, answer: Answer, fate: Fate) {
        self.answers.push((answer, fate));
    }

    pub(crate) fn effects(&mut self, wakes: Vec<Wake>, hints: Vec<Delivery>, started: Vec<Started>) {
        self.wakes.extend(wakes);
        self.hints.extend(hints);
        self.started.extend(started);
    }

    /// Lets everything go: the commit is durable. Whoever has left by now misses nothing.
    pub(crate) fn release(
        self,
        watches: &mut Watches,
        queue_of: impl Fn(&Delivery) -> Option<Arc<Queue<Input>>>,
        start: impl Fn(Started),
    ) {
        for (to, reply) in self.replies {
            drop(to.send(reply));
        }
        for waker in self.woken {
            drop(waker.send(Ok(())));
        }
        for wake in &self.wakes {
            watches.wake(wake);
        }
        for (answer, fate) in self.answers {
            answer.give(fate);
        }
        for hint in self.hints {
            if let Some(queue) = queue_of(&hint) {
                let _ = queue.push(Input::Hint(hint));
            }
        }
        self.started.into_iter().for_each(start);
    }

    /// Nothing of the batch was written: every reply is this error. Deliveries are answered as they drop.
    pub(crate) fn fail(self, why: &AskError) {
        for (to, _) in self.replies {
            drop(to.send(Err(why.clone())));
        }
        for waker in self.woken {
            drop(waker.send(Err(why.clone())));
        }
    }
}
