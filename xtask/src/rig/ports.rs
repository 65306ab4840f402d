//! Which ports are free for the servers of this run?

use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

/// Finds a port such that all `offsets` from it are free too, none of them in `taken`, and adds them there.
pub fn free(offsets: &[i32], taken: &mut Vec<u16>) -> Result<u16, String> {
    let mut state = seed();
    for _ in 0..ATTEMPTS_MAX {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let port = FIRST + ((state >> 33) % u64::from(LAST - FIRST)) as u16;
        let wanted: Vec<u16> = offsets.iter().filter_map(|offset| u16::try_from(i32::from(port) + offset).ok()).collect();
        let held: Vec<TcpListener> =
            wanted.iter().filter(|port| !taken.contains(port)).filter_map(|port| TcpListener::bind(("0.0.0.0", *port)).ok()).collect();
        if held.len() == offsets.len() {
            taken.extend(wanted);
            return Ok(port);
        }
    }
    Err(format!("no free port found between {FIRST} and {LAST}"))
}

/// A number that differs from run to run.
pub fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_nanos() as u64) ^ (u64::from(std::process::id()) << 40)
}

// Below the range from which Linux and macOS take ports for outgoing connections, above the well-known ones.
const FIRST: u16 = 20_000;
const LAST: u16 = 30_000;
const ATTEMPTS_MAX: u32 = 1_000;
