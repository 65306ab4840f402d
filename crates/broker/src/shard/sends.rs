//! How does a shard run sends? It gathers them in a turn, appends them together, and answers them when they are confirmed.

use super::BrokerShard;
use super::send_stages::{Appended, Defer, DeferredSend, Gathered, NewTopicAnswer, Pending, Waited};
use crate::announce::changing;
use crate::error::{Refusal, outcome_of};
use crate::notify::arrivals::QueueKey;
use crate::registration::name_servers;
use crate::requests::send::flow::Sender;
use crate::requests::send::{self, Prepared, Unprepared, answer};
use crate::waiting::fate::Fate;
use roxmq_protocol::code;
use roxmq_protocol::header::Header;
use roxmq_protocol::light::LIGHT_QUEUE_ID;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::request::SendForm;
use roxmq_remoting::{Connection, Incoming};
use roxmq_store::{Batch, Placed};
use smallvec::SmallVec;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of drafts above which a turn's batch is appended before the turn ends: as much as stays in a core's cache from the socket to
/// the log, also when producers have sent far more than that.
const BATCH_BYTES_MAX: usize = 256 * 1024;

impl BrokerShard {
    pub(super) fn take_send(&self, from: &Rc<Connection>, request: &Incoming<'_>, form: SendForm) {
        let ticket = request.ticket();
        // The deferred ones came first.
        self.take_deferred();
        let mut gathered = self.gathered.borrow_mut();
        let waiting = gathered.sends.len() + self.unconfirmed.borrow().len() + self.deferred.borrow().len();
        if waiting >= self.flow.borrow().config.sends_waiting_max as usize {
            return from.answer(ticket, answer::refused(&self.flow.borrow().config, &Refusal::Busy("too many sends wait")));
        }
        match self.prepare(from, &request.header, request.frame.body, form, &mut gathered.batch) {
            Ok(prepared) => gathered.sends.push(Pending { from: Rc::clone(from), ticket, prepared }),
            Err(Unprepared::Refused(refusal)) => from.answer(ticket, answer::refused(&self.flow.borrow().config, &refusal)),
            Err(Unprepared::TopicIsNew { unconfirmed, change }) => {
                self.defer(DeferredSend { from: Rc::clone(from), request: request.copy(), form, ticket, change }, unconfirmed);
            }
        }
        if gathered.batch.bytes() >= BATCH_BYTES_MAX {
            drop(gathered);
            self.append();
        }
    }

    fn prepare(
        &self,
        from: &Connection,
        header: &Header<'_>,
        body: &[u8],
        form: SendForm,
        batch: &mut Batch,
    ) -> Result<Prepared, Unprepared> {
        let sender = Sender { address: from.remote, met_as: from.met_as, version: header.version };
        send::prepare(&self.broker, sender, &header.fields, form, body, &mut self.flow.borrow_mut(), batch)
    }

    fn refuse_deferred(&self, send: &DeferredSend, refusal: &Refusal) {
        send.from.answer(send.ticket, answer::refused(&self.flow.borrow().config, refusal));
    }

    /// Makes the send wait until the pool has confirmed its topic.
    fn defer(&self, send: DeferredSend, unconfirmed: u64) {
        let deferred = self.deferred.borrow_mut().push(send);
        match deferred {
            Defer::Waits => return,
            Defer::FirstOne => {}
            Defer::Full(send) => return self.refuse_deferred(&send, &Refusal::Busy("too many sends wait for new topics")),
        }
        let (broker, inbox, number) = (Arc::clone(&self.broker), Arc::clone(&self.inbox), self.number);
        let sync = move || {
            let synced = outcome_of(|| changing::sync_to(&broker, unconfirmed));
            *inbox.topics_synced.lock() = Some(synced);
            broker.shards.wake(number);
        };
        if !self.broker.pool.write(sync) {
            *self.inbox.topics_synced.lock() = Some(Err(Refusal::Busy("too many writing requests wait")));
        }
    }

    /// Prepares the deferred sends again once the pool is done.
    pub(super) fn take_deferred(&self) {
        if !self.deferred.borrow().is_syncing() {
            return;
        }
        let Some(synced) = self.inbox.topics_synced.lock().take() else { return };
        let sends = self.deferred.borrow_mut().take();
        let mut gathered = self.gathered.borrow_mut();
        for send in sends {
            let header = send.request.header();
            match self.prepare(&send.from, &header, send.request.body(), send.form, &mut gathered.batch) {
                Ok(mut prepared) => {
                    prepared.change = prepared.change.or(send.change);
                    gathered.sends.push(Pending { from: Rc::clone(&send.from), ticket: send.ticket, prepared });
                }
                Err(Unprepared::Refused(refusal)) => self.refuse_deferred(&send, &refusal),
                Err(Unprepared::TopicIsNew { unconfirmed, .. }) => match &synced {
                    // A topic that was made after the others.
                    Ok(()) => self.defer(send, unconfirmed),
                    Err(refusal) => self.refuse_deferred(&send, refusal),
                },
            }
        }
    }

