//! One shard of the broker: what a turn gathers, and what is done at its end.
//!
//! ```text
//!  request -> send: draft into the batch, a pending answer     pull: answer now, or park
//!  turn    -> one append for the batch
//!          -> answers whose messages are durable; the others wait for the flush watermark
//!          -> held pulls whose queue got a message, as many as it is the turn of
//! ```

mod held;
mod pace;
mod sends;
#[cfg(test)]
mod tests;

use crate::announce::changing;
use crate::announce::pending::PendingAnswer;
use crate::broker::Broker;
use crate::error::{Refusal, answered, taken};
use crate::notify::arrivals::QueueKey;
use crate::notify::shards::{Inbox, ShardLink};
use crate::requests::pull::read::SharedRead;
use crate::requests::send::flow::Flow;
use crate::routes::{self, Lane};
use crate::waiting::transaction::decide;
use crate::waiting::transaction::decisions::{Asked, Pushed};
use held::{Due, HeldPulls};
use pace::Pace;
use roxmq_protocol::code;
use roxmq_remoting::{Answer, Call, Connection, Incoming, Service, ShardHandle, guarded_later};
use roxmq_store::{Batch, Placed};
use sends::{Deferred, Pending, Unflushed, Untold};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The broker's work on one thread.
pub struct BrokerShard {
    broker: Arc<Broker>,
    number: usize,
    inbox: Arc<Inbox>,
    batch: RefCell<Batch>,
    pending: RefCell<Vec<Pending>>,
    placed: RefCell<Vec<Placed>>,
    unflushed: RefCell<VecDeque<Unflushed>>,
    untold: RefCell<Vec<Untold>>,
    deferred: RefCell<VecDeque<Deferred>>,
    deferred_bytes: Cell<usize>,
    /// Topics are being made durable for what is deferred.
    is_settling: Cell<bool>,
    held: RefCell<HashMap<QueueKey, HeldPulls>>,
    /// In the order of their turns.
    due: RefCell<VecDeque<Due>>,
    pace: RefCell<Pace>,
    held_count: Cell<usize>,
    /// No held pull's time is over before.
    next_deadline: Cell<Duration>,
    flow: RefCell<Flow>,
    shared: RefCell<SharedRead>,
}

impl BrokerShard {
    /// A shard of `broker`, reached through `handle` from now on.
    pub fn new(broker: Arc<Broker>, handle: ShardHandle) -> BrokerShard {
        let inbox = Arc::new(Inbox::default());
        let number = broker.shards.add(ShardLink { handle: handle.clone(), inbox: Arc::clone(&inbox) });
        broker.store.wake_when_flushed(Arc::new(move || handle.wake()));
        let flow = Flow::new(&broker);
        let batch = broker.store.batch();
        BrokerShard {
            broker,
            number,
            inbox,
            batch: RefCell::new(batch),
            pending: RefCell::default(),
            placed: RefCell::default(),
            unflushed: RefCell::default(),
            untold: RefCell::default(),
            deferred: RefCell::default(),
            deferred_bytes: Cell::new(0),
            is_settling: Cell::new(false),
            held: RefCell::default(),
            due: RefCell::default(),
            pace: RefCell::default(),
            held_count: Cell::new(0),
            next_deadline: Cell::new(Duration::MAX),
            flow: RefCell::new(flow),
            shared: RefCell::default(),
        }
    }
}

