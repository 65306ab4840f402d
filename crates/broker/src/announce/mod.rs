//! How do NameServers learn what changes here, and what do they say of other brokers?

pub mod changing;
pub mod elsewhere;
pub mod pending;
pub mod registering;
pub mod registration;
pub mod route;
pub mod topics;

use pending::PendingAnswers;
use registration::Registration;
use route::KnownRoutes;

/// What was announced, what waits for that, and what others announced.
#[derive(Default)]
pub struct Announcements {
    pub registration: Registration,
    pub pending: PendingAnswers,
    pub routes: KnownRoutes,
}
