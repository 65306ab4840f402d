//! Where is a send between its request and its answer? `sends.rs` moves it on, sets its deadline and answers it.
//!
//! ```text
//! request -> Deferred     its topic is not confirmed yet
//!         -> Gathered     its drafts are in the batch of the turn, which is appended at the end of the turn
//!         -> Unconfirmed  it is in the log, and not as durable yet as the settings promise
//!         -> Unannounced  its topic is new, and NameServers do not know it yet
//!         -> answer
//! ```
//! Most sends are gathered, and answered when the turn ends.

use crate::requests::send::Prepared;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::request::SendForm;
use roxmq_remoting::{Connection, Received, Ticket};
use roxmq_store::{Batch, Placed};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// Bytes of bodies of deferred sends.
const DEFERRED_BYTES_MAX: usize = 64 << 20;

/// A send whose drafts are in the batch or in the log, and its request.
pub(super) struct Pending {
    pub(super) from: Rc<Connection>,
    pub(super) ticket: Ticket,
    pub(super) prepared: Prepared,
}

impl Pending {
    /// The send once it is answered: held pulls are still notified of its messages.
    pub(super) fn answered(self) -> Pending {
        Pending { ticket: Ticket { oneway: true, ..self.ticket }, ..self }
    }
}

/// The sends of a turn.
pub(super) struct Gathered {
    pub(super) batch: Batch,
    pub(super) sends: Vec<Pending>,
    /// A buffer: where the drafts of the batch have come to lie in the log.
    pub(super) places: Vec<Placed>,
}

impl Gathered {
    pub(super) fn new(batch: Batch) -> Gathered {
        Gathered { batch, sends: Vec::new(), places: Vec::new() }
    }
}

/// A send in the log.
pub(super) struct Appended {
    /// Where its last record ends.
    pub(super) end: LogOffset,
    /// When its sender is answered that the flush takes too long; `None` once it is answered.
    pub(super) deadline: Option<Duration>,
    pub(super) send: Pending,
    pub(super) places: SmallVec<[Placed; 1]>,
}

/// Why a send is not waited for any more.
#[derive(Clone, Copy)]
pub(super) enum Waited {
    /// It is confirmed.
    Confirmed,
    /// The store is fenced; it will not be confirmed.
    Fenced,
    /// Its deadline is over.
    TooLong,
}

/// Sends in the log that are not confirmed yet.
#[derive(Default)]
pub(super) struct Unconfirmed {
    /// Their senders wait. In the order of the log, which is that of their deadlines.
    waiting: VecDeque<Appended>,
    /// Their senders are answered; they are announced to held pulls once they are confirmed. In the order of the log.
    answered: VecDeque<Appended>,
}

impl Unconfirmed {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.answered.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.answered.len()
    }

    /// One whose sender waits.
    pub(super) fn push(&mut self, send: Appended) {
        self.waiting.push_back(send);
    }

    /// One whose sender is answered already.
    pub(super) fn push_answered(&mut self, send: Appended) {
        let at = self.answered.partition_point(|before| before.end < send.end);
        self.answered.insert(at, send);
    }

    /// Takes a send that need not wait any more, and says why.
    pub(super) fn take_first(&mut self, confirmed: LogOffset, now: Duration, is_fenced: bool) -> Option<(Appended, Waited)> {
        for queue in [&mut self.answered, &mut self.waiting] {
            let Some(first) = queue.front() else { continue };
            let waited = match first.end <= confirmed {
                true => Waited::Confirmed,
                false if is_fenced => Waited::Fenced,
                false if first.deadline.is_some_and(|deadline| deadline <= now) => Waited::TooLong,
                false => continue,
            };
            return queue.pop_front().map(|first| (first, waited));
        }
        None
    }
}

/// The answer to a send that has made a topic.
pub(super) struct NewTopicAnswer {
    pub(super) from: Rc<Connection>,
    pub(super) frames: Vec<u8>,
    /// The change that NameServers have to know.
    pub(super) change: u64,
    pub(super) deadline: Duration,
}

/// Answers that wait until NameServers know a new topic: a client that asks one of them next finds it.
#[derive(Default)]
pub(super) struct Unannounced(Vec<NewTopicAnswer>);

impl Unannounced {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, answer: NewTopicAnswer) {
        self.0.push(answer);
    }

    /// Gives the answers whose topics are announced, and those that have waited long enough.
    pub(super) fn give(&mut self, now: Duration, is_announced: impl Fn(u64) -> bool) {
        for answer in self.0.extract_if(.., |answer| answer.deadline <= now || is_announced(answer.change)) {
            answer.from.write(|out| out.extend_from_slice(&answer.frames));
        }
    }
}

/// A send that cannot be prepared before its topic is confirmed, see [`crate::requests::send::Unprepared::TopicIsNew`].
pub(super) struct DeferredSend {
    pub(super) from: Rc<Connection>,
    pub(super) request: Received,
    pub(super) form: SendForm,
    pub(super) ticket: Ticket,
    /// The change that is announced before the send is answered.
    pub(super) change: Option<u64>,
}

/// The outcome of deferring a send.
pub(super) enum Defer {
    /// It waits; the pool is confirming topics already.
    Waits,
    /// It waits, and is the first: the pool has to start.
    FirstOne,
    /// It has to be refused: there are too many.
    Full(DeferredSend),
}

/// The deferred sends.
#[derive(Default)]
pub(super) struct Deferred {
    sends: VecDeque<DeferredSend>,
    bytes: usize,
    /// The pool is confirming their topics.
    is_syncing: bool,
}

impl Deferred {
    pub(super) fn is_empty(&self) -> bool {
        self.sends.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.sends.len()
    }

    /// Whether the pool works for them.
    pub(super) fn is_syncing(&self) -> bool {
        self.is_syncing
    }

    pub(super) fn push(&mut self, send: DeferredSend) -> Defer {
        let bytes = self.bytes + send.request.body().len();
        if bytes > DEFERRED_BYTES_MAX {
            return Defer::Full(send);
        }
        self.bytes = bytes;
        self.sends.push_back(send);
        match std::mem::replace(&mut self.is_syncing, true) {
            true => Defer::Waits,
            false => Defer::FirstOne,
        }
    }

    /// All of them, once the pool is done.
    pub(super) fn take(&mut self) -> VecDeque<DeferredSend> {
        std::mem::take(self).sends
    }
}