    /// Appends the sends of the turn, and answers those that are confirmed already.
    pub(super) fn append(&self) {
        let mut gathered = self.gathered.borrow_mut();
        let Gathered { batch, sends, places } = &mut *gathered;
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.broker.store.append(batch) {
            let refusal = Refusal::from(error);
            self.broker.counts.figures.put_failed(batch.len());
            batch.clear();
            for Pending { from, ticket, .. } in sends.drain(..) {
                from.answer(ticket, answer::refused(&self.flow.borrow().config, &refusal));
            }
            return;
        }
        let confirmed = self.broker.store.confirmed();
        let timeout = Duration::from_millis(self.broker.config().sync_flush_timeout_ms);
        let deadline = self.broker.clock.elapsed() + timeout;
        let mut arrived: Vec<QueueKey> = Vec::new();
        places.clear();
        places.extend((0..batch.len()).map(|draft| batch.placed(draft)));
        // Counters are looked up by topic, so messages to the same topic are counted together.
        for of_topic in sends.chunk_by(|one, next| Rc::ptr_eq(&one.prepared.destination, &next.prepared.destination)) {
            let (first, last) = (&of_topic[0].prepared, &of_topic[of_topic.len() - 1].prepared);
            answer::count_stored(&self.broker, first, &places[first.range.start..last.range.end]);
        }
        for send in sends.drain(..) {
            let Prepared { range, destination, queue_id, fate, .. } = &send.prepared;
            if let Some(hint) = batch.hint(range.start).filter(|_| !fate.waits()) {
                destination.note(*queue_id, hint);
            }
            let places = &places[range.clone()];
            let end = places.last().map_or(LogOffset(0), |place| place.end);
            if end <= confirmed {
                self.answer_send(&send, places, code::SUCCESS);
                self.notify_of(&send.prepared, &mut arrived);
            } else if send.prepared.waits {
                self.unconfirmed.borrow_mut().push(Appended { end, deadline: Some(deadline), places: SmallVec::from_slice(places), send });
            } else {
                self.answer_send(&send, places, code::SUCCESS);
                let answered = Appended { end, deadline: None, places: SmallVec::new(), send: send.answered() };
                self.unconfirmed.borrow_mut().push_answered(answered);
            }
        }
        batch.clear();
        drop(gathered);
        arrived.iter().for_each(|queue| self.arrived(queue));
    }

    /// Answers the sends that are confirmed by now, those that have waited too long, and all of them once the store is fenced.
    pub(super) fn answer_confirmed(&self) {
        if self.unconfirmed.borrow().is_empty() {
            return;
        }
        let confirmed = self.broker.store.confirmed();
        let now = self.broker.clock.elapsed();
        let fenced = self.broker.store.fenced();
        let mut arrived = Vec::new();
        loop {
            let first = self.unconfirmed.borrow_mut().take_first(confirmed, now, fenced.is_some());
            let Some((first, waited)) = first else { break };
            match waited {
                Waited::Confirmed => {
                    self.answer_send(&first.send, &first.places, code::SUCCESS);
                    self.notify_of(&first.send.prepared, &mut arrived);
                }
                Waited::Fenced => {
                    let refusal = Refusal::Fenced(fenced.clone().unwrap_or_default());
                    first.send.from.answer(first.send.ticket, answer::refused(&self.flow.borrow().config, &refusal));
                }
                Waited::TooLong => {
                    self.answer_send(&first.send, &first.places, code::FLUSH_DISK_TIMEOUT);
                    // It is in the log, and is read once it is confirmed.
                    let answered = Appended { deadline: None, send: first.send.answered(), ..first };
                    self.unconfirmed.borrow_mut().push_answered(answered);
                }
            }
        }
        arrived.iter().for_each(|queue| self.arrived(queue));
    }

    fn answer_send(&self, send: &Pending, places: &[Placed], code: i32) {
        let Pending { from, ticket, prepared } = send;
        if ticket.oneway {
            return;
        }
        let write = |out: &mut Vec<u8>| {
            answer::write(&mut self.flow.borrow_mut(), *ticket, from.met_as, prepared, places, code, out);
        };
        match prepared.change.filter(|change| !self.broker.announcements.registration.is_announced(*change)) {
            None => from.write(write),
            Some(change) => {
                let mut frames = Vec::new();
                write(&mut frames);
                let deadline = self.broker.clock.elapsed() + name_servers::PATIENCE;
                self.unannounced.borrow_mut().push(NewTopicAnswer { from: Rc::clone(from), frames, change, deadline });
            }
        }
    }

    /// Gives the answers about new topics that NameServers know by now, or have not taken note of in time.
    pub(super) fn answer_announced(&self) {
        let mut unannounced = self.unannounced.borrow_mut();
        if !unannounced.is_empty() {
            unannounced.give(self.broker.clock.elapsed(), |change| self.broker.announcements.registration.is_announced(change));
        }
    }

    /// Notifies the pulls that are held for the queues of a confirmed message: other shards at once, those of this shard through `mine`.
    fn notify_of(&self, prepared: &Prepared, mine: &mut Vec<QueueKey>) {
        if let Fate::At(due) = prepared.fate {
            return self.broker.waiting.timers.arrived(prepared.destination.name(), due);
        }
        self.notify_of_queue(prepared.destination.name(), prepared.queue_id, mine);
        for name in prepared.light_queues.split(',').filter(|name| !name.is_empty()) {
            self.notify_of_queue(name, LIGHT_QUEUE_ID, mine);
        }
    }

    fn notify_of_queue(&self, topic: &str, queue_id: u32, mine: &mut Vec<QueueKey>) {
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
