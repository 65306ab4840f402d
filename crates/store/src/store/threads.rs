//! What do the threads of a store do?
//!
//! | thread | does |
//! |---|---|
//! | `roxmq-flush` | makes durable what is written |
//! | `roxmq-store` | housekeeping: the next segment, index files, expired segments |
//! | `roxmq-room` | looks for room on the disk; housekeeping may take seconds on a slow disk, and senders wait for room |

use crate::config::FlushMode;
use crate::locks;
use crate::sleeper::StopFlag;
use crate::store::parts::Parts;
use roxmq_env::lock_order::Mutex;
use roxmq_env::vital;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::thread::JoinHandle;
use std::time::Duration;

/// The threads that run; none in a simulation.
pub(super) struct Threads {
    stop: Arc<StopFlag>,
    running: Mutex<Vec<JoinHandle<()>>>,
}

type Loop = fn(&Parts, &StopFlag);

impl Threads {
    pub fn none(stop: Arc<StopFlag>) -> Threads {
        Threads { stop, running: Mutex::new(locks::THREADS, Vec::new()) }
    }

    pub fn start(&self, parts: &Parts) -> io::Result<()> {
        let loops: [(&str, Loop); 3] = [("roxmq-flush", flush_loop), ("roxmq-store", keeper_loop), ("roxmq-room", look_for_room_loop)];
        for ((name, run), sleeper) in loops.into_iter().zip(parts.sleepers()) {
            let (parts, stop) = (parts.clone(), self.stop.clone());
            let thread = vital::spawn(name, move || run(&parts, &stop))?;
            sleeper.set(thread.thread());
            self.running.lock().push(thread);
        }
        Ok(())
    }

    /// Ends them all, and waits until they have.
    pub fn stop(&self, parts: &Parts) {
        self.stop.set();
        parts.sleepers().into_iter().for_each(|sleeper| sleeper.wake());
        let running = std::mem::take(&mut *self.running.lock());
        for thread in running {
            // The last owner of a store may be one of its threads, which calls wakers.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn flush_loop(parts: &Parts, stop: &StopFlag) {
    let Parts { contents, writer, .. } = parts;
    let is_sync = contents.config.flush == FlushMode::Sync;
    while !stop.is_set() {
        // The wakers say when it fails.
        let _ = parts.flush();
        writer.flusher.sleeps.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let is_behind = is_sync && !writer.fence.is_closed() && contents.watermarks.flushed() != contents.watermarks.written();
        if !is_behind {
            std::thread::park_timeout(writer.flusher.interval());
        }
        writer.flusher.sleeps.store(false, Ordering::SeqCst);
    }
}

fn keeper_loop(parts: &Parts, stop: &StopFlag) {
    while !stop.is_set() {
        parts.keeper.do_round();
        std::thread::park_timeout(ROUND_EVERY);
    }
}

fn look_for_room_loop(parts: &Parts, stop: &StopFlag) {
    while !stop.is_set() {
        parts.keeper.check_space();
        let pause = if parts.contents.space.is_full() { LOOK_FOR_ROOM_EVERY } else { ROUND_EVERY };
        std::thread::park_timeout(pause);
    }
}

const ROUND_EVERY: Duration = Duration::from_millis(500);
const LOOK_FOR_ROOM_EVERY: Duration = Duration::from_millis(50);
