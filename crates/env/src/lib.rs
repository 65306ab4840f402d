//! The outside world as one value: clock, disk, randomness, and the configuration tables.

pub mod address;
pub mod allocator;
pub mod clock;
pub mod config;
pub mod disk;
pub mod slices;
pub mod teeth;
pub mod vital;
