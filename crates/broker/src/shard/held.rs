//! Pulls on a shard: answered at once, by the pool when the disk has to be read, or held until a message comes.

use super::BrokerShard;
use crate::error::{Refusal, answered};
use crate::notify::arrivals::QueueKey;
use crate::requests::pull::answer::{PullResult, refused};
use crate::requests::pull::read::{answer_from_disk, serve};
use crate::requests::pull::{PreparedPull, PullForm, check_there, prepare, recheck};
use roxmq_protocol::code;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::HeaderFields;
use roxmq_remoting::{Connection, ConnectionId, Incoming, Ticket};
use roxmq_store::Patience;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A pull that waits, and who waits.
pub(super) struct HeldPull {
    /// Its connection.
    pub(super) from: Rc<Connection>,
    /// Its request.
    pub(super) ticket: Ticket,
    /// Until when, as [`roxmq_env::clock::Clock::elapsed`] counts.
    pub(super) deadline: Duration,
    /// What is wanted.
    pub(super) pull: PreparedPull,
}

impl HeldPull {
    /// Whether it may wait for a message at this time.
    pub(super) fn may_wait(&self, now: Duration) -> bool {
        self.deadline > now && !self.ticket.oneway
    }

    /// Answers the pull.
    pub(super) fn answer(&self, result: &PullResult, body: &[u8]) {
        if self.ticket.oneway {
            return;
        }
        let top = Top::answer(self.ticket.opaque, result.code, Some(result.remark));
        let head = |out: &mut Vec<u8>| header::write_head(out, self.ticket.encoding, top, |sink| result.reply.write(sink), body.len());
        self.from.write_frame(head, body);
    }
}

/// The pulls of a queue that wait for a message.
#[derive(Default)]
pub(super) struct HeldPulls {
    pulls: Vec<HeldPull>,
    /// One came, and they are to look again as soon as it is their turn.
    is_due: bool,
}

/// A queue that got a message for which somebody waits.
pub(super) struct Due {
    queue: QueueKey,
    /// Since when, as [`roxmq_env::clock::Clock::elapsed`] counts.
    since: Duration,
}

impl BrokerShard {
    pub(super) fn take_pull(&self, from: &Rc<Connection>, request: &Incoming<'_>, form: PullForm) {
        let config = Arc::clone(&self.flow.borrow().config);
        let pull = match prepare(&self.broker, &config, from.id, &request.header.fields, form) {
            Ok(pull) => pull,
            Err(refusal) => return refuse(from, request.ticket(), &refusal),
        };
        let now = self.broker.clock.elapsed();
        let held = HeldPull { from: Rc::clone(from), ticket: request.ticket(), deadline: deadline(now, pull.hold), pull };
        if self.must_wait_its_turn(&held, now) {
            let queue = held.pull.queue.clone();
            self.hold(&queue, held);
            return self.arrived(&queue);
        }
        self.shared.borrow_mut().forget();
        self.serve_pull(held, now);
    }

    /// Whether there is something for a pull, but so little that others come first.
    fn must_wait_its_turn(&self, held: &HeldPull, now: Duration) -> bool {
        let pull = &held.pull;
        let found = || self.broker.store.bounds(&pull.queue.topic, pull.queue.queue_id).map_or(0, |(_, max)| max.0 - pull.from);
        self.pace.borrow().is_ahead_of(now, found) && held.may_wait(now) && self.has_room_for_one_more()
    }

    fn has_room_for_one_more(&self) -> bool {
        self.held_count.get() < self.flow.borrow().config.pulls_waiting_max as usize
    }

    /// Answers a pull, or parks it when there is nothing and it may wait.
    pub(super) fn serve_pull(&self, held: HeldPull, now: Duration) {
        if let Err(refusal) = check_there(&self.broker, &held.pull) {
            return refuse(&held.from, held.ticket, &refusal);
        }
        let mut shared = self.shared.borrow_mut();
        let result = serve(&self.broker, &held.pull, Patience::MemoryOnly, &mut shared);
        if result.needs_disk {
            return self.serve_from_disk(held);
        }
        if result.code != code::PULL_NOT_FOUND || !held.may_wait(now) {
            self.pace.borrow_mut().answered(now, result.messages);
            let body = shared.body(&result, held.from.met_as);
            return held.answer(&result, body);
        }
        let queue = held.pull.queue.clone();
        if !self.has_room_for_one_more() {
            return held.answer(&result, &[]);
        }
        if self.hold(&queue, held) {
            // A message may have come between the look and the registration; then nobody would tell us of it.
            let unseen =
                self.broker.store.bounds(&queue.topic, queue.queue_id).is_some_and(|(_, max)| max.0 > result.reply.next_begin_offset);
            if unseen {
                drop(shared);
                self.arrived(&queue);
            }
        }
    }

    /// Has the pool read what is not in memory, so that nobody else on this shard waits for the disk.
    pub(super) fn serve_from_disk(&self, held: HeldPull) {
        let HeldPull { from, ticket, pull, .. } = held;
        let (broker, peer) = (Arc::clone(&self.broker), from.peer());
        let read = move || peer.answer(ticket, answered(|| answer_from_disk(&broker, &pull, peer.met_as())));
        let queued = self.broker.pool.read_old(read);
        if !queued {
            refuse(&from, ticket, &Refusal::Busy("too many reads of old messages wait"));
        }
    }

