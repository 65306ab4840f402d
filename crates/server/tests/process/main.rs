//! What the binary does as a process: starting, stopping, and being killed.

mod addresses;
mod bench;
mod check;
mod kill;
mod routes;
mod running;
mod smoke;
