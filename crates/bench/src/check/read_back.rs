//! Is every message that was sent in its queue, once, unchanged, and in the order in which its connection sent it?
//!
//! Each queue is read by a thread of its own, eight at a time, from where it ended before the run.

use crate::check::expected::Expected;
use crate::check::found::Found;
use crate::options::Options;
use crate::report::Check;
use crate::wire::ask::{AskError, Asker};
use crate::wire::queues::Queues;
use crate::wire::stamp::Stamp;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Reads what is between two looks at the ends of the queues and compares it with what was acknowledged.
///
/// # Errors
/// When the broker refuses.
pub fn compare(address: &str, options: &Options, expected: &Expected, from: &[i64], until: &[i64]) -> Result<Check, AskError> {
    let queues = options.queues();
    let seen = Mutex::new(Seen { found: Found::new(expected.run, &expected.outcomes), messages: 0, out_of_order: 0, changed: 0 });
    let next = AtomicU32::new(0);
    let read = || -> Result<(), AskError> {
        let mut asker = Asker::connect(address)?;
        loop {
            let queue = next.fetch_add(1, Ordering::Relaxed);
            let Some((from, until)) = from.get(queue as usize).zip(until.get(queue as usize)) else { return Ok(()) };
            let stamps = stamps(&mut asker, &queues, queue, *from, *until)?;
            seen.lock().unwrap_or_else(PoisonError::into_inner).take(&stamps, expected);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..queues.count().min(READERS)).map(|_| scope.spawn(read)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a reader panicked").into())))
    })?;
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(match seen.found.compare(&expected.outcomes) {
        Err(what) => Check::Failed(what),
        Ok(_) if seen.out_of_order > 0 => Check::Failed(format!("{} messages out of order", seen.out_of_order)),
        Ok(_) if seen.changed > 0 => Check::Failed(format!("{} messages are not what was sent", seen.changed)),
        Ok(_) => Check::ReadBack { messages: seen.messages },
    })
}

/// What was read so far.
struct Seen {
    found: Found,
    messages: u64,
    out_of_order: u64,
    changed: u64,
}

impl Seen {
    /// Takes the messages of one queue, in its order.
    fn take(&mut self, stamps: &[Option<Stamp>], expected: &Expected) {
        // The sequence of each connection that has to be exceeded next.
        let mut last = vec![None; expected.outcomes.len()];
        for stamp in stamps {
            self.messages += 1;
            let Some(stamp) = stamp else {
                self.changed += 1;
                continue;
            };
            self.found.add(stamp);
            if let Some(last) = last.get_mut(stamp.connection as usize).filter(|_| stamp.run == expected.run) {
                self.out_of_order += u64::from(last.is_some_and(|last| stamp.sequence <= last));
                *last = Some(stamp.sequence);
            }
        }
    }
}

fn stamps(asker: &mut Asker, queues: &Queues, queue: u32, from: i64, until: i64) -> Result<Vec<Option<Stamp>>, AskError> {
    let mut stamps = Vec::with_capacity(usize::try_from(until - from).unwrap_or(0));
    asker.each_record(&queues.topic_of(queue), queues.id(queue), from, until, |record| {
        stamps.push(Stamp::read(record.body).filter(|_| record.body_is_intact()));
    })?;
    Ok(stamps)
}

const READERS: u32 = 8;
