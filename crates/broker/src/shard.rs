//! One shard of the broker: what a turn gathers, and what is done at its end.
//!
//! ```text
//!  request -> send: draft into the batch, a pending answer     pull: answer now, or park
//!  turn    -> one append for the batch
//!          -> answers whose messages are durable; the others wait for the flush watermark
//!          -> parked pulls whose queue got a message
//! ```

use crate::pull::Parked;
use crate::routes::{self, Route, SendForm};
use crate::send::{self, Flow, Prepared};
use crate::tables::arrivals::QueueKey;
use crate::transaction::decisions::Asked;
use crate::{Broker, Call, Refusal, registration};
use parking_lot::Mutex;
use roxmq_protocol::code;
use roxmq_protocol::light::LIGHT_QUEUE_ID;
use roxmq_protocol::record::LogOffset;
use roxmq_remoting::{Answer, Connection, Incoming, Service, ShardHandle, Ticket};
use roxmq_store::{Batch, Patience, Placed};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bytes of drafts above which a turn's batch is appended before its end, so that one turn cannot hoard memory.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What other threads leave for a shard: queues that got a message, and whether somebody changed what may be read.
#[derive(Default)]
pub struct Inbox {
    arrived: Mutex<Vec<QueueKey>>,
    recheck: AtomicBool,
}

/// A shard as the rest of the broker sees it.
pub struct ShardDoor {
    /// Wakes it.
    pub handle: ShardHandle,
    /// What is left for it.
    pub inbox: Arc<Inbox>,
}

impl ShardDoor {
    /// Tells the shard that a queue got a message.
    pub fn tell(&self, queue: QueueKey) {
        self.inbox.arrived.lock().push(queue);
        self.handle.wake();
    }

    /// Has the shard ask of every pull that waits whether it still may.
    pub fn recheck(&self) {
        self.inbox.recheck.store(true, Ordering::Release);
        self.handle.wake();
    }
}

/// A send whose record is in the batch, and who waits for its answer.
struct Pending {
    from: Rc<Connection>,
    ticket: Ticket,
    prepared: Prepared,
}

/// A stored send that waits until its record is durable.
struct Unflushed {
    end: LogOffset,
    deadline: Duration,
    pending: Pending,
    places: SmallVec<[Placed; 1]>,
}

/// An answer that waits until the NameServers were told of a new topic, so that a client that asks them next finds it.
struct Untold {
    from: Rc<Connection>,
    frames: Vec<u8>,
    change: u64,
    deadline: Duration,
}

/// The broker's work on one thread.
pub struct BrokerShard {
    broker: Arc<Broker>,
    number: usize,
    inbox: Arc<Inbox>,
    batch: RefCell<Batch>,
    pending: RefCell<Vec<Pending>>,
    placed: RefCell<Vec<Placed>>,
    msg_id: RefCell<String>,
    unflushed: RefCell<VecDeque<Unflushed>>,
    untold: RefCell<Vec<Untold>>,
    parked: RefCell<HashMap<QueueKey, Vec<Parked>>>,
    parked_count: Cell<usize>,
    /// No parked pull's time is over before.
    next_late: Cell<Duration>,
    flow: RefCell<Flow>,
    answer_body: RefCell<Vec<u8>>,
}

impl BrokerShard {
    /// A shard of `broker`, reached through `handle` from now on.
    pub fn new(broker: Arc<Broker>, handle: ShardHandle) -> BrokerShard {
        let inbox = Arc::new(Inbox::default());
        let number = broker.add_shard(ShardDoor { handle: handle.clone(), inbox: Arc::clone(&inbox) });
        broker.store.wake_when_flushed(Arc::new(move || handle.wake()));
        let flow = Flow::new(broker.config());
        let batch = broker.store.batch();
        BrokerShard {
            broker,
            number,
            inbox,
            batch: RefCell::new(batch),
            pending: RefCell::default(),
            placed: RefCell::default(),
            msg_id: RefCell::default(),
            unflushed: RefCell::default(),
            untold: RefCell::default(),
            parked: RefCell::default(),
            parked_count: Cell::new(0),
            next_late: Cell::new(Duration::MAX),
            flow: RefCell::new(flow),
            answer_body: RefCell::default(),
        }
    }

