//! What comes out of the topic, and when? A consumer that waits for it, in a thread of its own.

use crate::clock::{self, Clock, Window};
use crate::pull::{Cursor, Puller, PullerShape, Reading};
use crate::queues::Queues;
use crate::tally::Tally;
use crate::timer::outcome::Arrival;
use crate::wire::{self, Pauses};
use roxmq_protocol::frame::Encoding;
use roxmq_protocol::record::Record;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

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
        let arrival = Arrival { number, stored_ms: record.store_timestamp, received_ns: clock::wall_nanos() };
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
        true
    }

    /// Whether nobody waits for more.
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

/// The consumer.
pub struct Watch {
    thread: JoinHandle<io::Result<(Puller, Option<String>)>>,
}

impl Watch {
    /// Reads the queues on from the cursors.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start(address: SocketAddr, queues: Queues, cursors: Vec<Cursor>, arrivals: &Arc<Arrivals>) -> io::Result<Watch> {
        let clock = Clock::start();
        let shape = PullerShape {
            encoding: Encoding::Json,
            in_flight: cursors.len(),
            queues,
            groups: ["roxmq-bench-consumer".to_owned()].into(),
            count: PULL_MESSAGES,
            window: Window::new(clock.now(), Duration::ZERO, FOREVER, 1),
            reading: Reading::Timed(Arc::clone(arrivals)),
            hold: None,
        };
        let mut puller = Puller::new(shape, cursors);
        let work = async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let error = wire::drive(&stream, &mut puller, &clock, &Pauses::default()).await.err();
            Ok((puller, error.map(|error| error.to_string())))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("watch".into()).spawn(move || runtime.block_on(work))?;
        Ok(Watch { thread })
    }

    /// Waits until the broker is gone. Where to read on, and what was seen.
    ///
    /// # Errors
    /// When it could not connect.
    pub fn broken(self) -> io::Result<(Vec<Cursor>, Tally)> {
        let (puller, _) = self.thread.join().map_err(|_| io::Error::other("a thread of the generator panicked"))??;
        let cursors = puller.cursors().iter().map(|cursor| Cursor::new(cursor.queue, cursor.next, cursor.start)).collect();
        Ok((cursors, puller.tally))
    }

    /// Ends it. What was seen.
    ///
    /// # Errors
    /// When it could not connect.
    pub fn end(self, arrivals: &Arrivals) -> io::Result<Tally> {
        arrivals.is_over.store(true, Ordering::Relaxed);
        let (mut puller, error) = self.thread.join().map_err(|_| io::Error::other("a thread of the generator panicked"))??;
        if let Some(error) = error {
            puller.tally.error(error);
        }
        Ok(puller.tally)
    }
}

const PULL_MESSAGES: i32 = 32;
/// The consumer is told when to end.
const FOREVER: Duration = Duration::from_secs(1_000_000);
