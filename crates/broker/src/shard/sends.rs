//! Sends on a shard: gathered in a turn, appended together, answered when they are as durable as they should be.

use super::BrokerShard;
use crate::announce::{changing, registration};
use crate::error::{Refusal, taken};
use crate::message::fate::Fate;
use crate::notify::arrivals::QueueKey;
use crate::requests::send::flow::Sender;
use crate::requests::send::{self, Prepared, Unprepared, answer};
use roxmq_protocol::code;
use roxmq_protocol::header::Header;
use roxmq_protocol::light::LIGHT_QUEUE_ID;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::request::SendForm;
use roxmq_remoting::{Connection, Incoming, Received, Ticket};
use roxmq_store::Placed;
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of drafts above which a turn's batch is appended before its end: as much as stays in a core's cache from the socket to the log,
/// also when producers have sent far more than that.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// Bytes of bodies of sends that wait until their topics are durable.
const DEFERRED_BYTES_MAX: usize = 64 << 20;

/// A send whose record is in the batch, and who waits for its answer.
pub(super) struct Pending {
    from: Rc<Connection>,
    ticket: Ticket,
    prepared: Prepared,
}

/// A stored send that waits until its record is durable.
pub(super) struct Unflushed {
    end: LogOffset,
    deadline: Duration,
    pending: Pending,
    places: SmallVec<[Placed; 1]>,
}

/// A send that waits until its topic is durable, see [`Unprepared::TopicIsNew`].
pub(super) struct Deferred {
    from: Rc<Connection>,
    request: Received,
    form: SendForm,
    ticket: Ticket,
    /// The change that NameServers are told of first.
    change: Option<u64>,
}

/// An answer that waits until the NameServers were told of a new topic, so that a client that asks them next finds it.
pub(super) struct Untold {
    from: Rc<Connection>,
    frames: Vec<u8>,
    change: u64,
    deadline: Duration,
}

impl BrokerShard {
    pub(super) fn take_send(&self, from: &Rc<Connection>, request: &Incoming<'_>, form: SendForm) {
        let ticket = request.ticket();
        // Those came first.
        self.take_deferred();
        let waiting = self.pending.borrow().len() + self.unflushed.borrow().len() + self.deferred.borrow().len();
        if waiting >= self.flow.borrow().config.sends_waiting_max as usize {
            return from.answer(ticket, answer::refused(&self.flow.borrow().config, &Refusal::Busy("too many sends wait")));
        }
        match self.prepare(from, &request.header, request.frame.body, form) {
            Ok(prepared) => self.pending.borrow_mut().push(Pending { from: Rc::clone(from), ticket, prepared }),
            Err(Unprepared::Refused(refusal)) => from.answer(ticket, answer::refused(&self.flow.borrow().config, &refusal)),
            Err(Unprepared::TopicIsNew { owed, change }) => {
                self.defer(Deferred { from: Rc::clone(from), request: request.copy(), form, ticket, change }, owed);
            }
        }
        if self.batch.borrow().bytes() >= BATCH_BYTES_MAX {
            self.append();
        }
    }

    fn prepare(&self, from: &Connection, header: &Header<'_>, body: &[u8], form: SendForm) -> Result<Prepared, Unprepared> {
        let sender = Sender { address: from.remote, met_as: from.met_as, version: header.version };
        let (mut flow, mut batch) = (self.flow.borrow_mut(), self.batch.borrow_mut());
        send::prepare(&self.broker, sender, &header.fields, form, body, &mut flow, &mut batch)
    }

    fn refuse(&self, deferred: &Deferred, refusal: &Refusal) {
        deferred.from.answer(deferred.ticket, answer::refused(&self.flow.borrow().config, refusal));
    }

