//! What does a thread of the broker do? It runs its connections' requests: what a turn gathers, and what is done at its end.
//!
//! ```text
//!  request -> send: its drafts are gathered                    pull: answered now, or held
//!  turn    -> one append for all drafts
//!          -> answers to sends that are confirmed; the others wait for the watermark
//!          -> held pulls whose queue got a message, as many as have their turn
//! ```

mod held;
mod lanes;
mod pace;
mod pulls;
mod send_stages;
mod sends;
#[cfg(test)]
mod tests;

use crate::broker::Broker;
use crate::notify::arrivals::QueueKey;
use crate::notify::shards::{Inbox, ShardLink};
use crate::requests::consumers::heartbeats;
use crate::requests::pull::read::SharedRead;
use crate::requests::send::flow::Flow;
use crate::routes::{self, Lane};
use held::HeldPulls;
use lanes::Threads;
use roxmq_protocol::code;
use roxmq_remoting::{Answer, Connection, Incoming, Service, ShardHandle};
use send_stages::{Deferred, Gathered, Unannounced, Unconfirmed};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a shard checks whether a flush takes too long, or NameServers know a new topic.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The broker's work on one thread.
pub struct BrokerShard {
    broker: Arc<Broker>,
    number: usize,
    inbox: Arc<Inbox>,
    flow: RefCell<Flow>,
    gathered: RefCell<Gathered>,
    unconfirmed: RefCell<Unconfirmed>,
    unannounced: RefCell<Unannounced>,
    deferred: RefCell<Deferred>,
    held: RefCell<HeldPulls>,
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
            flow: RefCell::new(flow),
            gathered: RefCell::new(Gathered::new(batch)),
            unconfirmed: RefCell::default(),
            unannounced: RefCell::default(),
            deferred: RefCell::default(),
            held: RefCell::default(),
            shared: RefCell::default(),
        }
    }

    /// How long a turn can be put off, unless the shard is woken.
    fn rest(&self) -> Duration {
        let waits_for_others =
            !self.unconfirmed.borrow().is_empty() || !self.unannounced.borrow().is_empty() || !self.deferred.borrow().is_empty();
        let held = self.held.borrow();
        if waits_for_others {
            CHECK_INTERVAL
        } else if held.count() == 0 {
            Duration::MAX
        } else {
            held.next_deadline().saturating_sub(self.broker.clock.elapsed())
        }
    }
}

impl Service for BrokerShard {
    fn met_as(&self, local: SocketAddr) -> SocketAddr {
        self.broker.identity.met_as.on(local.ip())
    }

    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        let Some(route) = routes::route(request.header.code) else {
            let remark = format!(" request type {} not supported", request.header.code);
            return from.answer(request.ticket(), Answer::refused(code::REQUEST_CODE_NOT_SUPPORTED, remark));
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
            Lane::Turn(handler) => self.run_at_once(from, &request, handler),
            Lane::Pool(handler) => self.run_on_pool(from, &request, handler, Threads::LookUp),
            Lane::Write(handler) => self.run_on_pool(from, &request, handler, Threads::Write),
            Lane::Change(handler) => self.run_change(from, &request, handler),
            Lane::Decide => self.decide(from, &request),
            Lane::Relay(handler) => self.relay(from, &request, handler),
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
        self.answer_confirmed();
        self.answer_announced();
        self.answer_overdue();
        self.serve_due().unwrap_or_else(|| self.rest())
    }

    fn closed(&self, connection: &Connection) {
        let queues: Vec<QueueKey> = self.held.borrow().queues_of(connection.id);
        for queue in queues {
            self.release(&queue, |pull| pull.from.id == connection.id);
        }
        heartbeats::connection_lost(&self.broker, connection.id);
    }
}
