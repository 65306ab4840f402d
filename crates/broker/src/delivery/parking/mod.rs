//! How is a message parked that cannot be carried on?
//!
//! It was accepted under other settings, by an older release or another broker. Now it is too long for a record or a log file, or names
//! no topic. It never holds up the messages behind it: it is parked in `rmq_sys_parked` as it is, with the reason in `PARKED_REASON`.
//! That is logged once, and counted in the runtime information (28, `messagesParked`).

use crate::announce::topics;
use crate::broker::Broker;
use crate::names::PARKING_TOPIC;
use crate::waiting::redraft::redelivered;
use roxmq_protocol::position::LogOffset;
use roxmq_protocol::properties::{Properties, PropertiesBuf, name};
use roxmq_protocol::record::{Draft, Record, sys_flag};
use roxmq_store::Batch;
use tracing::warn;

/// The property that says why a message is parked.
pub const REASON: &str = "PARKED_REASON";

/// A message that is parked by the batch that it was pushed into.
#[derive(Debug)]
#[must_use = "it is logged once the batch is stored"]
pub struct Parked {
    topic: String,
    log_offset: LogOffset,
    reason: String,
    parked_in: String,
}

/// Pushes the draft that carries a waiting message on. If the log cannot take the draft, parks the message instead.
pub fn push(broker: &Broker, waiting: &Record<'_>, draft: Draft<'_>, batch: &mut Batch) -> Option<Parked> {
    try_push(broker, draft, batch).err().map(|reason| park(broker, waiting, PARKING_TOPIC, &reason, batch))
}

/// Pushes a draft if the log can take it.
///
/// # Errors
/// The reason, if it cannot. The batch is unchanged then.
pub fn try_push(broker: &Broker, draft: Draft<'_>, batch: &mut Batch) -> Result<(), String> {
    let before = batch.len();
    batch.push(draft).map_err(|error| error.to_string())?;
    let (bytes, max) = (batch.last_bytes(), broker.store.record_bytes_max());
    if bytes > max {
        batch.truncate(before);
        return Err(format!("its record would have {bytes} bytes, and a log file holds {max}"));
    }
    Ok(())
}

/// Pushes a waiting message as it is into a topic where operators find it.
///
/// Its properties were stored before, so they fit again; the reason is added if there is room for it. The body of a record that is
/// longer than today's log files is replaced by a note that says where the record is.
pub fn park(broker: &Broker, waiting: &Record<'_>, topic: &str, reason: &str, batch: &mut Batch) -> Parked {
    topics::add_parking_topic(broker, topic);
    let mut with_reason = PropertiesBuf::from_text(waiting.properties);
    with_reason.set(REASON, reason);
    let few = few_of(waiting.properties(), reason);
    let note = format!("{reason}; the message is at log offset {}", waiting.log_offset);
    let candidates = [
        (with_reason.as_str(), waiting.body),
        (waiting.properties, waiting.body),
        (waiting.properties, note.as_bytes()),
        (few.as_str(), note.as_bytes()),
        ("", note.as_bytes()),
    ];
    let is_pushed = candidates.into_iter().any(|(properties, body)| {
        let draft = redelivered(waiting, broker.identity.advertised, topic, 0, properties);
        // A note is not compressed, whatever the body was.
        let sys_flag = if body == waiting.body { draft.sys_flag } else { draft.sys_flag & !sys_flag::OF_BODY };
        try_push(broker, Draft { body, sys_flag, ..draft }, batch).is_ok()
    });
    debug_assert!(is_pushed, "a note fits into every log file");
    Parked::new(waiting, topic, reason)
}

impl Parked {
    /// A message that goes to the topic `parked_in` instead of its own.
    pub fn new(waiting: &Record<'_>, parked_in: &str, reason: &str) -> Parked {
        let topic = waiting.properties().find(name::REAL_TOPIC).unwrap_or(waiting.topic);
        Parked { topic: topic.to_owned(), log_offset: waiting.log_offset, reason: reason.to_owned(), parked_in: parked_in.to_owned() }
    }
}

/// Logs and counts messages that are parked now.
pub fn log(broker: &Broker, parked: impl IntoIterator<Item = Parked>) {
    for Parked { topic, log_offset, reason, parked_in } in parked {
        warn!(topic, %log_offset, parked_in, reason, "parked a message that cannot be delivered");
        broker.counts.figures.parked();
    }
}

/// The properties by which operators recognize a message.
fn few_of(properties: Properties<'_>, reason: &str) -> PropertiesBuf {
    let mut few = PropertiesBuf::new();
    for name in [name::UNIQ_KEY, name::REAL_TOPIC, name::REAL_QID, name::PGROUP] {
        few.set(name, properties.find(name).filter(|value| value.len() <= FEW_BYTES_MAX).unwrap_or_default());
    }
    few.set(REASON, reason);
    few
}

/// The longest value that is copied where there is little room.
const FEW_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests;
