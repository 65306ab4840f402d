//! Which messages does the workload send, and how are they known again?

/// Topics of the workload; each has [`QUEUES`] queues.
pub const TOPICS: [&str; 3] = ["TortureA", "TortureB", "TortureC"];
/// Queues of each.
pub const QUEUES: u32 = 4;

/// One queue: which topic, which of its queues.
pub type Queue = (usize, u32);

/// An id: which life of the broker, who, which message.
pub fn id(life: u64, writer: u64, number: u64) -> u64 {
    life << 40 | writer << 32 | number
}

/// The life of the broker in which it was sent.
pub fn life_of(id: u64) -> u64 {
    id >> 40
}

/// The id at the start of a body, and whether it is of a message that comes later than it is sent.
pub fn id_in(body: &[u8]) -> Option<(u64, bool)> {
    let (id, rest) = body.split_first_chunk()?;
    Some((u64::from_be_bytes(*id), *rest.first()? == b'L'))
}

/// A hash of a body.
pub fn hash(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}

/// The unique key of a message.
pub fn unique_key(id: u64) -> String {
    format!("{id:032X}")
}

/// A key that it shares with a few others.
pub fn shared_key(id: u64) -> String {
    format!("k{}", id / 8)
}

/// Messages of these writers come later than they are sent.
pub const LATE_WRITER: u64 = 100;

/// Whether it comes later than it is sent.
pub fn is_pending(id: u64) -> bool {
    id >> 32 & 0xFF >= LATE_WRITER
}

/// All queues.
pub fn queues() -> impl Iterator<Item = Queue> {
    (0..TOPICS.len()).flat_map(|topic| (0..QUEUES).map(move |queue| (topic, queue)))
}

/// How long the first delay level lasts.
pub const DELAY_MS: i64 = 1000;
