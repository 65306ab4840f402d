//! What comes out of the topic, and when? A consumer that waits for it, in a thread of its own.

use crate::load::arrivals::Arrivals;
use crate::load::pull::{Cursor, Puller, PullerShape, Reading};
use crate::measure::clock::{Clock, Window};
use crate::measure::tally::Tally;
use crate::wire::connection::{self, Pauses};
use crate::wire::queues::Queues;
use roxmq_protocol::frame::Encoding;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

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
            let error = connection::drive(&stream, &mut puller, &clock, &Pauses::default()).await.err();
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
        arrivals.end();
        let (mut puller, error) = self.thread.join().map_err(|_| io::Error::other("a thread of the generator panicked"))??;
        if let Some(error) = error {
            puller.tally.error(error);
        }
        Ok(puller.tally)
    }
}

const PULL_MESSAGES: i32 = 32;
/// The consumer ends on a signal, not by the clock.
const FOREVER: Duration = Duration::from_secs(1_000_000);