impl Service for BrokerShard {
    fn met_as(&self, local: SocketAddr) -> SocketAddr {
        self.broker.identity.met_as.on(local.ip())
    }

    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        let ticket = request.ticket();
        let Some(route) = routes::route(request.header.code) else {
            let remark = format!(" request type {} not supported", request.header.code);
            return from.answer(ticket, Answer::refused(code::REQUEST_CODE_NOT_SUPPORTED, remark));
        };
        match route.lane {
            Lane::Send(form) => {
                self.flow.borrow_mut().refresh(&self.broker);
                self.take_send(from, &request, form);
            }
            Lane::Pull(form) => {
                self.flow.borrow_mut().refresh(&self.broker);
                self.take_pull(from, &request, form);
            }
            Lane::Turn(handler) => {
                let peer = from.peer();
                let call = Call { header: &request.header, body: request.frame.body, peer: &peer };
                from.answer(ticket, answered(|| handler(&self.broker, &call)));
            }
            Lane::Decide => {
                let asked = Asked { request: request.copy(), peer: from.peer(), ticket };
                match self.broker.waiting.decisions.push(asked) {
                    Pushed::Waits => from.owes(),
                    Pushed::Unserved => {
                        from.owes();
                        let broker = Arc::clone(&self.broker);
                        self.broker.pool.start_single(move || decide::serve(&broker));
                    }
                    Pushed::Refused => from.answer(ticket, Refusal::Busy("too many decisions wait").answer()),
                }
            }
            Lane::Pool(handler) | Lane::Write(handler) => {
                let (broker, peer) = (Arc::clone(&self.broker), from.peer());
                let kept = request.copy();
                let work = move || {
                    let header = kept.header();
                    let call = Call { header: &header, body: kept.body(), peer: &peer };
                    peer.answer(ticket, answered(|| handler(&broker, &call)));
                };
                let pool = &self.broker.pool;
                let is_taken = if matches!(route.lane, Lane::Write(_)) { pool.write(work) } else { pool.look_up(work) };
                if !is_taken {
                    from.answer(ticket, Refusal::Busy("too many such requests wait").answer());
                }
            }
            Lane::Change(handler) => {
                let (broker, peer) = (Arc::clone(&self.broker), from.peer());
                let kept = request.copy();
                let work = move || {
                    let header = kept.header();
                    let call = Call { header: &header, body: kept.body(), peer: &peer };
                    match taken(|| handler(&broker, &call)) {
                        Ok(changed) => changing::answer(&broker, PendingAnswer { peer, ticket, changed }),
                        Err(refusal) => peer.answer(ticket, refusal.answer()),
                    }
                };
                if !self.broker.pool.write(work) {
                    from.answer(ticket, Refusal::Busy("too many such requests wait").answer());
                }
            }
            Lane::Relay(handler) => {
                let peer = from.peer();
                let call = Call { header: &request.header, body: request.frame.body, peer: &peer };
                match taken(|| handler(&self.broker, &call)) {
                    Ok(answer) => {
                        let queued = self.broker.pool.spawn(async move {
                            let answer = guarded_later(answer).await.unwrap_or_else(|panicked| Err(panicked.into()));
                            peer.answer(ticket, answer.unwrap_or_else(|refusal| refusal.answer()));
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

    fn turn(&self) -> Duration {
        self.take_deferred();
        self.append();
        self.flow.borrow_mut().refresh(&self.broker);
        if self.inbox.recheck.swap(false, Ordering::AcqRel) {
            self.refuse_forbidden();
        }
        let arrived = std::mem::take(&mut *self.inbox.arrived.lock());
        arrived.iter().for_each(|queue| self.arrived(queue));
        self.answer_flushed();
        self.answer_told();
        self.answer_overdue();
        self.serve_due().unwrap_or_else(|| self.rest())
    }

    fn closed(&self, connection: &Connection) {
        let queues: Vec<QueueKey> = {
            let held = self.held.borrow();
            held.iter().filter(|(_, waiting)| waiting.holds_of(connection.id)).map(|(queue, _)| queue.clone()).collect()
        };
        for queue in queues {
            self.release(&queue, |pull| pull.from.id == connection.id);
        }
        crate::requests::consumers::heartbeats::connection_lost(&self.broker, connection.id);
    }
}

impl BrokerShard {
    /// How long nothing that waits has to be looked at, unless somebody wakes the shard.
    fn rest(&self) -> Duration {
        match self.unflushed.borrow().is_empty() && self.untold.borrow().is_empty() && self.deferred.borrow().is_empty() {
            false => LOOK_AGAIN,
            true if self.held_count.get() == 0 => Duration::MAX,
            true => self.next_deadline.get().saturating_sub(self.broker.clock.elapsed()),
        }
    }
}

/// How often is looked whether a flush takes too long, or the NameServers have taken note of a topic.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
