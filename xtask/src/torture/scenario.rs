//! Which scenarios are there? One file for each kind of harm.

mod beside_slow_sync;
mod clock;
mod crash;
mod flips;
mod full;
mod io_error;
mod metadata;
mod read_only;
mod shim;
mod simulated;
mod slow_sync;
mod start_time;
mod teeth;

use crate::torture::contract::{Options, Outcome};

/// A kind of harm.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done.
    pub what: &'static str,
    /// Cycles of a full run.
    pub long: u64,
    /// Cycles of a short one.
    pub short: u64,
    /// Does it.
    pub run: fn(&Options) -> Result<Outcome, String>,
}

const fn scenario(name: &'static str, what: &'static str, long: u64, short: u64, run: fn(&Options) -> Result<Outcome, String>) -> Scenario {
    Scenario { name, what, long, short, run }
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    scenario("powercut-sync", "power cut under load, SYNC_FLUSH; root", 1000, 20, crash::power_cut_sync),
    scenario("powercut-async", "power cut under load, ASYNC_FLUSH; root", 300, 15, crash::power_cut_async),
    scenario("kill-sync", "kill -9 and SIGSTOP, also while starting, SYNC_FLUSH", 500, 20, crash::kill_sync),
    scenario("kill-async", "kill -9 and SIGSTOP, also while starting, ASYNC_FLUSH", 500, 20, crash::kill_async),
    scenario("dead-disk", "the disk dies while the broker goes on; root", 100, 10, crash::dead_disk),
    scenario("read-only", "the file system turns read-only under load; root", 100, 4, read_only::read_only),
    scenario("slow-sync", "every sync takes up to half a second, kill -9 and power cut; root", 100, 3, slow_sync::slow_sync),
    scenario("beside-slow-sync", "every sync takes 2 s, and lookups do not wait", 10, 1, beside_slow_sync::lookups),
    scenario("clock-jumps", "the wall clock jumps by seconds to days", 200, 6, clock::jumps),
    scenario("start-time", "starts over 1, 5 and 20 GB after kill -9; a real disk", 5, 3, start_time::independent_of_size),
    scenario("powercut-metadata", "power cut while tables are changed; root", 2000, 40, metadata::power_cut),
    scenario("damage", "bits flipped, files cut, derived files deleted", 10_000, 100, flips::damage),
    scenario("disk-full", "the disk filled and drained; root", 200, 20, full::fill_and_drain),
    scenario("eio", "EIO or a short write at the n-th call, for every n", u64::MAX, 40, io_error::every_call),
    scenario("simulated", "crash histories on a simulated disk", 1_000_000, 1000, simulated::histories),
    scenario("teeth", "planted bugs, each of which must be found; root", 1, 1, teeth::all),
];

/// The one of a name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}