    /// Has the send wait, and the pool make its topic durable meanwhile.
    fn defer(&self, deferred: Deferred, owed: u64) {
        let bytes = self.deferred_bytes.get() + deferred.request.body().len();
        if bytes > DEFERRED_BYTES_MAX {
            return self.refuse(&deferred, &Refusal::Busy("too many sends wait for new topics"));
        }
        self.deferred_bytes.set(bytes);
        self.deferred.borrow_mut().push_back(deferred);
        if self.is_settling.replace(true) {
            return;
        }
        let (broker, inbox, number) = (Arc::clone(&self.broker), Arc::clone(&self.inbox), self.number);
        let settle = move || {
            let settled = taken(|| changing::settle_to(&broker, owed));
            *inbox.settled.lock() = Some(settled);
            broker.shards.wake(number);
        };
        if !self.broker.pool.write(settle) {
            *self.inbox.settled.lock() = Some(Err(Refusal::Busy("too many writing requests wait")));
        }
    }

    /// Takes the sends again that waited for their topics.
    pub(super) fn take_deferred(&self) {
        if !self.is_settling.get() {
            return;
        }
        let Some(settled) = self.inbox.settled.lock().take() else { return };
        self.is_settling.set(false);
        let deferred = std::mem::take(&mut *self.deferred.borrow_mut());
        self.deferred_bytes.set(0);
        for deferred in deferred {
            let header = deferred.request.header();
            match self.prepare(&deferred.from, &header, deferred.request.body(), deferred.form) {
                Ok(mut prepared) => {
                    prepared.change = prepared.change.or(deferred.change);
                    self.pending.borrow_mut().push(Pending { from: Rc::clone(&deferred.from), ticket: deferred.ticket, prepared });
                }
                Err(Unprepared::Refused(refusal)) => self.refuse(&deferred, &refusal),
                Err(Unprepared::TopicIsNew { owed, .. }) => match &settled {
                    // A topic that was made after the others.
                    Ok(()) => self.defer(deferred, owed),
                    Err(refusal) => self.refuse(&deferred, refusal),
                },
            }
        }
    }

    /// Appends what the turn gathered and answers what is durable already.
    pub(super) fn append(&self) {
        let mut batch = self.batch.borrow_mut();
        if batch.is_empty() {
            return;
        }
        // Nothing below takes another send, so its buffer can be put back for the next turn.
        let mut pending = std::mem::take(&mut *self.pending.borrow_mut());
        let outcome = self.broker.store.append(&mut batch);
        if let Err(error) = outcome {
            let refusal = Refusal::from(error);
            self.broker.counts.figures.put_failed(batch.len());
            batch.clear();
            for Pending { from, ticket, .. } in pending.drain(..) {
                from.answer(ticket, answer::refused(&self.flow.borrow().config, &refusal));
            }
            *self.pending.borrow_mut() = pending;
            return;
        }
        let durable = self.broker.store.confirmed();
        let timeout = Duration::from_millis(self.broker.config().sync_flush_timeout_ms);
        let deadline = self.broker.clock.elapsed() + timeout;
        let mut arrived: Vec<QueueKey> = Vec::new();
        let mut placed = self.placed.borrow_mut();
        placed.clear();
        placed.extend((0..batch.len()).map(|draft| batch.placed(draft)));
        // Counters are looked up by topic, so messages to the same topic are counted together.
        for of_topic in pending.chunk_by(|one, next| Rc::ptr_eq(&one.prepared.destination, &next.prepared.destination)) {
            let (first, last) = (&of_topic[0].prepared, &of_topic[of_topic.len() - 1].prepared);
            answer::count_stored(&self.broker, first, &placed[first.range.start..last.range.end]);
        }
        for pending in pending.drain(..) {
            let Prepared { range, destination, queue_id, fate, .. } = &pending.prepared;
            if let Some(hint) = batch.hint(range.start).filter(|_| !fate.waits()) {
                destination.note(*queue_id, hint);
            }
            let places = &placed[range.clone()];
            let end = places.last().map_or(LogOffset(0), |place| place.end);
            if end <= durable {
                self.answer_send(&pending, places, code::SUCCESS);
                self.tell_of(&pending.prepared, &mut arrived);
            } else if pending.prepared.waits {
                self.unflushed.borrow_mut().push_back(Unflushed { end, deadline, places: SmallVec::from_slice(places), pending });
            } else {
                self.answer_send(&pending, places, code::SUCCESS);
                let silent = Pending { ticket: Ticket { oneway: true, ..pending.ticket }, ..pending };
                self.unflushed.borrow_mut().push_back(Unflushed { end, deadline, places: SmallVec::new(), pending: silent });
            }
        }
        *self.pending.borrow_mut() = pending;
        batch.clear();
        drop((batch, placed));
        arrived.iter().for_each(|queue| self.arrived(queue));
    }

