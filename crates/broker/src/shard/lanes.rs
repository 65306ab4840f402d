//! How are requests run that neither send nor pull? At once, or on the pool, as their lane says (`routes.rs`).

use super::BrokerShard;
use crate::announce::changing;
use crate::delivery::decide;
use crate::error::{Refusal, answer_of, outcome_of};
use crate::registration::pending::PendingAnswer;
use crate::routes::{ChangeHandler, Handler, RelayHandler};
use crate::waiting::transaction::decisions::{PendingDecision, Pushed};
use roxmq_remoting::{Call, Connection, Incoming, guarded_later};
use std::rc::Rc;
use std::sync::Arc;

/// Which threads of the pool run a handler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// Those that look things up.
    LookUp,
    /// Those that may wait for a write.
    Write,
}

impl BrokerShard {
    pub(super) fn run_at_once(&self, from: &Rc<Connection>, request: &Incoming<'_>, handler: Handler) {
        let peer = from.peer();
        let call = Call { header: &request.header, body: request.frame.body, peer: &peer };
        from.answer(request.ticket(), answer_of(|| handler(&self.broker, &call)));
    }

    pub(super) fn run_on_pool(&self, from: &Rc<Connection>, request: &Incoming<'_>, handler: Handler, threads: Threads) {
        let (broker, peer, ticket) = (Arc::clone(&self.broker), from.peer(), request.ticket());
        let request = request.copy();
        let work = move || {
            let header = request.header();
            let call = Call { header: &header, body: request.body(), peer: &peer };
            peer.answer(ticket, answer_of(|| handler(&broker, &call)));
        };
        let is_queued = match threads {
            Threads::LookUp => self.broker.pool.look_up(work),
            Threads::Write => self.broker.pool.write(work),
        };
        if !is_queued {
            from.answer(ticket, Refusal::Busy("too many such requests wait").answer());
        }
    }

    /// Runs a handler that changes tables; it is answered once the change is durable.
    pub(super) fn run_change(&self, from: &Rc<Connection>, request: &Incoming<'_>, handler: ChangeHandler) {
        let (broker, peer, ticket) = (Arc::clone(&self.broker), from.peer(), request.ticket());
        let request = request.copy();
        let work = move || {
            let header = request.header();
            let call = Call { header: &header, body: request.body(), peer: &peer };
            match outcome_of(|| handler(&broker, &call)) {
                Ok(changed) => changing::answer(&broker, PendingAnswer { peer, ticket, changed }),
                Err(refusal) => peer.answer(ticket, refusal.answer()),
            }
        };
        if !self.broker.pool.write(work) {
            from.answer(ticket, Refusal::Busy("too many such requests wait").answer());
        }
    }

    /// Queues a decision about a half message, and has the pool serve the queue unless it does so already.
    pub(super) fn decide(&self, from: &Rc<Connection>, request: &Incoming<'_>) {
        let ticket = request.ticket();
        let decision = PendingDecision { request: request.copy(), peer: from.peer(), ticket };
        match self.broker.waiting.decisions.push(decision) {
            Pushed::Waits => from.owes(),
            Pushed::Unserved => {
                from.owes();
                let broker = Arc::clone(&self.broker);
                self.broker.pool.start_single(move || decide::serve(&broker));
            }
            Pushed::Refused => from.answer(ticket, Refusal::Busy("too many decisions wait").answer()),
        }
    }

    /// Runs a handler whose answer comes from a client or a NameServer.
    pub(super) fn relay(&self, from: &Rc<Connection>, request: &Incoming<'_>, handler: RelayHandler) {
        let (peer, ticket) = (from.peer(), request.ticket());
        let call = Call { header: &request.header, body: request.frame.body, peer: &peer };
        let answer = match outcome_of(|| handler(&self.broker, &call)) {
            Ok(answer) => answer,
            Err(refusal) => return from.answer(ticket, refusal.answer()),
        };
        let is_queued = self.broker.pool.spawn(async move {
            let answer = guarded_later(answer).await.unwrap_or_else(|panicked| Err(panicked.into()));
            peer.answer(ticket, answer.unwrap_or_else(|refusal| refusal.answer()));
        });
        if !is_queued {
            from.answer(ticket, Refusal::Busy("too many relayed requests wait").answer());
        }
    }
}