    fn take_send(&self, from: &Rc<Connection>, request: &Incoming<'_>, form: SendForm) {
        let ticket = request.ticket();
        if self.pending.borrow().len() + self.unflushed.borrow().len() >= self.flow.borrow().config.sends_waiting_max as usize {
            return from.answer(ticket, Refusal::Busy("too many sends wait").answer());
        }
        let prepared = send::prepare(
            &self.broker,
            send::Sender { address: from.remote, version: request.header.version },
            &request.header.fields,
            form,
            request.frame.body,
            &mut self.flow.borrow_mut(),
            &mut self.batch.borrow_mut(),
        );
        match prepared {
            Ok(prepared) => self.pending.borrow_mut().push(Pending { from: Rc::clone(from), ticket, prepared }),
            Err(refusal) => from.answer(ticket, refusal.answer()),
        }
        if self.batch.borrow().bytes() >= BATCH_BYTES_MAX {
            self.append();
        }
    }

    fn take_pull(&self, from: &Rc<Connection>, request: &Incoming<'_>, lite: bool) {
        let pull = match crate::pull::prepare(&self.broker, &request.header.fields, lite) {
            Ok(pull) => pull,
            Err(refusal) => return from.answer(request.ticket(), refusal.answer().fields(crate::pull::refused(&refusal))),
        };
        let now = self.broker.clock.elapsed();
        let parked = Parked { from: Rc::clone(from), ticket: request.ticket(), deadline: deadline(now, pull.hold), pull };
        self.serve_pull(parked, now, true);
    }

    /// Answers a pull, or parks it when there is nothing and it may wait.
    fn serve_pull(&self, parked: Parked, now: Duration, first: bool) {
        let mut body = self.answer_body.borrow_mut();
        body.clear();
        let may_wait = parked.deadline > now && !parked.ticket.oneway;
        let result = crate::pull::read(&self.broker, &parked.pull, Patience::MemoryOnly, &mut body);
        if result.needs_disk {
            return self.serve_from_disk(parked);
        }
        if result.code != code::PULL_NOT_FOUND || !may_wait {
            return parked.answer(result, &body);
        }
        let queue = parked.pull.queue.clone();
        if self.parked_count.get() >= self.broker.config().pulls_waiting_max as usize {
            return parked.answer(result, &body);
        }
        self.park(&queue, parked);
        if first {
            // A message may have come between the look and the registration; then nobody would tell us of it.
            let unseen =
                self.broker.store.bounds(&queue.topic, queue.queue_id).is_some_and(|(_, max)| max.0 > result.reply.next_begin_offset);
            if unseen {
                drop(body);
                self.arrived(&queue);
            }
        }
    }

    /// Has the pool read what is not in memory, so that nobody else on this shard waits for the disk.
    fn serve_from_disk(&self, parked: Parked) {
        let Parked { from, ticket, pull, .. } = parked;
        let (broker, peer) = (Arc::clone(&self.broker), from.peer());
        let queued = self.broker.pool.read_old(move || peer.answer(ticket, guarded(|| Ok(crate::pull::answer_from_disk(&broker, &pull)))));
        if !queued {
            let refusal = Refusal::Busy("too many reads of old messages wait");
            from.answer(ticket, refusal.answer().fields(crate::pull::refused(&refusal)));
        }
    }

    fn park(&self, queue: &QueueKey, pull: Parked) {
        let mut parked = self.parked.borrow_mut();
        let waiting = parked.entry(queue.clone()).or_default();
        if waiting.is_empty() {
            self.broker.arrivals.wait(queue, self.number);
        }
        self.next_late.set(self.next_late.get().min(pull.deadline));
        waiting.push(pull);
        self.parked_count.set(self.parked_count.get() + 1);
    }

    /// Takes a queue's parked pulls off the table.
    fn unpark(&self, queue: &QueueKey, which: impl FnMut(&mut Parked) -> bool) -> Vec<Parked> {
        let mut parked = self.parked.borrow_mut();
        let Some(waiting) = parked.get_mut(queue) else { return Vec::new() };
        let taken: Vec<Parked> = waiting.extract_if(.., which).collect();
        if waiting.is_empty() {
            parked.remove(queue);
            self.broker.arrivals.leave(queue, self.number);
        }
        self.parked_count.set(self.parked_count.get() - taken.len());
        taken
    }

    /// Refuses the pulls that wait and may not any more.
    fn refuse_forbidden(&self) {
        let queues: Vec<QueueKey> = self.parked.borrow().keys().cloned().collect();
        for queue in queues {
            let mut refusals = Vec::new();
            let forbidden = self.unpark(&queue, |waiting| {
                let checked = crate::pull::recheck(&self.broker, &waiting.pull);
                checked.map_err(|refusal| refusals.push(refusal)).is_err()
            });
            for (parked, refusal) in forbidden.into_iter().zip(refusals) {
                parked.from.answer(parked.ticket, refusal.answer().fields(crate::pull::refused(&refusal)));
            }
        }
    }

