//! Was a topic deleted and made again, and is an offset from before that?
//!
//! A topic that is deleted and made again has the same name and begins at offset 0: it is another incarnation. No request says from which
//! incarnation its offset is, so the connection decides:
//!
//! ```text
//!              deleted      made again
//! ---- incarnation 6 |      | incarnation 7 ------------------>
//!      a pulls at 1000      | a, connected before, pulls at 2: its offset is from 6. It is sent to the beginning, and its commits do not
//!                           |    count until it pulls from there, or from another offset that an answer gave it
//!                           | b, connected since, is believed
//! ```
//!
//! Only groups that had read the queue before are doubted; after a restart, when that is not known, all are. The table is in memory alone:
//! after a restart every connection is new. An offset beyond the end of such a queue is from an earlier incarnation, whatever its
//! connection; the store knows that (`Store::was_deleted`).

use parking_lot::RwLock;
use roxmq_protocol::position::QueueOffset;
use roxmq_remoting::ConnectionId;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Deleted topics that are remembered. Beyond that all are forgotten, and every offset is believed.
const TOPICS_MAX: usize = 10_000;
/// Readers that are remembered. Beyond that every offset is believed.
const READERS_MAX: usize = 100_000;

/// The table.
#[derive(Default)]
pub struct Incarnations {
    /// How often any topic was deleted. Read before the table is locked.
    deletions: AtomicU64,
    /// A bit for each topic in the table; topics may share one. Read before the table is locked, since every pull asks.
    bits: AtomicU64,
    table: RwLock<Table>,
}

/// Names an incarnation of a topic: no two, of any topics, have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IncarnationId(u64);

#[derive(Default)]
struct Table {
    topics: HashMap<String, Incarnation>,
    readers: HashMap<ConnectionId, HashMap<Place, Known>>,
    reader_count: usize,
    last_id: IncarnationId,
}

struct Incarnation {
    id: IncarnationId,
    /// Connections with lower numbers were there when it began.
    since: ConnectionId,
    /// The groups and queues that were read in any incarnation before; `None` if that is not known.
    read_before: Option<HashSet<(String, i32)>>,
}

/// Where a connection reads: an incarnation of a topic, a group, a queue. The group is empty where a client only asked about the queue.
type Place = (IncarnationId, String, i32);

/// A connection's knowledge of the present incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// An answer gave it this offset.
    Offset(QueueOffset),
    /// It reads there.
    Reads,
}

/// An offset of a queue that a client sends, or is sent.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The queue.
    pub queue_id: i32,
    /// The group that it is for.
    pub group: &'a str,
    /// The client's connection.
    pub connection: ConnectionId,
    /// The offset.
    pub offset: QueueOffset,
}

impl Incarnations {
    /// How often any topic was deleted. Lookups after this call see at least these deletions.
    pub fn deletions(&self) -> u64 {
        self.deletions.load(Ordering::Acquire)
    }

    fn may_know(&self, topic: &str) -> bool {
        self.bits.load(Ordering::Acquire) & bit_of(topic) != 0
    }

    /// The present incarnation of the topic; `None` if it was not deleted lately.
    pub fn of(&self, topic: &str) -> Option<IncarnationId> {
        if !self.may_know(topic) {
            return None;
        }
        self.table.read().topics.get(topic).map(|incarnation| incarnation.id)
    }

    /// The topic is deleted; `next` is the number of the next connection.
    pub fn ended(&self, topic: &str, next: ConnectionId) {
        let mut table = self.table.write();
        // A client that has not heard of an earlier deletion may still send an offset from before it.
        let read_before = table.topics.get_mut(topic).map_or_else(|| Some(HashSet::new()), |earlier| earlier.read_before.take());
        table.add(topic, next, read_before);
        self.bits.fetch_or(bit_of(topic), Ordering::AcqRel);
        self.deletions.fetch_add(1, Ordering::AcqRel);
    }

    /// The groups and queues that had read the deleted topic.
    pub fn was_read(&self, topic: &str, by: HashSet<(String, i32)>) {
        if let Some(incarnation) = self.table.write().topics.get_mut(topic)
            && let Some(read_before) = &mut incarnation.read_before
        {
            read_before.extend(by);
            if read_before.len() > READERS_MAX {
                incarnation.read_before = None;
            }
        }
    }

