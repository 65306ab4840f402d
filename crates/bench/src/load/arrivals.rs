//! Which timed messages were received, and when?

use crate::measure::clock;
use roxmq_protocol::record::Record;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A timed message that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its number.
    pub number: u64,
    /// When it was stored in its topic, in ms since 1970.
    pub stored_ms: i64,
    /// When it was received, in ns since 1970.
    pub received_ns: u64,
}

/// The messages of a run that were received.
#[derive(Debug)]
pub struct Arrivals {
    run: u32,
    is_over: AtomicBool,
    list: Mutex<Vec<Arrival>>,
}

impl Arrivals {
    /// Nothing yet of a run.
    pub fn new(run: u32) -> Arc<Arrivals> {
        Arc::new(Arrivals { run, is_over: AtomicBool::new(false), list: Mutex::default() })
    }

    /// The number of the run.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// A record was received; whether it is one of the run.
    pub fn add(&self, record: &Record<'_>, run: u32, number: u64) -> bool {
        if run != self.run {
            return false;
        }
        let arrival = Arrival { number, stored_ms: record.store_timestamp.0, received_ns: clock::wall_nanos() };
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
        true
    }

    /// Says that no more are waited for.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether no more are waited for.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// How many were received.
    pub fn count(&self) -> usize {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All of them, in the order in which they came.
    pub fn all(&self) -> Vec<Arrival> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
