//! Which pulls does a shard hold, and whose turn is it? Pulls that wait for a message, by queue.

use super::pace::Pace;
use crate::notify::arrivals::QueueKey;
use crate::requests::pull::PreparedPull;
use crate::requests::pull::answer::PullResult;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::HeaderFields;
use roxmq_remoting::{Connection, ConnectionId, Ticket};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// A pull and its request.
pub(super) struct HeldPull {
    pub(super) from: Rc<Connection>,
    pub(super) ticket: Ticket,
    /// Until when it may wait, as [`roxmq_env::clock::Clock::elapsed`] counts.
    pub(super) deadline: Duration,
    pub(super) prepared: PreparedPull,
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

/// The pulls that are held for a queue.
#[derive(Default)]
struct OfQueue {
    pulls: Vec<HeldPull>,
    /// The queue got a message, and its pulls are served again when it is their turn.
    is_due: bool,
}

/// A queue that got a message for which pulls are held.
struct Due {
    queue: QueueKey,
    /// Since when.
    since: Duration,
}

/// Is a held pull the only one of its queue?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// It is: the shard must be notified of the queue's messages from now on.
    First,
    /// There are others.
    Another,
}

/// Pulls that are held no more.
pub(super) struct Released {
    pub(super) pulls: Vec<HeldPull>,
    /// The queue had pulls, and has none now: the shard need not be notified of its messages any more.
    pub(super) were_last: bool,
}

/// The next step for queues that got messages.
pub(super) enum Turn {
    /// None has.
    Nothing,
    /// Serve the pulls of this one.
    Serve(QueueKey),
    /// Wait so long: others come first.
    Wait(Duration),
}

/// The pulls that a shard holds, and how fast it answers.
pub(super) struct HeldPulls {
    by_queue: HashMap<QueueKey, OfQueue>,
    /// In the order of their turns.
    due: VecDeque<Due>,
    count: usize,
    /// No pull's deadline is before.
    next_deadline: Duration,
    pub(super) pace: Pace,
}

impl Default for HeldPulls {
    fn default() -> HeldPulls {
        HeldPulls { by_queue: HashMap::new(), due: VecDeque::new(), count: 0, next_deadline: Duration::MAX, pace: Pace::default() }
    }
}

impl HeldPulls {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Before this time no deadline is over.
    pub(super) fn next_deadline(&self) -> Duration {
        self.next_deadline
    }

    /// Holds a pull of the queue.
    pub(super) fn hold(&mut self, queue: &QueueKey, pull: HeldPull) -> Held {
        self.count += 1;
        self.next_deadline = self.next_deadline.min(pull.deadline);
        if let Some(held) = self.by_queue.get_mut(queue) {
            held.pulls.push(pull);
            return Held::Another;
        }
        self.by_queue.insert(queue.clone(), OfQueue { pulls: vec![pull], is_due: false });
        Held::First
    }

    /// Gives up some of a queue's pulls.
    pub(super) fn release(&mut self, queue: &QueueKey, which: impl FnMut(&mut HeldPull) -> bool) -> Released {
        let Some(held) = self.by_queue.get_mut(queue) else { return Released { pulls: Vec::new(), were_last: false } };
        let pulls: Vec<HeldPull> = held.pulls.extract_if(.., which).collect();
        let were_last = held.pulls.is_empty();
        if were_last {
            self.by_queue.remove(queue);
        }
        self.count -= pulls.len();
        Released { pulls, were_last }
    }

    /// A queue got a message: its pulls are served again when it is their turn.
    pub(super) fn arrived(&mut self, queue: &QueueKey, now: impl FnOnce() -> Duration) {
        if let Some(held) = self.by_queue.get_mut(queue)
            && !std::mem::replace(&mut held.is_due, true)
        {
            self.due.push_back(Due { queue: queue.clone(), since: now() });
        }
    }

    /// Whose turn is it?
    pub(super) fn next_turn(&mut self, now: Duration) -> Turn {
        let Some(first) = self.due.front() else { return Turn::Nothing };
        match self.pace.wait(now, first.since) {
            Some(wait) => Turn::Wait(wait),
            None => self.due.pop_front().map_or(Turn::Nothing, |first| Turn::Serve(first.queue)),
        }
    }

    /// Takes all pulls of a queue, which stays one that the shard is notified of until [`HeldPulls::release`]: those that go on waiting
    /// miss no message.
    pub(super) fn take(&mut self, queue: &QueueKey) -> Vec<HeldPull> {
        let taken = self.by_queue.get_mut(queue).map(std::mem::take).unwrap_or_default();
        self.count -= taken.pulls.len();
        taken.pulls
    }

    /// All queues for which pulls are held.
    pub(super) fn queues(&self) -> Vec<QueueKey> {
        self.by_queue.keys().cloned().collect()
    }

    /// The queues for which a connection has held pulls.
    pub(super) fn queues_of(&self, connection: ConnectionId) -> Vec<QueueKey> {
        self.queues_with(|pull| pull.from.id == connection)
    }

    /// The queues with pulls whose deadline is over.
    pub(super) fn overdue(&self, now: Duration) -> Vec<QueueKey> {
        self.queues_with(|pull| pull.deadline <= now)
    }

    fn queues_with(&self, is_meant: impl Fn(&HeldPull) -> bool) -> Vec<QueueKey> {
        self.by_queue.iter().filter(|(_, held)| held.pulls.iter().any(&is_meant)).map(|(queue, _)| queue.clone()).collect()
    }

    /// Finds the next deadline, after those that are over were answered.
    pub(super) fn find_next_deadline(&mut self) {
        let next = self.by_queue.values().flat_map(|held| &held.pulls).map(|pull| pull.deadline).min();
        self.next_deadline = next.unwrap_or(Duration::MAX);
    }
}

/// Until when a pull may wait. Deadlines fall together, every 100 ms, so that looking for those that are over happens that often and no
/// more; a turn may come that late anyway.
pub(super) fn deadline(now: Duration, hold: Duration) -> Duration {
    match hold {
        Duration::ZERO => now,
        _ => Duration::from_millis((now + hold).as_millis().next_multiple_of(100) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fall_together_and_never_early() {
        let ms = Duration::from_millis;
        assert_eq!(deadline(ms(1234), Duration::ZERO), ms(1234), "a pull that may not wait does not");
        for now in [0, 1, 99, 100, 101, 1234] {
            for hold in [1, 50, 100, 1000, 15_000] {
                let at = deadline(ms(now), ms(hold));
                assert!(at >= ms(now + hold) && at < ms(now + hold + 100) && at.as_millis().is_multiple_of(100), "{now} + {hold}: {at:?}");
            }
        }
    }
}
