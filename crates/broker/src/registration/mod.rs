//! What was announced to the NameServers, which answers wait for that, and which routes of other brokers are known? State only; the
//! announcing is done in `announce`.

pub mod known_routes;
pub mod name_servers;
pub mod pending;

use known_routes::KnownRoutes;
use name_servers::Registration;
use pending::PendingAnswers;

/// What was announced, what waits for that, and what others announced.
#[derive(Default)]
pub struct Announcements {
    pub registration: Registration,
    pub pending: PendingAnswers,
    pub routes: KnownRoutes,
}
