//! Is there room for what the broker will add to a message's properties, whatever becomes of it?
//!
//! A property string has at most 32,767 bytes. A message that fills them can be stored, and then neither wait, nor be tried again, nor be
//! given up, as each of these writes more into them. So a send leaves room for all of it.

use crate::error::Refusal;
use crate::timer;
use roxmq_protocol::properties::{PROPERTIES_BYTES_MAX, name};

/// What a group's retry topic, or any other topic, takes at most.
const TOPIC_BYTES: usize = 255;
/// A number of 64 bits in decimal digits.
const NUMBER_BYTES: usize = 20;
/// An offset message id with an IPv6 address.
const MESSAGE_ID_BYTES: usize = 56;

/// Bytes of a property with a value of so many bytes.
const fn property(name: &str, value_bytes: usize) -> usize {
    name.len() + value_bytes + 2
}

const WAITING_BYTES: usize = property(name::REAL_TOPIC, TOPIC_BYTES) + property(name::REAL_QID, NUMBER_BYTES);
const TIMED_BYTES: usize = property(name::TIMER_OUT_MS, NUMBER_BYTES)
    + property(name::TIMER_ENQUEUE_MS, NUMBER_BYTES)
    + property(name::TIMER_DEQUEUE_MS, NUMBER_BYTES)
    + property(name::TIMER_ROLL_TIMES, NUMBER_BYTES)
    + property(timer::ORIGIN, NUMBER_BYTES);
const CHECKED_BYTES: usize = property(name::TRANSACTION_CHECK_TIMES, NUMBER_BYTES);
const GIVEN_BACK_BYTES: usize = property(name::RETRY_TOPIC, TOPIC_BYTES)
    + property(name::ORIGIN_MESSAGE_ID, MESSAGE_ID_BYTES)
    + property(name::WAIT, "false".len())
    + property(name::DELAY, NUMBER_BYTES);
/// What clients add when they send a retry or a dead letter themselves, among it what they note of a pull.
const RESENT_BYTES: usize = property(name::RECONSUME_TIME, NUMBER_BYTES)
    + property(name::MAX_RECONSUME_TIMES, NUMBER_BYTES)
    + property("MIN_OFFSET", NUMBER_BYTES)
    + property("MAX_OFFSET", NUMBER_BYTES)
    + property("CONSUME_START_TIME", NUMBER_BYTES);

/// What a retry that a client sends itself is given: marks of the broker, a unique key, and a place to wait.
pub const AGAIN_BYTES: usize = WAITING_BYTES + TIMED_BYTES;
/// What may be added to a message's properties after its send.
pub const LATER_BYTES: usize = WAITING_BYTES + TIMED_BYTES + CHECKED_BYTES + GIVEN_BACK_BYTES + RESENT_BYTES;

/// Refuses stored properties, of which `light_bytes` more are for offsets in light queues, if nothing could be added to them later.
///
/// # Errors
/// When they are too long, with the sizes.
pub fn check(bytes: usize, light_bytes: usize) -> Result<(), Refusal> {
    if bytes + light_bytes + LATER_BYTES <= PROPERTIES_BYTES_MAX {
        return Ok(());
    }
    let light = match light_bytes {
        0 => String::new(),
        light_bytes => format!(", {light_bytes} B for its offsets in light queues"),
    };
    Err(Refusal::Message(format!(
        "msg properties length {bytes} B{light} and {LATER_BYTES} B for what a retry, a delay or a transaction adds are more than the msg \
         properties length limit 32KB ({PROPERTIES_BYTES_MAX} B)."
    )))
}
