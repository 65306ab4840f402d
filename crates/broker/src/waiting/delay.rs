//! Messages that wait for one of the delay levels. Java: `ScheduleMessageService`.
//!
//! A delayed message is stored in queue `level - 1` of `SCHEDULE_TOPIC_XXXX` and says where it really goes in `REAL_TOPIC` and
//! `REAL_QID`. All messages of a level wait equally long, so each queue is in the order of its due times: a cursor for each level is all
//! the state there is. Delivery is an ordinary append to the real topics, and a mark of the cursor goes with it into the log
//! ([`crate::waiting::cursors`]). `config/delayOffset.json` repeats the cursors for tools, and for when retention has taken the marks away.

use crate::announce::topics;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::tables::file::TableFile;
use crate::trouble::Troubles;
use crate::waiting::cursors;
use crate::waiting::parking;
use crate::waiting::timer;
use parking_lot::Mutex;
use roxmq_protocol::body::DelayOffsetSerializeWrapper;
use roxmq_protocol::light::{LIGHT_QUEUE_ID, is_light};
use roxmq_protocol::position::{LogOffset, QueueOffset};
use roxmq_protocol::properties::{PropertiesBuf, name};
use roxmq_protocol::record::{Draft, Record, records};
use roxmq_store::{Batch, Patience, ReadLimits, ReadStatus, Store};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tracing::{info, warn};

/// How often the levels are looked at; a message is late by at most this, and never early.
pub const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// Messages delivered with one append.
const AT_ONCE: ReadLimits = ReadLimits { messages_max: 128, bytes_max: 1 << 20, scan_max: 800, patience: Patience::WaitForDisk };

/// How far each level is delivered.
pub struct Delayed {
    file: TableFile,
    cursors: Mutex<BTreeMap<i32, i64>>,
    /// Levels whose next message was stored by a clock that was ahead of what it shows now.
    ahead: Mutex<BTreeMap<i32, Ahead>>,
    /// Levels of which nothing can be stored.
    refused: Troubles<i32>,
}

/// What was stored by a clock that has gone back since: when that was noticed, and up to which offset.
#[derive(Clone, Copy)]
struct Ahead {
    since: Duration,
    before: i64,
}

impl Delayed {
    /// Loads the cursors: the file's, or the newest mark's, which is never behind it.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub fn load(file: TableFile, store: &Store) -> io::Result<Delayed> {
        let loaded: Option<DelayOffsetSerializeWrapper> = file.load()?;
        let mut cursors = loaded.unwrap_or_default().offset_table;
        for queue_id in 0..cursors::OTHERS_FROM_QUEUE {
            if let Some(marked) = cursors::newest(store, queue_id) {
                let cursor = cursors.entry(level_of(queue_id)).or_default();
                if marked > *cursor {
                    *cursor = marked;
                    file.touch();
                }
            }
        }
        Ok(Delayed { file, cursors: Mutex::new(cursors), ahead: Mutex::default(), refused: Troubles::default() })
    }

    /// The next offset to be delivered of a level.
    pub fn cursor(&self, level: i32) -> i64 {
        self.cursors.lock().get(&level).copied().unwrap_or(0)
    }

    /// All cursors.
    pub fn all(&self) -> DelayOffsetSerializeWrapper {
        DelayOffsetSerializeWrapper { data_version: None, offset_table: self.cursors.lock().clone() }
    }

    /// Moves cursors back to the ends of their queues: beyond are messages that a crash took away, and others will get their offsets.
    pub fn keep_within(&self, max: impl Fn(i32) -> i64) {
        for (level, cursor) in self.cursors.lock().iter_mut() {
            let max = max(*level);
            if *cursor > max {
                warn!(level, cursor, max, "a delay level's cursor was ahead of the log");
                *cursor = max;
                self.file.touch();
            }
        }
    }

    /// Since when it is known that the level's messages before an offset were stored by a clock that was ahead.
    fn ahead(&self, level: i32, next: &Record<'_>, max: i64, broker: &Broker) -> Option<Ahead> {
        let mut ahead = self.ahead.lock();
        if next.store_timestamp.0 <= broker.clock.now_ms() {
            ahead.remove(&level);
            return None;
        }
        let noticed = Ahead { since: broker.clock.elapsed(), before: max };
        let known = ahead.entry(level).or_insert(noticed);
        if known.before <= next.queue_offset.0 {
            *known = noticed;
        }
        Some(*known)
    }

    fn advance(&self, level: i32, to: i64) {
        self.cursors.lock().insert(level, to);
        self.file.touch();
    }

    /// Writes the cursors if they moved.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, store: &Store) -> io::Result<()> {
        self.file.save_behind(store, || self.all())
    }
}