    /// Has a pull wait. Whether this shard is told of the queue's messages from now on only, not already before.
    pub(super) fn hold(&self, queue: &QueueKey, pull: HeldPull) -> bool {
        let mut held = self.held.borrow_mut();
        let is_new = !held.contains_key(queue);
        if is_new {
            self.broker.shards.arrivals.wait(queue, self.number);
        }
        let waiting = held.entry(queue.clone()).or_default();
        self.next_deadline.set(self.next_deadline.get().min(pull.deadline));
        waiting.pulls.push(pull);
        self.held_count.set(self.held_count.get() + 1);
        is_new
    }

    /// Takes a queue's held pulls off the table.
    pub(super) fn release(&self, queue: &QueueKey, which: impl FnMut(&mut HeldPull) -> bool) -> Vec<HeldPull> {
        let mut held = self.held.borrow_mut();
        let Some(waiting) = held.get_mut(queue) else { return Vec::new() };
        let taken: Vec<HeldPull> = waiting.pulls.extract_if(.., which).collect();
        if waiting.pulls.is_empty() {
            held.remove(queue);
            self.broker.shards.arrivals.leave(queue, self.number);
        }
        self.held_count.set(self.held_count.get() - taken.len());
        taken
    }

    /// Refuses the pulls that wait and may not any more.
    pub(super) fn refuse_forbidden(&self) {
        let queues: Vec<QueueKey> = self.held.borrow().keys().cloned().collect();
        for queue in queues {
            let mut refusals = Vec::new();
            let forbidden = self.release(&queue, |waiting| {
                let checked = recheck(&self.broker, &waiting.pull);
                checked.map_err(|refusal| refusals.push(refusal)).is_err()
            });
            for (held, refusal) in forbidden.into_iter().zip(refusals) {
                refuse(&held.from, held.ticket, &refusal);
            }
        }
    }

    /// A queue got a message: everybody who waits for it looks again at the end of the turn, or a little later when others come first.
    pub(super) fn arrived(&self, queue: &QueueKey) {
        if let Some(waiting) = self.held.borrow_mut().get_mut(queue)
            && !std::mem::replace(&mut waiting.is_due, true)
        {
            self.due.borrow_mut().push_back(Due { queue: queue.clone(), since: self.broker.clock.elapsed() });
        }
    }

    /// Has those look again whose turn it is. How long the next ones wait, if there are any.
    pub(super) fn serve_due(&self) -> Option<Duration> {
        loop {
            let now = self.broker.clock.elapsed();
            let since = self.due.borrow().front()?.since;
            if let Some(wait) = self.pace.borrow().wait(now, since) {
                return Some(wait);
            }
            let next = self.due.borrow_mut().pop_front()?;
            self.serve_again(&next.queue, now);
        }
    }

    /// Everybody who waits for a queue looks again. Meanwhile this shard stays one that is told of further messages, so that none is
    /// missed by those who go on waiting.
    fn serve_again(&self, queue: &QueueKey, now: Duration) {
        let Some(woken) = self.held.borrow_mut().get_mut(queue).map(std::mem::take) else { return };
        self.held_count.set(self.held_count.get() - woken.pulls.len());
        self.shared.borrow_mut().forget();
        for held in woken.pulls {
            self.serve_pull(held, now);
        }
        self.release(queue, |_| false);
    }

    pub(super) fn answer_overdue(&self) {
        if self.held_count.get() == 0 {
            return;
        }
        let now = self.broker.clock.elapsed();
        if now < self.next_deadline.get() {
            return;
        }
        let overdue: Vec<QueueKey> = {
            let held = self.held.borrow();
            held.iter()
                .filter(|(_, waiting)| waiting.pulls.iter().any(|pull| pull.deadline <= now))
                .map(|(queue, _)| queue.clone())
                .collect()
        };
        for queue in overdue {
            for held in self.release(&queue, |pull| pull.deadline <= now) {
                self.shared.borrow_mut().forget();
                self.serve_pull(held, now);
            }
        }
        let next = self.held.borrow().values().flat_map(|waiting| &waiting.pulls).map(|pull| pull.deadline).min();
        self.next_deadline.set(next.unwrap_or(Duration::MAX));
    }
}

impl HeldPulls {
    /// Whether a connection has a pull among them.
    pub(super) fn holds_of(&self, connection: ConnectionId) -> bool {
        self.pulls.iter().any(|pull| pull.from.id == connection)
    }
}

fn refuse(from: &Rc<Connection>, ticket: Ticket, refusal: &Refusal) {
    from.answer(ticket, refusal.answer().fields(refused(refusal)));
}

/// When the time of a pull that waits is over. Times end together, every 100 ms, so that whoever looks for them has that often to look and no
/// more; a turn may come that late anyway.
fn deadline(now: Duration, hold: Duration) -> Duration {
    match hold {
        Duration::ZERO => now,
        _ => Duration::from_millis((now + hold).as_millis().next_multiple_of(100) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_waiting_pulls_end_together_and_never_early() {
        let ms = Duration::from_millis;
        assert_eq!(deadline(ms(1234), Duration::ZERO), ms(1234), "who may not wait does not");
        for now in [0, 1, 99, 100, 101, 1234] {
            for hold in [1, 50, 100, 1000, 15_000] {
                let at = deadline(ms(now), ms(hold));
                assert!(at >= ms(now + hold) && at < ms(now + hold + 100) && at.as_millis().is_multiple_of(100), "{now} + {hold}: {at:?}");
            }
        }
    }
}
