//! How does a shard run pulls? It answers them at once, has the pool read the disk for them, or holds them until a message comes.

use super::BrokerShard;
use super::held::{Held, HeldPull, Turn, deadline};
use crate::error::{Refusal, answer_of};
use crate::notify::arrivals::QueueKey;
use crate::requests::pull::answer::refused;
use crate::requests::pull::read::{answer_from_disk, serve};
use crate::requests::pull::{PullForm, check_there, prepare, recheck};
use roxmq_protocol::code;
use roxmq_remoting::{Connection, Incoming, Ticket};
use roxmq_store::Patience;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

impl BrokerShard {
    pub(super) fn take_pull(&self, from: &Rc<Connection>, request: &Incoming<'_>, form: PullForm) {
        let config = Arc::clone(&self.flow.borrow().config);
        let prepared = match prepare(&self.broker, &config, from.id, &request.header.fields, form) {
            Ok(prepared) => prepared,
            Err(refusal) => return refuse(from, request.ticket(), &refusal),
        };
        let now = self.broker.clock.elapsed();
        let pull = HeldPull { from: Rc::clone(from), ticket: request.ticket(), deadline: deadline(now, prepared.hold), prepared };
        if self.must_wait_its_turn(&pull, now) {
            let queue = pull.prepared.queue.clone();
            self.hold(&queue, pull);
            return self.arrived(&queue);
        }
        self.shared.borrow_mut().forget();
        self.serve_pull(pull, now);
    }

    /// Whether there is something for a pull, but so little that others come first.
    fn must_wait_its_turn(&self, pull: &HeldPull, now: Duration) -> bool {
        let held = self.held.borrow();
        let found = || {
            let queue = &pull.prepared.queue;
            self.broker.store.bounds(&queue.topic, queue.queue_id).map_or(0, |(_, max)| max - pull.prepared.from)
        };
        held.pace.is_ahead_of(now, found) && pull.may_wait(now) && self.has_room_for_one_more(held.count())
    }

    fn has_room_for_one_more(&self, held_count: usize) -> bool {
        held_count < self.flow.borrow().config.pulls_waiting_max as usize
    }

    /// Answers a pull, or holds it when there is nothing for it and it may wait.
    fn serve_pull(&self, pull: HeldPull, now: Duration) {
        if let Err(refusal) = check_there(&self.broker, &pull.prepared) {
            return refuse(&pull.from, pull.ticket, &refusal);
        }
        let mut shared = self.shared.borrow_mut();
        let result = serve(&self.broker, &pull.prepared, Patience::MemoryOnly, &mut shared);
        if result.needs_disk {
            return self.serve_from_disk(pull);
        }
        if result.code != code::PULL_NOT_FOUND || !pull.may_wait(now) {
            self.held.borrow_mut().pace.answered(now, result.messages);
            let body = shared.body(&result, pull.from.met_as);
            return pull.answer(&result, body);
        }
        if !self.has_room_for_one_more(self.held.borrow().count()) {
            return pull.answer(&result, &[]);
        }
        let queue = pull.prepared.queue.clone();
        if self.hold(&queue, pull) == Held::First {
            // A message may have come after the read and before the shard is notified of such.
            let unseen =
                self.broker.store.bounds(&queue.topic, queue.queue_id).is_some_and(|(_, max)| max.0 > result.reply.next_begin_offset);
            if unseen {
                drop(shared);
                self.arrived(&queue);
            }
        }
    }

    /// Lets the pool read messages that are not in memory, so that nothing else on this shard waits for the disk.
    fn serve_from_disk(&self, pull: HeldPull) {
        let HeldPull { from, ticket, prepared, .. } = pull;
        let (broker, peer) = (Arc::clone(&self.broker), from.peer());
        let read = move || peer.answer(ticket, answer_of(|| answer_from_disk(&broker, &prepared, peer.met_as())));
        let is_queued = self.broker.pool.read_old(read);
        if !is_queued {
            refuse(&from, ticket, &Refusal::Busy("too many reads of old messages wait"));
        }
    }

    /// Holds a pull. This shard is notified of its queue's messages from then on.
    fn hold(&self, queue: &QueueKey, pull: HeldPull) -> Held {
        let held = self.held.borrow_mut().hold(queue, pull);
        if held == Held::First {
            self.broker.shards.arrivals.wait(queue, self.number);
        }
        held
    }

    /// Gives up some of a queue's held pulls.
    pub(super) fn release(&self, queue: &QueueKey, which: impl FnMut(&mut HeldPull) -> bool) -> Vec<HeldPull> {
        let released = self.held.borrow_mut().release(queue, which);
        if released.were_last {
            self.broker.shards.arrivals.leave(queue, self.number);
        }
        released.pulls
    }

    /// Refuses the held pulls that may not read any more.
    pub(super) fn refuse_forbidden(&self) {
        let queues = self.held.borrow().queues();
        for queue in queues {
            let mut refusals = Vec::new();
            let forbidden = self.release(&queue, |held| {
                let checked = recheck(&self.broker, &held.prepared);
                checked.map_err(|refusal| refusals.push(refusal)).is_err()
            });
            for (held, refusal) in forbidden.into_iter().zip(refusals) {
                refuse(&held.from, held.ticket, &refusal);
            }
        }
    }

    /// A queue got a message: its held pulls are served again at the end of the turn, or a little later when others come first.
    pub(super) fn arrived(&self, queue: &QueueKey) {
        self.held.borrow_mut().arrived(queue, || self.broker.clock.elapsed());
    }

    /// Serves the held pulls whose turn it is. How long the next ones wait, if there are any.
    pub(super) fn serve_due(&self) -> Option<Duration> {
        loop {
            let now = self.broker.clock.elapsed();
            let turn = self.held.borrow_mut().next_turn(now);
            match turn {
                Turn::Nothing => return None,
                Turn::Wait(wait) => return Some(wait),
                Turn::Serve(queue) => self.serve_again(&queue, now),
            }
        }
    }

    fn serve_again(&self, queue: &QueueKey, now: Duration) {
        let pulls = self.held.borrow_mut().take(queue);
        self.shared.borrow_mut().forget();
        for pull in pulls {
            self.serve_pull(pull, now);
        }
        self.release(queue, |_| false);
    }

    /// Answers the held pulls whose deadline is over.
    pub(super) fn answer_overdue(&self) {
        let held = self.held.borrow();
        if held.count() == 0 {
            return;
        }
        let now = self.broker.clock.elapsed();
        if now < held.next_deadline() {
            return;
        }
        let overdue = held.overdue(now);
        drop(held);
        for queue in overdue {
            for pull in self.release(&queue, |pull| pull.deadline <= now) {
                self.shared.borrow_mut().forget();
                self.serve_pull(pull, now);
            }
        }
        self.held.borrow_mut().find_next_deadline();
    }
}

fn refuse(from: &Rc<Connection>, ticket: Ticket, refusal: &Refusal) {
    from.answer(ticket, refusal.answer().fields(refused(refusal)));
}
