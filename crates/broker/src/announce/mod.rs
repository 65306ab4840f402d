//! How are changes announced to the NameServers, and when do they count as made?
//!
//! `registering` tells each NameServer, `changing` answers the requests that made changes. What was announced, how long answers wait for
//! that, and the answers that wait are state in `registration/`. Sends that make a topic wait in `shard/send_stages.rs`.

pub mod changing;
pub mod elsewhere;
pub mod registering;
pub mod route;
pub mod topics;
