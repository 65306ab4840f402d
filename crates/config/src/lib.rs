//! How do settings get their values, and what do users learn about them?
//!
//! A role declares its settings with [`table!`], one line per key, which says everything about it: field, RocketMQ's own key, default,
//! what is allowed, unit, whether it can change at run time, and what it does. From these lines come the struct, parsing, checks, the
//! text of GET_BROKER_CONFIG, run-time updates and the reference page. Next to its table a role lists the keys of Apache RocketMQ that
//! are no settings here, each with the reason ([`JavaKeys`]). The tables are in `roxmq-broker` and `roxmq-nameserver`.
//!
//! ```text
//! --set key=value   >   --config FILE   >   environment   >   default
//! ```
//!
//! A value that is not allowed is an error that names the key, the value, what is allowed and where it was written; it is never
//! replaced by the default. An unknown key is a warning with the nearest known name, as a file of another version must still start.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

mod address_list;
pub mod describe;
mod java_keys;
pub mod kind;
mod load;
mod nearest;
pub mod properties;
#[cfg(test)]
mod sample;
pub mod table;
mod update;

pub use java_keys::{JavaKeys, Stance};
pub use kind::Kind;
pub use load::{ConfigError, Loaded, Notice, Origin, Setting, load, settings_of_environment, settings_of_file};
pub use table::{Change, Key, Table};
pub use update::Update;