    /// A queue got a message: everybody who waits for it looks again.
    fn arrived(&self, queue: &QueueKey) {
        let now = self.broker.clock.elapsed();
        for parked in self.unpark(queue, |_| true) {
            self.serve_pull(parked, now, false);
        }
    }

    /// Appends what the turn gathered and answers what is durable already.
    fn append(&self) {
        let mut batch = self.batch.borrow_mut();
        if batch.is_empty() {
            return;
        }
        // Nothing below takes another send, so its buffer can be put back for the next turn.
        let mut pending = std::mem::take(&mut *self.pending.borrow_mut());
        let outcome = self.broker.store.append(&mut batch);
        if let Err(error) = outcome {
            let refusal = send::refusal(&error);
            self.broker.figures.put_failed(batch.len());
            batch.clear();
            for Pending { from, ticket, .. } in pending.drain(..) {
                from.answer(ticket, refusal.answer());
            }
            *self.pending.borrow_mut() = pending;
            return;
        }
        let durable = self.broker.store.durable();
        let timeout = Duration::from_millis(self.broker.config().sync_flush_timeout_ms);
        let deadline = self.broker.clock.elapsed() + timeout;
        let mut arrived: Vec<QueueKey> = Vec::new();
        let mut placed = self.placed.borrow_mut();
        placed.clear();
        placed.extend((0..batch.len()).map(|draft| batch.placed(draft)));
        // Counters are looked up by topic, so messages to the same topic are counted together.
        for of_topic in pending.chunk_by(|one, next| Arc::ptr_eq(&one.prepared.topic, &next.prepared.topic)) {
            let (first, last) = (&of_topic[0].prepared, &of_topic[of_topic.len() - 1].prepared);
            self.broker.stored(first, &placed[first.range.start..last.range.end]);
        }
        for pending in pending.drain(..) {
            let places = &placed[pending.prepared.range.clone()];
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
    fn answer_flushed(&self) {
        if self.unflushed.borrow().is_empty() {
            return;
        }
        let durable = self.broker.store.durable();
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
                first.pending.from.answer(first.pending.ticket, Refusal::Fenced(why.clone()).answer());
            } else {
                self.answer_send(&first.pending, &first.places, code::FLUSH_DISK_TIMEOUT);
                // It is in the log and will be read once it is durable.
                let silent = Pending { ticket: Ticket { oneway: true, ..first.pending.ticket }, ..first.pending };
                self.unflushed.borrow_mut().push_back(Unflushed { deadline: Duration::MAX, pending: silent, ..first });
            }
        }
        arrived.iter().for_each(|queue| self.arrived(queue));
    }

