//! A simulated disk and clock, a producer, and a memory of what was sent.
#![allow(dead_code, reason = "each test uses a part")]

use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::light::light_places;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::record::{Draft, Record, records};
use roxmq_protocol::time::Timestamp;
use roxmq_store::{
    AppendError, Batch, Filter, FlushMode, OpenError, Patience, Placed, QueueHint, ReadLimits, ReadRequest, ReadResult, ReadStatus,
    Retention, Store, StoreConfig,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

/// Where messages of a queue were put, and their bodies, by offset.
type Sent = BTreeMap<i64, (Placed, Vec<u8>)>;

pub struct World {
    pub seed: u64,
    pub sim: SimDisk,
    pub clock: Clock,
    pub start_ms: i64,
    pub config: StoreConfig,
    batch: RefCell<Batch>,
    /// What was sent to each queue, by offset.
    pub sent: RefCell<BTreeMap<(String, u32), Sent>>,
    count: RefCell<HashMap<(String, u32), i64>>,
    /// What the last append to each queue found, which the next one is given, as a broker does.
    hints: RefCell<HashMap<(String, u32), QueueHint>>,
}

impl World {
    pub fn new(seed: u64) -> World {
        let start_ms = 1_700_000_000_000;
        let config = StoreConfig {
            root: "/store".into(),
            segment_bytes: 8192,
            flush: FlushMode::Sync,
            retention: Retention { disk_reserve_bytes: 0, ..Retention::default() },
            tail_checkpoint_bytes: 2000,
            background: false,
            light_queues: true,
            ..StoreConfig::default()
        };
        World {
            seed,
            sim: SimDisk::new(seed),
            clock: Clock::manual(start_ms),
            start_ms,
            config,
            batch: RefCell::new(Batch::with_light_queues()),
            sent: RefCell::default(),
            count: RefCell::default(),
            hints: RefCell::default(),
        }
    }

    pub fn try_open(&self) -> Result<Arc<Store>, OpenError> {
        self.hints.borrow_mut().clear();
        Store::open(self.clock.clone(), self.sim.disk(), self.config.clone())
    }

    pub fn open(&self) -> Arc<Store> {
        self.try_open().unwrap_or_else(|error| panic!("seed {}: {error}", self.seed))
    }

    /// Sends message number `n`; what it says follows from topic, queue and number.
    pub fn send(&self, store: &Store, topic: &str, queue_id: u32, n: usize) -> Result<Placed, AppendError> {
        self.send_batch(store, &[(topic, queue_id, n)]).map(|placed| placed[0])
    }

    pub fn send_batch(&self, store: &Store, messages: &[(&str, u32, usize)]) -> Result<Vec<Placed>, AppendError> {
        self.batch.borrow_mut().clear();
        self.send_more(store, messages)
    }

    /// Sends a batch that is atomic.
    pub fn send_atomic(&self, store: &Store, messages: &[(&str, u32, usize)]) -> Result<Vec<Placed>, AppendError> {
        self.batch.borrow_mut().clear();
        self.batch.borrow_mut().make_atomic();
        self.send_more(store, messages)
    }

    fn send_more(&self, store: &Store, messages: &[(&str, u32, usize)]) -> Result<Vec<Placed>, AppendError> {
        let mut batch = self.batch.borrow_mut();
        let mut bodies = Vec::new();
        let light_next = LIGHTS.map(|name| store.queue_next(name, 0).map_or(0, |next| next.0));
        let mut light_next: HashMap<&str, i64> = LIGHTS.into_iter().zip(light_next).collect();
        for (topic, queue_id, n) in messages {
            let body = body_of(topic, *queue_id, *n as i64);
            let properties = properties_of(*n);
            let draft = Draft {
                topic,
                queue_id: *queue_id,
                flag: 0,
                sys_flag: 0,
                born_timestamp: Timestamp(self.clock.now_ms()),
                born_host: SocketAddr::from(([10, 0, 0, 1], 4000)),
                store_host: SocketAddr::from(([10, 0, 0, 2], 10911)),
                reconsume_times: 0,
                prepared_transaction_offset: 0,
                body: &body,
                properties: &properties,
            };
            let at = batch.push(draft).expect("fits");
            batch.set_hint(at, self.hints.borrow().get(&((*topic).to_owned(), *queue_id)).copied());
            bodies.push(body);
        }
        store.append(&mut batch)?;
        let mut placed = Vec::new();
        for (n, ((topic, queue_id, _), body)) in messages.iter().zip(bodies).enumerate() {
            let at = batch.placed(n);
            self.hints.borrow_mut().extend(batch.hint(n).map(|hint| (((*topic).to_owned(), *queue_id), hint)));
            let mut sent = self.sent.borrow_mut();
            let queue = sent.entry(((*topic).to_owned(), *queue_id)).or_default();
            queue.insert(at.queue_offset.0, (at, body.clone()));
            for name in lights_of(messages[n].2) {
                let next = light_next.get_mut(name).expect("a known one");
                sent.entry(((*name).to_owned(), 0)).or_default().insert(*next, (at, body.clone()));
                *next += 1;
            }
            placed.push(at);
        }
        Ok(placed)
    }

    /// The next offset of a queue, as far as was sent.
    pub fn next(&self, topic: &str, queue_id: u32) -> i64 {
        let sent = self.sent.borrow();
        sent.get(&(topic.to_owned(), queue_id)).and_then(|sent| sent.last_key_value()).map_or(0, |(offset, _)| offset + 1)
    }

    pub fn forget(&self, topic: &str) {
        self.sent.borrow_mut().retain(|(name, _), _| name != topic);
    }

    pub fn placed(&self, topic: &str, queue_id: u32, offset: i64) -> Option<Placed> {
        self.sent.borrow().get(&(topic.to_owned(), queue_id))?.get(&offset).map(|(placed, _)| *placed)
    }

    pub fn limits(&self, messages_max: u32) -> ReadLimits {
        ReadLimits { messages_max, bytes_max: 1 << 20, scan_max: 10_000, patience: Patience::WaitForDisk }
    }

    pub fn read(&self, store: &Store, topic: &str, queue_id: u32, from: i64, max: u32) -> (ReadResult, Vec<u8>) {
        let mut out = Vec::new();
        let result = store.read(&ReadRequest { topic, queue_id, from: QueueOffset(from), limits: self.limits(max) }, Filter::ALL, &mut out);
        assert_eq!(records(&out).filter(Result::is_ok).count(), result.messages as usize, "seed {}", self.seed);
        (result, out)
    }

    /// Reads a whole queue: offset and body of every message.
    pub fn read_all(&self, store: &Store, topic: &str, queue_id: u32) -> Vec<(i64, Vec<u8>)> {
        let mut all = Vec::new();
        let mut next = store.bounds(topic, queue_id).map_or(0, |(min, _)| min.0);
        loop {
            let (result, bytes) = self.read(store, topic, queue_id, next, 7);
            for record in records(&bytes) {
                let record: Record<'_> = record.expect("reads");
                let number = number_in(record.body);
                let own = record.properties.split("INNER_MULTI_QUEUE_OFFSET").next();
                assert_eq!(own, Some(&*properties_of(number)), "seed {}", self.seed);
                let places: Vec<_> = light_places(record.topic, record.properties()).collect();
                assert_eq!(places.iter().map(|(name, _)| *name).collect::<Vec<_>>(), lights_of(number), "seed {}", self.seed);
                let offset = match places.iter().find(|(name, _)| *name == topic) {
                    Some((_, offset)) => *offset,
                    None => {
                        assert_eq!((record.topic, record.queue_id), (topic, queue_id), "seed {}", self.seed);
                        record.queue_offset.0
                    }
                };
                all.push((offset, record.body.to_vec()));
            }
            match result.status {
                ReadStatus::Found | ReadStatus::NoMatchedMessage | ReadStatus::MessageWasRemoving => {
                    assert!(result.next.0 > next, "seed {}: {result:?}", self.seed);
                    next = result.next.0;
                }
                _ => return all,
            }
        }
    }

    /// As [`World::read_all`], of what can be read at all.
    pub fn read_all_unchecked(&self, store: &Store, topic: &str, queue_id: u32) -> Vec<(i64, Vec<u8>)> {
        let mut all = Vec::new();
        let Some((min, max)) = store.bounds(topic, queue_id) else { return all };
        let mut next = min.0;
        while next < max.0 {
            let (result, bytes) = self.read(store, topic, queue_id, next, 7);
            all.extend(records(&bytes).filter_map(Result::ok).map(|record| {
                let light = light_places(record.topic, record.properties()).find(|(name, _)| *name == topic);
                (light.map_or(record.queue_offset.0, |(_, offset)| offset), record.body.to_vec())
            }));
            assert!(result.next.0 > next, "seed {}: {result:?}", self.seed);
            next = result.next.0;
        }
        all
    }

    /// Everything sent that the log still has is there, nothing else, in order.
    pub fn check_all(&self, store: &Store) {
        let from = store.min_log_offset();
        for ((topic, queue_id), sent) in self.sent.borrow().iter() {
            let sent = sent.iter().filter(|(_, (at, _))| at.log_offset >= from);
            let sent: Vec<_> = sent.map(|(offset, (_, body))| (*offset, body.clone())).collect();
            let read = self.read_all(store, topic, *queue_id);
            assert!(read == sent, "seed {}: {topic} {queue_id}: read {:?} sent {:?}", self.seed, offsets(&read), offsets(&sent));
        }
    }
}

pub fn offsets(messages: &[(i64, Vec<u8>)]) -> Vec<i64> {
    messages.iter().map(|(offset, _)| *offset).collect()
}

/// The light queues that messages are in.
pub const LIGHTS: [&str; 2] = ["%LMQ%a", "%LMQ%zz"];

/// The light queues of message number `n`.
pub fn lights_of(n: usize) -> &'static [&'static str] {
    match n % 5 {
        0 => &LIGHTS[..1],
        1 => &LIGHTS,
        2 => &LIGHTS[1..],
        _ => &[],
    }
}

/// The properties of message number `n`; some are longer than two sectors.
pub fn properties_of(n: usize) -> String {
    let even = if n.is_multiple_of(2) { "even" } else { "odd" };
    let padding = "p".repeat(if n % 6 == 5 { 1200 } else { 1 });
    let lights = match lights_of(n) {
        [] => String::new(),
        names => format!("INNER_MULTI_DISPATCH\u{1}{}\u{2}", names.join(",")),
    };
    format!("UNIQ_KEY\u{1}unique-{n}\u{2}pad\u{1}{padding}\u{2}KEYS\u{1}{even} third{}\u{2}TAGS\u{1}Tag{}\u{2}{lights}", n % 3, n % 5)
}

/// The number of a message, from its body.
fn number_in(body: &[u8]) -> usize {
    let text = String::from_utf8_lossy(body);
    let number = text.split(['/', ':']).nth(2).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("not a body: {text}"))
}

/// The body of message number `n` of a queue; of very different lengths.
pub fn body_of(topic: &str, queue_id: u32, n: i64) -> Vec<u8> {
    let mut body = format!("{topic}/{queue_id}/{n}:").into_bytes();
    let len = body.len() + (n as usize * 37) % 400;
    body.resize(len, b'a' + (n % 26) as u8);
    body
}
