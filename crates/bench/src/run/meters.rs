//! What do the broker's process and the generator's own cost while messages are counted?

use crate::measure::process;
use crate::report::figures::Cost;
use std::net::ToSocketAddrs;

/// The processes whose CPU and memory are read: the broker's and the generator's own.
pub struct Meters([Option<u32>; 2]);

impl Meters {
    /// The broker's process is the one given, or else the one that listens on `address`, if that is this machine's.
    pub fn find(given: Option<u32>, address: &str) -> Meters {
        let own = std::process::id();
        let listener = || {
            let socket = address.to_socket_addrs().ok()?.next()?;
            is_here(socket.ip()).then(|| process::listener(socket.port()))?
        };
        Meters([given.or_else(listener).filter(|process| *process != own), Some(own)])
    }

    /// How long each has run, in ns.
    pub fn cpu(&self) -> [Option<u64>; 2] {
        self.0.map(|process| process.and_then(process::cpu_nanos))
    }

    /// The anonymous memory of each and the file pages it has mapped, in bytes.
    pub fn memory(&self) -> [Option<[u64; 2]>; 2] {
        self.0.map(|process| process.and_then(|process| Some([process::anonymous_bytes(process)?, process::file_bytes(process)?])))
    }

    /// What `messages` cost in `nanos`, between two looks at the CPU.
    pub fn costs(
        &self,
        nanos: u64,
        from: [Option<u64>; 2],
        until: [Option<u64>; 2],
        memory: [Option<[u64; 2]>; 2],
        messages: u64,
    ) -> [Option<Cost>; 2] {
        [0, 1].map(|at| {
            let cpu = until[at]?.saturating_sub(from[at]?) as f64;
            let [anonymous, file] = memory[at]?;
            Some(Cost {
                process: self.0[at]?,
                cpu_us_per_message: cpu / 1e3 / messages.max(1) as f64,
                cores: cpu / nanos.max(1) as f64,
                anonymous_mb: anonymous as f64 / 1e6,
                file_mb: file as f64 / 1e6,
            })
        })
    }
}

/// Whether an address is this machine's: one can listen there.
fn is_here(ip: std::net::IpAddr) -> bool {
    ip.is_loopback() || std::net::TcpListener::bind((ip, 0)).is_ok()
}
