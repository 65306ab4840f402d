//! What the binary does as a process: starting, stopping, and being killed.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

mod addresses;
mod bench;
mod check;
mod kill;
mod routes;
mod running;
mod smoke;