    /// The topic is made. `was_deleted`: by this process or an earlier one.
    pub fn began(&self, topic: &str, was_deleted: bool, next: ConnectionId) {
        if !was_deleted && !self.may_know(topic) {
            return;
        }
        let mut table = self.table.write();
        match table.topics.get_mut(topic) {
            Some(incarnation) => incarnation.since = next,
            None if was_deleted => {
                table.add(topic, next, None);
                self.bits.fetch_or(bit_of(topic), Ordering::AcqRel);
            }
            None => {}
        }
    }

    /// An answer gives a client an offset of a queue from which it may go on.
    pub fn answered(&self, claim: Claim<'_>) {
        if !self.may_know(claim.topic) {
            return;
        }
        let mut table = self.table.write();
        if let Some(id) =
            table.topics.get(claim.topic).filter(|incarnation| claim.connection < incarnation.since).map(|incarnation| incarnation.id)
            && table.known(id, claim.group, claim) != Some(Known::Reads)
        {
            table.learn(id, claim, Known::Offset(claim.offset));
        }
    }

    /// May the client read from the offset? Every client may up to `beginning`. From then on the client is believed.
    pub fn may_read(&self, claim: Claim<'_>, beginning: QueueOffset) -> bool {
        if !self.may_know(claim.topic) || self.table.read().doubts(claim).is_none() {
            return true;
        }
        let mut table = self.table.write();
        let Some(id) = table.doubts(claim) else { return true };
        if claim.offset > beginning && !table.answers(id, claim).any(|offset| offset == claim.offset) {
            return false;
        }
        table.learn(id, claim, Known::Reads);
        true
    }

    /// May the client commit the offset? Every client may up to `beginning`.
    pub fn may_commit(&self, claim: Claim<'_>, beginning: QueueOffset) -> bool {
        if !self.may_know(claim.topic) || claim.offset <= beginning {
            return true;
        }
        let table = self.table.read();
        table.doubts(claim).is_none_or(|id| table.answers(id, claim).any(|offset| offset >= claim.offset))
    }

    /// Has the client read there since the topic was made again?
    pub fn reads(&self, claim: Claim<'_>) -> bool {
        let table = self.table.read();
        table.topics.get(claim.topic).is_some_and(|incarnation| table.known(incarnation.id, claim.group, claim) == Some(Known::Reads))
    }

    /// A connection is gone.
    pub fn connection_lost(&self, connection: ConnectionId) {
        if self.bits.load(Ordering::Acquire) != 0 {
            let mut table = self.table.write();
            let gone = table.readers.remove(&connection).map_or(0, |places| places.len());
            table.reader_count -= gone;
        }
    }
}

fn bit_of(topic: &str) -> u64 {
    1 << (topic.bytes().fold(0u8, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte)) % 64)
}

impl Table {
    fn add(&mut self, topic: &str, since: ConnectionId, read_before: Option<HashSet<(String, i32)>>) {
        if self.topics.len() >= TOPICS_MAX {
            *self = Table { last_id: self.last_id, ..Table::default() };
        }
        self.last_id.0 += 1;
        self.topics.insert(topic.to_owned(), Incarnation { id: self.last_id, since, read_before });
    }

    /// The topic's incarnation, if the offset may be from an earlier one.
    fn doubts(&self, claim: Claim<'_>) -> Option<IncarnationId> {
        let incarnation = self.topics.get(claim.topic).filter(|incarnation| claim.connection < incarnation.since)?;
        let has_read = |by: &HashSet<(String, i32)>| by.contains(&(claim.group.to_owned(), claim.queue_id));
        let may_be = self.reader_count < READERS_MAX
            && incarnation.read_before.as_ref().is_none_or(has_read)
            && self.known(incarnation.id, claim.group, claim) != Some(Known::Reads);
        may_be.then_some(incarnation.id)
    }

    fn known(&self, id: IncarnationId, group: &str, claim: Claim<'_>) -> Option<Known> {
        self.readers.get(&claim.connection)?.get(&(id, group.to_owned(), claim.queue_id)).copied()
    }

    /// The offsets that answers gave the client, for its group or for none.
    fn answers(&self, id: IncarnationId, claim: Claim<'_>) -> impl Iterator<Item = QueueOffset> {
        let known = [claim.group, ""].map(|group| self.known(id, group, claim));
        known.into_iter().flatten().filter_map(|known| match known {
            Known::Offset(offset) => Some(offset),
            Known::Reads => None,
        })
    }