    /// Answers the sends that the flush watermark has passed, those that waited too long, and all of them once the store is closed.
    pub(super) fn answer_flushed(&self) {
        if self.unflushed.borrow().is_empty() {
            return;
        }
        let durable = self.broker.store.confirmed();
        let now = self.broker.clock.elapsed();
        let fenced = self.broker.store.fenced();
        let mut arrived = Vec::new();
        loop {
            let mut unflushed = self.unflushed.borrow_mut();
            let Some(first) = unflushed.front() else { break };
            let flushed = first.end <= durable;
            if !flushed && first.deadline > now && fenced.is_none() {
                break;
            }
            let Some(first) = unflushed.pop_front() else { break };
            drop(unflushed);
            if flushed {
                self.answer_send(&first.pending, &first.places, code::SUCCESS);
                self.tell_of(&first.pending.prepared, &mut arrived);
            } else if let Some(why) = &fenced {
                let refused = answer::refused(&self.flow.borrow().config, &Refusal::Fenced(why.clone()));
                first.pending.from.answer(first.pending.ticket, refused);
            } else {
                self.answer_send(&first.pending, &first.places, code::FLUSH_DISK_TIMEOUT);
                // It is in the log and will be read once it is durable.
                let silent = Pending { ticket: Ticket { oneway: true, ..first.pending.ticket }, ..first.pending };
                self.unflushed.borrow_mut().push_back(Unflushed { deadline: Duration::MAX, pending: silent, ..first });
            }
        }
        arrived.iter().for_each(|queue| self.arrived(queue));
    }

    pub(super) fn answer_send(&self, pending: &Pending, places: &[Placed], code: i32) {
        let Pending { from, ticket, prepared } = pending;
        if ticket.oneway {
            return;
        }
        let write = |out: &mut Vec<u8>| {
            answer::write(&mut self.flow.borrow_mut(), *ticket, from.met_as, prepared, places, code, out);
        };
        match prepared.change.filter(|change| !self.broker.announce.registration.is_announced(*change)) {
            None => from.write(write),
            Some(change) => {
                let mut frames = Vec::new();
                write(&mut frames);
                let deadline = self.broker.clock.elapsed() + registration::PATIENCE;
                self.untold.borrow_mut().push(Untold { from: Rc::clone(from), frames, change, deadline });
            }
        }
    }

    /// Gives the answers about new topics that the NameServers know by now, or have not taken note of in time.
    pub(super) fn answer_told(&self) {
        let mut untold = self.untold.borrow_mut();
        if untold.is_empty() {
            return;
        }
        let now = self.broker.clock.elapsed();
        for told in untold.extract_if(.., |held| held.deadline <= now || self.broker.announce.registration.is_announced(held.change)) {
            told.from.write(|out| out.extend_from_slice(&told.frames));
        }
    }

    /// Finds who waits for the queues of a stored message. Those of this shard are gathered, the others' shards are told.
    pub(super) fn tell_of(&self, prepared: &Prepared, mine: &mut Vec<QueueKey>) {
        if let Fate::At(due) = prepared.fate {
            return self.broker.waiting.timers.arrived(prepared.destination.name(), due);
        }
        self.tell_of_queue(prepared.destination.name(), prepared.queue_id, mine);
        for name in prepared.light_queues.split(',').filter(|name| !name.is_empty()) {
            self.tell_of_queue(name, LIGHT_QUEUE_ID, mine);
        }
    }

    pub(super) fn tell_of_queue(&self, topic: &str, queue_id: u32, mine: &mut Vec<QueueKey>) {
        let Some((queue, shards)) = self.broker.shards.arrivals.waiting(topic, queue_id) else { return };
        for shard in shards {
            if shard != self.number {
                self.broker.shards.notify_shard(shard, queue.clone());
            } else if !mine.contains(&queue) {
                mine.push(queue.clone());
            }
        }
    }
}
