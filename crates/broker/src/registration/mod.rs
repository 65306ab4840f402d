//! What was announced to the NameServers, which answers wait for that, and what do NameServers say of other brokers? State only; the
//! announcing is done in `announce`.

pub mod name_servers;
pub mod pending;
pub mod route;

use name_servers::Registration;
use pending::PendingAnswers;
use route::KnownRoutes;

/// What was announced, what waits for that, and what others announced.
#[derive(Default)]
pub struct Announcements {
    pub registration: Registration,
    pub pending: PendingAnswers,
    pub routes: KnownRoutes,
}
