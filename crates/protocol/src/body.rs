//! Which JSON bodies do requests and answers have? One type for each shape, one file for each subject.
//!
//! Members are declared in alphabetical order because fastjson writes them so. Unknown members are ignored, missing
//! ones have the default of the Java class. `Option` members without a value are left out.
//! The names are those of the Java classes in `org.apache.rocketmq.remoting.protocol`.

mod assignment;
mod cluster;
mod connection;
mod group;
mod heartbeat;
mod lists;
mod lock;
mod mapping;
mod offset;
mod queue;
mod register;
mod route;
mod running;
mod stats;
mod timer;
mod topic;
mod version;

pub use assignment::*;
pub use cluster::*;
pub use connection::*;
pub use group::*;
pub use heartbeat::*;
pub use lists::*;
pub use lock::*;
pub use mapping::*;
pub use offset::*;
pub use queue::*;
pub use register::*;
pub use route::*;
pub use running::*;
pub use stats::*;
pub use timer::*;
pub use topic::*;
pub use version::*;

#[cfg(test)]
mod tests;
