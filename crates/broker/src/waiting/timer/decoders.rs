//! Decoders of timed messages, as functions of bytes: see `crate::decoders`.

use super::due_queue::{Done, Entry, named_in};
use super::handle::Handle;
use super::hours::hour_of;
use roxmq_protocol::json;
use roxmq_protocol::record::Record;

/// `config/timers.json`.
pub fn table(bytes: &[u8]) {
    let _ = json::from_slice::<Done>(bytes).map(|done| hour_of(done.due));
}

/// Delivery marks, records of the timer topic, and recall handles.
pub fn marks(bytes: &[u8]) {
    named_in(bytes).for_each(drop);
    if let Ok((record, _)) = Record::parse(bytes) {
        let _ = Entry::of(&record).map(|entry| hour_of(entry.timer.due));
    }
    let _ = std::str::from_utf8(bytes).ok().and_then(Handle::parse);
}
