//! Which settings exist, and how do they get their values?
//!
//! One table line per key, [`BrokerConfig`] in `broker.rs` and [`NameServerConfig`] in `nameserver.rs`, says everything about it: field,
//! RocketMQ's own key, default, what is allowed, unit, whether it can change at run time, and what it does. From these lines come the
//! structs, parsing, checks, the text of GET_BROKER_CONFIG, run-time updates and `docs/config.md`. `java_keys.rs` lists the keys of
//! Apache RocketMQ that are no settings here, each with the reason.
//!
//! ```text
//! --set key=value   >   --config FILE   >   environment   >   default
//! ```
//!
//! A value that is not allowed is an error that names the key, the value, what is allowed and where it was written; it is never
//! replaced by the default. An unknown key is a warning with the nearest known name, as a file of another version must still start.

pub mod address_list;
mod broker;
mod describe;
mod java_keys;
mod kind;
mod load;
mod nameserver;
mod nearest;
pub mod properties;
mod table;
mod update;

pub use broker::BrokerConfig;
pub use describe::reference_page;
pub use java_keys::{JavaKeys, Stance};
pub use kind::{BrokerRole, DelayLadder, FlushDiskType};
pub use load::{ConfigError, Loaded, Notice, Origin, Setting, load, settings_of_environment, settings_of_file};
pub use nameserver::NameServerConfig;
pub use table::{Change, Key, Table};
pub use update::Update;
