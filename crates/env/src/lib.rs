//! What does the outside world give us? A clock, a disk (real or simulated), chance, what this machine is called and where it is found, and what the
//! allocator, the scheduler and vital threads are asked for. And locks that are taken in one order only.
//!
//! Nothing here knows of brokers and messages. Sockets are in `roxmq-remoting`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests are their own world"))]

pub mod allocator;
pub mod clock;
pub mod disk;
pub mod lock_order;
pub mod machine;
pub mod randomness;
pub mod slices;
pub mod teeth;
pub mod vital;
