//! The outside world: clock and disk, real or simulated; this machine's addresses; the configuration tables; what the allocator, the
//! scheduler and vital threads are asked for. Sockets are in `roxmq-remoting`; chance is asked for where it is needed.

pub mod address;
pub mod allocator;
pub mod clock;
pub mod config;
pub mod disk;
pub mod slices;
pub mod teeth;
pub mod vital;
