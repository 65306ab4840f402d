//! With what do tasks try things out? Programs that are built or fetched, folders and ports of a run, a broker and a client.

pub mod broker;
pub mod client;
pub mod command;
pub mod folder;
pub mod ports;
pub mod programs;