    fn answer_send(&self, pending: &Pending, places: &[Placed], code: i32) {
        let Pending { from, ticket, prepared } = pending;
        if ticket.oneway {
            return;
        }
        let write = |out: &mut Vec<u8>| {
            send::write_answer(&self.broker, *ticket, prepared, places, code, &mut self.msg_id.borrow_mut(), out);
        };
        match prepared.change.filter(|change| !self.broker.registration.is_told(*change)) {
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
    fn answer_told(&self) {
        let mut untold = self.untold.borrow_mut();
        if untold.is_empty() {
            return;
        }
        let now = self.broker.clock.elapsed();
        for told in untold.extract_if(.., |held| held.deadline <= now || self.broker.registration.is_told(held.change)) {
            told.from.write(|out| out.extend_from_slice(&told.frames));
        }
    }

    /// Finds who waits for the queues of a stored message. Those of this shard are gathered, the others' shards are told.
    fn tell_of(&self, prepared: &Prepared, mine: &mut Vec<QueueKey>) {
        if let Some(due_ms) = prepared.due_ms {
            return self.broker.timers.arrived(&prepared.topic.topic_name, due_ms);
        }
        self.tell_of_queue(&prepared.topic.topic_name, prepared.queue_id, mine);
        for name in prepared.light_queues.split(',').filter(|name| !name.is_empty()) {
            self.tell_of_queue(name, LIGHT_QUEUE_ID, mine);
        }
    }

    fn tell_of_queue(&self, topic: &str, queue_id: u32, mine: &mut Vec<QueueKey>) {
        let Some((queue, shards)) = self.broker.arrivals.waiting(topic, queue_id) else { return };
        for shard in shards {
            if shard != self.number {
                self.broker.tell_shard(shard, queue.clone());
            } else if !mine.contains(&queue) {
                mine.push(queue.clone());
            }
        }
    }

    fn answer_late(&self) {
        if self.parked_count.get() == 0 {
            return;
        }
        let now = self.broker.clock.elapsed();
        if now < self.next_late.get() {
            return;
        }
        let late: Vec<QueueKey> = {
            let parked = self.parked.borrow();
            parked.iter().filter(|(_, waiting)| waiting.iter().any(|pull| pull.deadline <= now)).map(|(queue, _)| queue.clone()).collect()
        };
        for queue in late {
            for parked in self.unpark(&queue, |pull| pull.deadline <= now) {
                self.serve_pull(parked, now, false);
            }
        }
        let next = self.parked.borrow().values().flatten().map(|pull| pull.deadline).min();
        self.next_late.set(next.unwrap_or(Duration::MAX));
    }
}

impl Service for BrokerShard {
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        let ticket = request.ticket();
        let Some(route) = routes::find(request.header.code) else {
            let remark = format!(" request type {} not supported", request.header.code);
            return from.answer(ticket, Answer::refused(code::REQUEST_CODE_NOT_SUPPORTED, remark));
        };
        match route {
            Route::Send(form) => self.take_send(from, &request, form),
            Route::Pull { lite } => self.take_pull(from, &request, lite),
            Route::Turn(handler) => {
                let peer = from.peer();
                let call = Call { header: &request.header, body: request.frame.body, peer: &peer, local: from.local };
                from.answer(ticket, guarded(|| handler(&self.broker, &call)));
            }
            Route::Decide => {
                let asked = Asked { request: request.keep(), peer: from.peer(), ticket };
                match self.broker.decisions.push(&self.broker, asked) {
                    true => from.owes(),
                    false => from.answer(ticket, Refusal::Busy("too many decisions wait").answer()),
                }
            }
            Route::Pool(handler) => {
                let (broker, peer, local) = (Arc::clone(&self.broker), from.peer(), from.local);
                let kept = request.keep();
                let work = move || {
                    let header = kept.header();
                    let call = Call { header: &header, body: kept.body(), peer: &peer, local };
                    peer.answer(ticket, guarded(|| handler(&broker, &call)));
                };
                if !self.broker.pool.run(work) {
                    from.answer(ticket, Refusal::Busy("too many such requests wait").answer());
                }
            }
            Route::Relay(handler) => {
                let peer = from.peer();
                let call = Call { header: &request.header, body: request.frame.body, peer: &peer, local: from.local };
                match handler(&self.broker, &call) {
                    Ok(answer) => {
                        let queued = self.broker.pool.spawn(async move {
                            let answer = answer.await.unwrap_or_else(|refusal| refusal.answer());
                            peer.answer(ticket, answer);
                        });
                        if !queued {
                            from.answer(ticket, Refusal::Busy("too many relayed requests wait").answer());
                        }
                    }
                    Err(refusal) => from.answer(ticket, refusal.answer()),
                }
            }
        }
    }

    fn turn(&self) {
        self.append();
        self.flow.borrow_mut().config = self.broker.config();
        if self.inbox.recheck.swap(false, Ordering::AcqRel) {
            self.refuse_forbidden();
        }
        let arrived = std::mem::take(&mut *self.inbox.arrived.lock());
        arrived.iter().for_each(|queue| self.arrived(queue));
        self.answer_flushed();
        self.answer_told();
        self.answer_late();
    }

    fn closed(&self, connection: &Connection) {
        let queues: Vec<QueueKey> = {
            let parked = self.parked.borrow();
            let of_it = |waiting: &Vec<Parked>| waiting.iter().any(|pull| pull.from.id == connection.id);
            parked.iter().filter(|(_, waiting)| of_it(waiting)).map(|(queue, _)| queue.clone()).collect()
        };
        for queue in queues {
            self.unpark(&queue, |pull| pull.from.id == connection.id);
        }
        crate::consumers::connection_lost(&self.broker, connection.id);
    }
}

/// When the time of a pull that waits is over. Times end together, every 100 ms, so that whoever looks for them has that often to look and no
/// more; a turn may come that late anyway.
fn deadline(now: Duration, hold: Duration) -> Duration {
    match hold {
        Duration::ZERO => now,
        _ => Duration::from_millis((now + hold).as_millis().next_multiple_of(100) as u64),
    }
}

/// Runs a handler; a panic in it is answered like any other failure and costs nobody else anything.
fn guarded(handler: impl FnOnce() -> Result<Answer, Refusal>) -> Answer {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(handler)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => refusal.answer(),
        Err(_) => Refusal::Failed("the request failed inside the broker; its log says where".into()).answer(),
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
