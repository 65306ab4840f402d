//! How is each request answered? One file or folder for each group of request codes; `routes.rs` says which handler takes which code.

pub mod admin;
pub mod assignment;
pub mod consumers;
pub mod groups;
pub mod offsets;
pub mod order;
pub mod progress;
pub mod pull;
pub mod query;
pub mod relay;
pub mod reply;
pub mod resets;
pub mod send;
pub mod send_back;
pub mod timers;
pub mod topics;
pub mod transactions;