    fn learn(&mut self, id: IncarnationId, claim: Claim<'_>, known: Known) {
        if self.reader_count >= READERS_MAX {
            return;
        }
        let places = self.readers.entry(claim.connection).or_default();
        if places.insert((id, claim.group.to_owned(), claim.queue_id), known).is_none() {
            self.reader_count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: QueueOffset = QueueOffset(0);
    const OLD: ConnectionId = 5;
    const NEW: ConnectionId = 30;

    fn claim(connection: ConnectionId, group: &str, offset: i64) -> Claim<'_> {
        Claim { topic: "t", queue_id: 0, group, connection, offset: QueueOffset(offset) }
    }

    /// A topic that `g` read was deleted and made again.
    fn made_again() -> Incarnations {
        let incarnations = Incarnations::default();
        incarnations.ended("t", 10);
        incarnations.was_read("t", [("g".to_owned(), 0)].into());
        incarnations.began("t", true, 20);
        incarnations
    }

    #[test]
    fn a_client_that_missed_two_deletions_is_doubted_after_the_second() {
        let incarnations = made_again();
        incarnations.ended("t", 20);
        incarnations.was_read("t", HashSet::new());
        incarnations.began("t", true, 20);
        assert!(!incarnations.may_read(claim(OLD, "g", 2), START) && !incarnations.may_commit(claim(OLD, "g", 2), START));
        assert!(incarnations.may_read(claim(OLD, "other", 2), START), "it read neither");
        assert!(incarnations.may_read(claim(OLD, "g", 0), START) && incarnations.may_read(claim(OLD, "g", 2), START));
    }

    #[test]
    fn an_old_connection_is_doubted_until_it_reads_from_where_it_was_sent() {
        let incarnations = made_again();
        assert!(!incarnations.may_read(claim(OLD, "g", 2), START) && !incarnations.may_commit(claim(OLD, "g", 2), START));
        assert!(!incarnations.may_read(claim(15, "g", 2), START), "it came while the topic was gone");
        assert!(incarnations.may_commit(claim(OLD, "g", 0), START));
        assert!(incarnations.may_read(claim(OLD, "g", 0), START));
        assert!(incarnations.may_read(claim(OLD, "g", 2), START) && incarnations.may_commit(claim(OLD, "g", 2), START));
        assert!(!incarnations.may_read(claim(OLD + 1, "g", 2), START), "another of its group has not heard");
        assert!(incarnations.may_read(claim(NEW, "g", 2), START) && incarnations.may_commit(claim(NEW, "g", 2), START));
        assert!(incarnations.may_read(claim(OLD, "h", 2), START), "it had read nothing");
        assert!(incarnations.may_read(Claim { queue_id: 1, ..claim(OLD, "g", 2) }, START));
        assert!(incarnations.may_read(Claim { topic: "u", ..claim(OLD, "g", 2) }, START));
    }

    #[test]
    fn an_offset_from_an_answer_is_believed() {
        let incarnations = made_again();
        incarnations.answered(claim(OLD, "g", 3));
        assert!(!incarnations.may_read(claim(OLD, "g", 2), START) && incarnations.may_commit(claim(OLD, "g", 3), START));
        assert!(incarnations.may_read(claim(OLD, "g", 3), START));
        // The end of the queue, by a request that names no group.
        let incarnations = made_again();
        incarnations.answered(claim(OLD, "", 7));
        assert!(
            !incarnations.may_read(claim(OLD, "g", 6), START)
                && incarnations.may_read(claim(OLD, "g", 7), START)
                && incarnations.may_read(claim(OLD, "g", 9), START)
        );
    }

    #[test]
    fn after_a_restart_all_connections_from_before_are_doubted() {
        let incarnations = Incarnations::default();
        assert!(incarnations.may_read(claim(OLD, "g", 2), START));
        incarnations.began("t", false, 20);
        assert_eq!(incarnations.of("t"), None);
        incarnations.began("t", true, 20);
        assert!(incarnations.of("t").is_some());
        assert!(!incarnations.may_read(claim(OLD, "h", 2), START) && incarnations.may_read(claim(NEW, "h", 2), START));
        assert!(incarnations.may_read(claim(OLD, "h", 0), START) && incarnations.may_read(claim(OLD, "h", 2), START));
        // Deleted once more, it is another incarnation.
        let before = incarnations.of("t");
        incarnations.ended("t", 40);
        incarnations.was_read("t", [("h".to_owned(), 0)].into());
        assert!(incarnations.of("t") != before && !incarnations.may_read(claim(OLD, "h", 2), START));
        incarnations.answered(claim(OLD, "h", 2));
        incarnations.connection_lost(OLD);
        assert_eq!(incarnations.table.read().reader_count, 0);
    }
}
