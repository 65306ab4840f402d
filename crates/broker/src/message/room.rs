//! Is there room for what the broker will add to a message's properties, whatever becomes of it?
//!
//! A property string has at most 32,767 bytes. A message that fills them can be stored, and then neither wait, nor be tried again, nor be
//! given up, as each of these writes more into them. So a send leaves room for all of it.

use crate::error::Refusal;
use crate::waiting::timer::times;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, name};

/// What a topic's name takes at most that clients of every language can read, a group's retry topic included.
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

/// What a message has more while it waits.
const WAITING_BYTES: usize = property(name::REAL_TOPIC, TOPIC_BYTES) + property(name::REAL_QID, SMALL_NUMBER_BYTES);
/// What is written into one that is given back, but for the name of the topic it was read from.
const GIVEN_BACK_BYTES: usize = property(name::RETRY_TOPIC, 0)
    + property(name::ORIGIN_MESSAGE_ID, MESSAGE_ID_BYTES)
    + property(name::WAIT, "false".len())
    + property(name::DELAY, SMALL_NUMBER_BYTES);
const TIMED_BYTES: usize = property(name::TIMER_OUT_MS, NUMBER_BYTES)
    + property(name::TIMER_ENQUEUE_MS, NUMBER_BYTES)
    + property(name::TIMER_DEQUEUE_MS, NUMBER_BYTES)
    + property(name::TIMER_ROLL_TIMES, NUMBER_BYTES)
    + property(times::ORIGIN, NUMBER_BYTES);
const CHECKED_BYTES: usize = property(name::TRANSACTION_CHECK_TIMES, NUMBER_BYTES);

/// What the broker writes at once into a retry that a consumer sends itself: a unique key, its own marks, where it goes.
pub const AGAIN_BYTES: usize = WAITING_BYTES + 128;

/// What may be added to the properties of a message to this topic after its send.
pub fn later_bytes(topic: &str, is_timed: bool, is_half: bool) -> usize {
    let of_its_way = if is_timed { TIMED_BYTES } else { 0 } + if is_half { CHECKED_BYTES } else { 0 };
    WAITING_BYTES + GIVEN_BACK_BYTES + topic.len() + of_its_way
}

/// Refuses stored properties if so much could not be added to them later.
///
/// # Errors
/// When they are too long, with the sizes.
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
