//! How do NameServers learn what changes here, and what do they know of others?

pub mod changing;
pub mod elsewhere;
pub mod promises;
pub mod registering;
pub mod registration;
pub mod route;
pub mod topics;

use promises::Promises;
use registration::Registration;
use route::KnownRoutes;

/// What is announced, and what waits for it.
#[derive(Default)]
pub struct Announcements {
    pub registration: Registration,
    pub promises: Promises,
    pub routes: KnownRoutes,
}
