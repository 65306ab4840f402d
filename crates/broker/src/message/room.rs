//! Is there room for all properties that the broker may have to add to a message later?
//!
//! Properties have at most 32,767 bytes. A message that fills them could be stored, and then neither wait, nor be retried, nor be
//! dead-lettered, as each of these adds some. So a send must leave room for them.

use crate::error::Refusal;
use crate::waiting::timer::times;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, name};

/// The longest name of a topic that clients of every language can read, a group's retry topic included.
const TOPIC_BYTES: usize = 127;
/// A number of 64 bits in decimal digits.
const NUMBER_BYTES: usize = 20;
/// A queue or a delay level.
const SMALL_NUMBER_BYTES: usize = 5;
/// An offset message id with an IPv6 address.
const MESSAGE_ID_BYTES: usize = 56;

/// Bytes of a property with a value of so many bytes.
const fn property(name: &str, value_bytes: usize) -> usize {
    name.len() + value_bytes + 2
}

/// Added while a message waits.
const WAITING_BYTES: usize = property(name::REAL_TOPIC, TOPIC_BYTES) + property(name::REAL_QID, SMALL_NUMBER_BYTES);
/// Added when a message is sent back, but for the name of the topic that it was read from.
const SENT_BACK_BYTES: usize = property(name::RETRY_TOPIC, 0)
    + property(name::ORIGIN_MESSAGE_ID, MESSAGE_ID_BYTES)
    + property(name::WAIT, "false".len())
    + property(name::DELAY, SMALL_NUMBER_BYTES);
/// Added to a timed message.
const TIMED_BYTES: usize = property(name::TIMER_OUT_MS, NUMBER_BYTES)
    + property(name::TIMER_ENQUEUE_MS, NUMBER_BYTES)
    + property(name::TIMER_DEQUEUE_MS, NUMBER_BYTES)
    + property(name::TIMER_ROLL_TIMES, NUMBER_BYTES)
    + property(times::ORIGIN, NUMBER_BYTES);
/// Added when a producer is asked about its half message.
const CHECKED_BYTES: usize = property(name::TRANSACTION_CHECK_TIMES, NUMBER_BYTES);

/// Added at once to a retry that a consumer sends itself: a unique key, the broker's stamp, where the message goes.
pub const RETRY_BYTES: usize = WAITING_BYTES + 128;

/// What a message may wait for after its send.
#[derive(Clone, Copy, Default)]
pub struct WaitsFor {
    /// A time of its own.
    pub time: bool,
    /// The decision of its producer.
    pub decision: bool,
}

/// Bytes that may be added to the properties of a message to this topic after its send.
pub fn later_bytes(topic: &str, waits_for: WaitsFor) -> usize {
    let for_its_wait = if waits_for.time { TIMED_BYTES } else { 0 } + if waits_for.decision { CHECKED_BYTES } else { 0 };
    WAITING_BYTES + SENT_BACK_BYTES + topic.len() + for_its_wait
}

/// Refuses properties that leave no room for so many bytes.
///
/// # Errors
/// When they are too long; it says the sizes.
pub fn check(bytes: usize, light_bytes: usize, later_bytes: usize) -> Result<(), Refusal> {
    if bytes + light_bytes + later_bytes <= PROPERTIES_BYTES_MAX {
        return Ok(());
    }
    let added_bytes = light_bytes + later_bytes;
    Err(Refusal::Message(format!(
        "msg properties length {bytes} B, and {added_bytes} B for what may be added when it waits, is retried or goes into light queues, msg \
         properties length limit 32KB ({PROPERTIES_BYTES_MAX} B)."
    )))
}
