//! How do a million timed messages get to the broker? Over several connections, many under way on each; every answer is checked.

use crate::load::answer::stored_at;
use crate::measure::clock::{Clock, Nanos};
use crate::measure::tally::Tally;
use crate::timer::options::TimerOptions;
use crate::wire::connection::{self, Load, Pauses, WRITE_BYTES_MAX};
use crate::wire::queues::Queues;
use crate::wire::sends::{SendFrames, SendShape, WaitsFor};
use crate::wire::slots::Slots;
use crate::wire::stamp::Stamp;
use roxmq_protocol::frame::{Encoding, Frame};
use roxmq_protocol::header;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Messages that are to be sent.
#[derive(Clone)]
pub struct Batch {
    /// The number of the first; the others count on.
    pub first: u64,
    /// When each is due, in ms since 1970.
    pub dues: Arc<Vec<i64>>,
}

/// Sends a batch to these queues, as fast as it is taken. What went wrong is in the tally.
///
/// # Errors
/// When the broker cannot be reached.
pub fn fill(address: SocketAddr, queues: Queues, run: u32, options: &TimerOptions, batch: Batch) -> io::Result<Tally> {
    let shape = SendShape {
        encoding: Encoding::Json,
        queues,
        body_bytes: options.body_bytes,
        batch: 1,
        born_timestamp: crate::measure::clock::wall_ms(),
        waits_for: WaitsFor::Time,
    };
    let frames = Arc::new(SendFrames::new(&shape));
    let clock = Clock::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for connection in 0..options.connections {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut filler = Filler {
                frames: Arc::clone(&frames),
                batch: batch.clone(),
                run,
                queues: u64::from(options.queues),
                next: connection,
                step: options.connections,
                slots: Slots::new(options.in_flight),
                tally: Tally::default(),
            };
            tasks.push(tokio::spawn(async move {
                let driven = tokio::time::timeout(FILL_MAX, connection::drive(&stream, &mut filler, &clock, &Pauses::default())).await;
                match driven {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => filler.tally.error(error.to_string()),
                    Err(_) => filler.tally.error("not all sent in time".into()),
                }
                filler.tally
            }));
        }
        let mut tally = Tally::default();
        for task in tasks {
            tally.merge(task.await.map_err(io::Error::other)?);
        }
        Ok(tally)
    })
}

/// One connection's share: every n-th message of the batch.
struct Filler {
    frames: Arc<SendFrames>,
    batch: Batch,
    run: u32,
    queues: u64,
    /// The next message, counted in the batch.
    next: usize,
    step: usize,
    /// The queue of each unanswered message.
    slots: Slots<u32>,
    tally: Tally,
}

impl Filler {
    /// Whether no more is to be sent. After many refusals the rest would be refused too.
    fn is_over(&self) -> bool {
        self.next >= self.batch.dues.len() || self.tally.error_count() >= ERRORS_MAX
    }
}

impl Load for Filler {
    fn ask(&mut self, out: &mut Vec<u8>, _: Nanos) {
        while !self.is_over() && out.len() < WRITE_BYTES_MAX {
            let number = self.batch.first + self.next as u64;
            let queue = (number % self.queues) as u32;
            let Some(opaque) = self.slots.put(queue) else { break };
            let stamp = Stamp { run: self.run, connection: 0, sequence: number, due: 0 };
            self.frames.write(out, opaque, queue, stamp, self.batch.dues[self.next] as u64);
            self.next += self.step;
        }
    }

    fn answer(&mut self, frame: &Frame<'_>, _: Nanos) {
        let header = match header::read(frame) {
            Ok(header) => header,
            Err(error) => return self.tally.error(error.to_string()),
        };
        match self.slots.take(header.opaque).map(|queue| stored_at(&header, queue, 1)) {
            Some(Ok(_)) => self.tally.messages_in_all += 1,
            Some(Err(what)) => self.tally.error(what),
            None => self.tally.error("answer to no request".into()),
        }
    }

    fn is_done(&self, _: Nanos) -> bool {
        self.is_over() && self.slots.unanswered() == 0
    }

    fn has_due_times(&self) -> bool {
        false
    }
}

const ERRORS_MAX: u64 = 100;
const FILL_MAX: Duration = Duration::from_secs(3600);
