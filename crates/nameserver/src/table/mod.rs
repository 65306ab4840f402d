//! Which brokers hold which topic, and which of them are alive? The state of a NameServer as plain values.
//!
//! Nothing here waits, locks or looks at a clock: an event comes in as a call with its time, and notices for others come out as
//! values. Follows Java's `RouteInfoManager`.
//!
//! ```text
//! groups    broker name -> id -> member                        one group is a master (id 0) and its replicas
//! topics    topic -> broker name -> queues                     as brokers list them
//! wiped     broker name -> of which start                      an operator's word; it overrides the brokers' lists
//! ```
//!
//! A member is one registration: of (cluster, name, id, address), made on a connection. It goes with its own goodbye, the end of its own
//! connection, or its own silence; nothing that another registration does removes it, except that its broker registers under another id
//! on the same connection, or another broker under its id.
//!
//! Only the master of a group says what its topics are, or its lowest replica where replicas may act as master. A master's list is the
//! truth: a topic that it lacks leaves the routes (see [`whole`] for which lists are lists of all topics).

mod departure;
mod lists;
mod min_id;
mod reach;
mod registration;
mod route;
mod state;
mod topics;
mod whole;
mod wipes;

pub use departure::Gone;
#[cfg(test)]
pub use departure::SILENCE_MAX;
pub use lists::UnitTopics;
pub use min_id::MinIdChange;
pub use reach::Viewer;
pub use registration::{Registered, Registration};
pub use state::{BrokerRef, ChannelId, MASTER_ID, Policy, RouteTable, Wiped};
pub use wipes::WIPED_MAX;
