//! What the binary does as a process: starting, stopping, and being killed.

mod addresses;
mod bench;
mod check;
mod kill;
mod running;
mod smoke;
