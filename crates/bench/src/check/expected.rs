//! What did a run learn that can be compared with the broker afterwards?

use crate::load::outcome::Outcome;
use crate::measure::clock::Nanos;
use crate::measure::tally::Offsets;

/// What a run did, as far as its connections know.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Number of the run.
    pub run: u32,
    /// What to add to the time of a timed send on the run's clock for its time of delivery, in ns since 1970.
    pub deliver_after: Nanos,
    /// Acknowledged offsets, by queue.
    pub acknowledged: Vec<Offsets>,
    /// Acknowledged messages.
    pub acknowledged_in_all: u64,
    /// Received messages.
    pub received_in_all: u64,
    /// What is to be found in the topic, by connection and sequence, where the messages are compared one by one.
    pub outcomes: Vec<Vec<Outcome>>,
}
