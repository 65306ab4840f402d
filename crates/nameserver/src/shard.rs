//! What is done with the requests of one thread's connections?

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use roxmq_remoting::{Answer, Call, Connection, Incoming, Service, guarded};

use crate::nameserver::NameServer;
use crate::routes;

/// One thread's connections.
pub(crate) struct Shard {
    pub(crate) state: Arc<NameServer>,
}

impl Service for Shard {
    fn request(&self, from: &Rc<Connection>, request: Incoming<'_>) {
        let call = Call { header: &request.header, body: request.frame.body, peer: &from.peer() };
        from.answer(request.ticket(), guarded(|| routes::answer(&self.state, &call)).unwrap_or_else(Answer::from));
    }

    fn turn(&self) -> Duration {
        Duration::MAX
    }

    fn closed(&self, connection: &Connection) {
        self.state.channel_lost(connection.id);
    }
}