/// The level a message asks for: `DELAY` above 0, at most the last level there is.
///
/// # Errors
/// When it is no number: such a message would come too early.
pub fn level_asked(delay: Option<&str>, levels: usize) -> Result<Option<i32>, Refusal> {
    let Some(text) = delay.filter(|text| !text.is_empty()) else { return Ok(None) };
    let level: i32 = text.parse().map_err(|_| Refusal::Message(format!("the delay level {text:?} is no whole number")))?;
    Ok((level > 0).then(|| level.min(levels as i32)))
}

/// Every level there can be: also what waits in one that the settings do not have any more is delivered, after the last one's time.
fn levels() -> impl Iterator<Item = i32> {
    (0..cursors::OTHERS_FROM_QUEUE).map(level_of)
}

/// Where the oldest message lies in the log that waits for its level.
pub fn waits_from(broker: &Broker) -> Option<LogOffset> {
    let oldest = |level: i32| {
        let (min, max) = broker.store.bounds(names::DELAY_TOPIC, queue_of(level))?;
        let first = min.max(QueueOffset(broker.waiting.delayed.cursor(level)));
        // Where it cannot be read, or damage was not passed over yet, anything may wait.
        let found = || broker.store.index_entry(names::DELAY_TOPIC, queue_of(level), first).map_or(LogOffset(0), |entry| entry.log_offset);
        (first < max).then(found)
    };
    levels().filter_map(oldest).min()
}

/// The queue in which a level waits.
pub fn queue_of(level: i32) -> u32 {
    (level - 1).max(0) as u32
}

fn level_of(queue_id: u32) -> i32 {
    queue_id as i32 + 1
}

/// Whether any message waits for its level, each time it is asked. Nothing is looked through again until the log has grown.
pub fn anything_waits() -> impl FnMut(&Broker) -> bool {
    let mut quiet_at = None;
    move |broker| {
        let end = Some(broker.store.max_log_offset());
        if end == quiet_at {
            return false;
        }
        let waits = levels().any(|level| waiting_end(broker, level).is_some());
        quiet_at = end.filter(|_| !waits);
        waits
    }
}

/// Delivers what is due of all levels.
pub fn deliver_due(broker: &Broker) {
    let mut batch = broker.store.batch();
    for level in levels() {
        while deliver_some(broker, level, &mut batch) {}
    }
}

/// The end of a level's queue, if it has messages that were not delivered.
fn waiting_end(broker: &Broker, level: i32) -> Option<QueueOffset> {
    let (min, max) = broker.store.bounds(names::DELAY_TOPIC, queue_of(level))?;
    (max.0 > broker.waiting.delayed.cursor(level).max(min.0)).then_some(max)
}

/// Delivers what is due of a level, up to one batch. Is there more?
fn deliver_some(broker: &Broker, level: i32, batch: &mut Batch) -> bool {
    let config = broker.config();
    let Some(delay) = config.delay_ladder.delay_ms(level) else { return false };
    let from = broker.waiting.delayed.cursor(level);
    let Some(max) = waiting_end(broker, level) else { return false };
    // A level's delivery is one whole batch, which has to fit into a segment.
    let limits = ReadLimits { bytes_max: AT_ONCE.bytes_max.min(broker.store.whole_bytes_max() / 2), ..AT_ONCE };
    let mut bytes = Vec::new();
    let read = broker.store.read(names::DELAY_TOPIC, queue_of(level), QueueOffset(from), limits, &mut |_| true, &mut bytes);
    if read.status != ReadStatus::Found {
        // Retention has passed the cursor, or damage was skipped: what is gone cannot be delivered.
        if read.next.0 > from {
            warn!(level, from, to = read.next.0, "delayed messages are gone from the log");
            broker.waiting.delayed.advance(level, read.next.0);
        }
        return read.next.0 > from;
    }
    // Where the clock has gone back, its times say nothing: then a message waits as long as it should from when that is noticed.
    let ahead = records(&bytes).next().and_then(Result::ok).and_then(|next| broker.waiting.delayed.ahead(level, &next, max.0, broker));
    let has_waited = ahead.filter(|ahead| broker.clock.elapsed() - ahead.since >= Duration::from_millis(delay));
    let now = broker.clock.now_ms();
    let is_due = |record: &Record<'_>| {
        record.store_timestamp.0 + delay as i64 <= now || has_waited.is_some_and(|ahead| record.queue_offset.0 < ahead.before)
    };
    let due: Vec<Record<'_>> = records(&bytes).map_while(Result::ok).take_while(is_due).collect();
    let Some(next) = due.last().map(|last| last.queue_offset.0 + 1) else { return false };
    if let Err(refusal) = deliver(broker, level, &due, next, batch) {
        if broker.waiting.delayed.refused.begins(level) {
            warn!(%refusal, level, "delayed messages wait: the store takes nothing");
        }
        return false;
    }
    if broker.waiting.delayed.refused.ends(&level) {
        info!(level, "delayed messages go on");
    }
    broker.waiting.delayed.advance(level, next);
    due.len() == read.messages as usize
}

/// Appends what is due, and the mark of how far that is. When this is an error nothing was appended.
fn deliver(broker: &Broker, level: i32, due: &[Record<'_>], next: i64, batch: &mut Batch) -> Result<(), Refusal> {
    cursors::begin(broker, queue_of(level), &next.to_string(), batch)?;
    let mut parked = Vec::new();
    let mut dropped = Dropped::default();
    for record in due {
        match destination(broker, record) {
            // Consumers still see in the properties how long it waited.
            Destination::Queue(topic, queue_id) => {
                let draft = redelivered(record, broker.identity.advertised, &topic, queue_id, record.properties);
                parked.extend(parking::push(broker, record, draft, batch));
            }
            Destination::Deleted(topic) => dropped.add(topic),
            Destination::Unsaid => parked.push(parking::park(broker, record, names::PARKING_TOPIC, UNSAID, batch)),
        }
    }
    // What is appended is delivered, even if it is not yet durable: a crash takes it away together with its mark.
    broker.append_whole(batch)?;
    parking::tell(broker, parked);
    dropped.tell();
    Ok(())
}

/// Where a waiting message really goes.
pub enum Destination {
    /// To this queue of this topic.
    Queue(String, u32),
    /// Nowhere: its topic was deleted, and what waits for a topic goes with it.
    Deleted(String),
    /// It does not say.
    Unsaid,
}

/// Why a message is parked that does not say where it goes.
pub const UNSAID: &str = "it does not say to which topic it goes";

/// Where a waiting message really goes, as things are now.
pub fn destination(broker: &Broker, record: &Record<'_>) -> Destination {
    let properties = record.properties();
    let Some(topic) = properties.find(name::REAL_TOPIC) else { return Destination::Unsaid };
    let queue_id = properties.find(name::REAL_QID).and_then(|queue_id| queue_id.parse().ok()).unwrap_or(0);
    match broker.tables.topics.find(topic) {
        Some(found) => Destination::Queue(topic.to_owned(), queue_that_is_read(queue_id, found.read_queue_nums)),
        // Light queues are there without being made, also while they are switched off.
        None if is_light(topic) => Destination::Queue(topic.to_owned(), LIGHT_QUEUE_ID),
        None => match topic.strip_prefix(names::RETRY_PREFIX).and_then(|group| broker.tables.groups.find(group)) {
            // Whoever consumes makes it again.
            Some(group) => {
                topics::add_retry_topic(broker, &group.group_name, group.retry_queue_nums);
                Destination::Queue(topic.to_owned(), queue_that_is_read(queue_id, group.retry_queue_nums))
            }
            None => Destination::Deleted(topic.to_owned()),
        },
    }
}

/// The topic may have fewer queues than when the message was sent: nobody would read what goes to the others.
pub fn queue_that_is_read(queue_id: u32, queues: i32) -> u32 {
    match u32::try_from(queues) {
        Ok(queues) if queues > 0 => queue_id % queues,
        _ => queue_id,
    }
}

/// Messages that are dropped because their topics were deleted.
#[derive(Default)]
pub struct Dropped(BTreeMap<String, u64>);

impl Dropped {
    /// One for this topic.
    pub fn add(&mut self, topic: String) {
        *self.0.entry(topic).or_default() += 1;
    }

    /// Logs them, a line for each topic.
    pub fn tell(self) {
        for (topic, messages) in self.0 {
            warn!(topic, messages, "dropped messages that waited: their topic was deleted");
        }
    }
}

/// The property string of a message that waits elsewhere: it says where it really goes.
pub fn waiting_properties(properties: &str, topic: &str, queue_id: u32) -> String {
    let mut waiting = PropertiesBuf::from_text(properties);
    waiting.set(name::REAL_TOPIC, topic).set(name::REAL_QID, &queue_id.to_string());
    // That one is the broker's to give.
    waiting.remove(timer::ORIGIN);
    waiting.into_string()
}

/// The same message for another queue.
pub fn redelivered<'a>(record: &Record<'a>, store_host: SocketAddr, topic: &'a str, queue_id: u32, properties: &'a str) -> Draft<'a> {
    Draft {
        topic,
        queue_id,
        flag: record.flag,
        sys_flag: record.sys_flag,
        born_timestamp: record.born_timestamp,
        born_host: record.born_host,
        store_host,
        reconsume_times: record.reconsume_times,
        prepared_transaction_offset: record.prepared_transaction_offset,
        body: record.body,
        properties,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, NOW_MS, QUEUE, close, delivered, open, put};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;

    #[test]
    fn never_early_once_each_and_in_order_over_restarts() {
        let (disk, clock) = (SimDisk::new(3).disk(), Clock::manual(NOW_MS));
        let wait = |broker: &Broker, level: i32, body: &str| {
            let properties = waiting_properties(&format!("DELAY\u{1}{level}\u{2}"), testing::TOPIC, QUEUE);
            put(broker, names::DELAY_TOPIC, queue_of(level), &properties, body);
        };
        let broker = open(&disk, &clock);
        wait(&broker, 2, "5 s");
        wait(&broker, 3, "10 s");
        wait(&broker, 1, "1 s");
        clock.advance(Duration::from_millis(999));
        deliver_due(&broker);
        assert_eq!(delivered(&broker), Vec::<String>::new());
        clock.advance(Duration::from_millis(1));
        deliver_due(&broker);
        assert_eq!(delivered(&broker), ["1 s"]);
        wait(&broker, 2, "5 s later");
        clock.advance(Duration::from_millis(4000));
        deliver_due(&broker);
        deliver_due(&broker);
        assert_eq!(delivered(&broker), ["1 s", "5 s"]);
        close(broker);

        let broker = open(&disk, &clock);
        deliver_due(&broker);
        assert_eq!(delivered(&broker), ["1 s", "5 s"]);
        clock.advance(Duration::from_secs(3600));
        deliver_due(&broker);
        assert_eq!(delivered(&broker), ["1 s", "5 s", "5 s later", "10 s"]);
        close(broker);
    }

    #[test]
    fn whoever_asks_whether_anything_waits_is_told_as_soon_as_it_does() {
        let (disk, clock) = (SimDisk::new(5).disk(), Clock::manual(NOW_MS));
        let broker = open(&disk, &clock);
        let mut waits = anything_waits();
        assert_eq!([waits(&broker), waits(&broker)], [false, false]);
        put(&broker, testing::TOPIC, QUEUE, "", "at once");
        assert_eq!([waits(&broker), waits(&broker)], [false, false]);
        let properties = waiting_properties("DELAY\u{1}1\u{2}", testing::TOPIC, QUEUE);
        put(&broker, names::DELAY_TOPIC, queue_of(1), &properties, "1 s");
        assert_eq!([waits(&broker), waits(&broker)], [true, true]);
        clock.advance(Duration::from_secs(1));
        deliver_due(&broker);
        assert!(!waits(&broker));
        close(broker);
    }

    #[test]
    fn what_is_delivered_says_how_long_it_waited() {
        let (disk, clock) = (SimDisk::new(4).disk(), Clock::manual(NOW_MS));
        let broker = open(&disk, &clock);
        let properties = waiting_properties("colour\u{1}red\u{2}DELAY\u{1}1\u{2}", testing::TOPIC, QUEUE);
        put(&broker, names::DELAY_TOPIC, queue_of(1), &properties, "body");
        clock.advance(Duration::from_secs(1));
        deliver_due(&broker);
        let mut bytes = Vec::new();
        broker.store.read(testing::TOPIC, QUEUE, QueueOffset(0), AT_ONCE, &mut |_| true, &mut bytes);
        assert_eq!(records(&bytes).next().unwrap().unwrap().properties, properties);
        close(broker);
    }

    #[test]
    fn levels_above_the_last_wait_in_the_last() {
        assert_eq!(level_asked(None, 18).unwrap(), None);
        assert_eq!(level_asked(Some("0"), 18).unwrap(), None);
        assert_eq!(level_asked(Some("-1"), 18).unwrap(), None);
        assert_eq!(level_asked(Some(""), 18).unwrap(), None);
        for none in ["x", "1e3", " 3 ", "99999999999"] {
            assert_eq!(level_asked(Some(none), 18).unwrap_err().code(), 13, "{none}");
        }
        assert_eq!(level_asked(Some("3"), 18).unwrap(), Some(3));
        assert_eq!(level_asked(Some("99"), 18).unwrap(), Some(18));
        assert_eq!((queue_of(1), queue_of(18)), (0, 17));
    }
}
