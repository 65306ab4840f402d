//! Which topics began anew, and who has heard of it?
//!
//! A topic that is deleted and made again begins at offset 0, and no request says which of the two its offset is from. So it is told by
//! who asks:
//!
//! ```text
//!            deleted      made again
//! ---- old life | 17 ... 17  | new life ------------------>
//!      a pulls at 1000       | a, connected before, pulls at 2: its offset is from the old life; it is sent to the beginning, and its
//!                            |    commits do not count, until it pulls from where it was sent, or from an offset that it was told
//!                            | b, connected since, is believed
//! ```
//!
//! Only groups are doubted that had read the queue before; where that is not known, after a restart, all are. What is told here is in
//! memory: after a restart every connection is new. An offset beyond the end of such a queue is of the old life whoever sends it, and that
//! the store knows (`Store::was_deleted`).

use parking_lot::RwLock;
use roxmq_remoting::ConnectionId;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Deleted topics that are remembered. Above that all are forgotten, and everybody is believed.
const TOPICS_MAX: usize = 10_000;
/// Readers that are remembered. Above that all are believed.
const READERS_MAX: usize = 100_000;

/// The table.
#[derive(Default)]
pub struct Lives {
    /// How often any topic was deleted. Looked at before the table is locked.
    deletions: AtomicU64,
    /// A bit for each topic in the table, which others may share. Looked at before it is locked, since every pull asks.
    marks: AtomicU64,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    topics: HashMap<String, Life>,
    readers: HashMap<ConnectionId, HashMap<Place, Heard>>,
    reader_count: usize,
    last_number: u64,
}

struct Life {
    /// No two lives of any topics have the same.
    number: u64,
    /// Connections with lower numbers were there when it began.
    since: ConnectionId,
    /// The groups and queues that were read in any life before; `None` if nobody knows.
    read_before: Option<HashSet<(String, i32)>>,
}

/// What a connection reads: a life of a topic, for a group, a queue. Without a group it only asked about the queue.
type Place = (u64, String, i32);

/// What a reader knows of the new life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// This offset.
    Told(i64),
    /// It reads there.
    Reads,
}

/// An offset that somebody sends of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The queue.
    pub queue_id: i32,
    /// For which group.
    pub group: &'a str,
    /// By whom.
    pub connection: ConnectionId,
    /// The offset.
    pub offset: i64,
}

impl Lives {
    /// How often any topic was deleted. What is looked up after this was read is no older than it says.
    pub fn deletions(&self) -> u64 {
        self.deletions.load(Ordering::Acquire)
    }

    fn may_know(&self, topic: &str) -> bool {
        self.marks.load(Ordering::Acquire) & mark(topic) != 0
    }

    /// Which life of the topic it is; `None` if it was not deleted lately.
    pub fn of(&self, topic: &str) -> Option<u64> {
        if !self.may_know(topic) {
            return None;
        }
        self.table.read().topics.get(topic).map(|life| life.number)
    }

    /// The topic is deleted; `next` is the number of the next connection.
    pub fn ended(&self, topic: &str, next: ConnectionId) {
        let mut table = self.table.write();
        // Who has not heard that an earlier life ended may still send an offset of it.
        let read_before = table.topics.get_mut(topic).map_or_else(|| Some(HashSet::new()), |life| life.read_before.take());
        table.add(topic, next, read_before);
        self.marks.fetch_or(mark(topic), Ordering::AcqRel);
        self.deletions.fetch_add(1, Ordering::AcqRel);
    }

    /// Who had read the topic that was deleted.
    pub fn was_read(&self, topic: &str, by: HashSet<(String, i32)>) {
        if let Some(life) = self.table.write().topics.get_mut(topic)
            && let Some(read_before) = &mut life.read_before
        {
            read_before.extend(by);
            if read_before.len() > READERS_MAX {
                life.read_before = None;
            }
        }
    }

    /// The topic is made. `was_deleted`: by this process or one before.
    pub fn began(&self, topic: &str, was_deleted: bool, next: ConnectionId) {
        if !was_deleted && !self.may_know(topic) {
            return;
        }
        let mut table = self.table.write();
        match table.topics.get_mut(topic) {
            Some(life) => life.since = next,
            None if was_deleted => {
                table.add(topic, next, None);
                self.marks.fetch_or(mark(topic), Ordering::AcqRel);
            }
            None => {}
        }
    }

    /// Somebody is told an offset of a queue that it may go on from.
    pub fn tell(&self, claim: Claim<'_>) {
        if !self.may_know(claim.topic) {
            return;
        }
        let mut table = self.table.write();
        if let Some(number) = table.topics.get(claim.topic).filter(|life| claim.connection < life.since).map(|life| life.number)
            && table.heard(number, claim.group, claim) != Some(Heard::Reads)
        {
            table.hears(number, claim, Heard::Told(claim.offset));
        }
    }

    /// May somebody read from the offset, when everybody may from up to `beginning`? From then on it is believed.
    pub fn may_read(&self, claim: Claim<'_>, beginning: i64) -> bool {
        if !self.may_know(claim.topic) || self.table.read().doubts(claim).is_none() {
            return true;
        }
        let mut table = self.table.write();
        let Some(number) = table.doubts(claim) else { return true };
        if claim.offset > beginning && !table.told(number, claim).any(|offset| offset == claim.offset) {
            return false;
        }
        table.hears(number, claim, Heard::Reads);
        true
    }

    /// May somebody commit the offset, when everybody may up to `beginning`?
    pub fn may_commit(&self, claim: Claim<'_>, beginning: i64) -> bool {
        if !self.may_know(claim.topic) || claim.offset <= beginning {
            return true;
        }
        let table = self.table.read();
        table.doubts(claim).is_none_or(|number| table.told(number, claim).any(|offset| offset >= claim.offset))
    }

    /// Does it read there since the topic was made again?
    pub fn reads(&self, claim: Claim<'_>) -> bool {
        let table = self.table.read();
        table.topics.get(claim.topic).is_some_and(|life| table.heard(life.number, claim.group, claim) == Some(Heard::Reads))
    }

    /// A connection is gone.
    pub fn connection_lost(&self, connection: ConnectionId) {
        if self.marks.load(Ordering::Acquire) != 0 {
            let mut table = self.table.write();
            let gone = table.readers.remove(&connection).map_or(0, |places| places.len());
            table.reader_count -= gone;
        }
    }
}

/// The bit of a topic.
fn mark(topic: &str) -> u64 {
    1 << (topic.bytes().fold(0u8, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte)) % 64)
}

impl Table {
    fn add(&mut self, topic: &str, since: ConnectionId, read_before: Option<HashSet<(String, i32)>>) {
        if self.topics.len() >= TOPICS_MAX {
            *self = Table { last_number: self.last_number, ..Table::default() };
        }
        self.last_number += 1;
        self.topics.insert(topic.to_owned(), Life { number: self.last_number, since, read_before });
    }

    /// The topic's life, if the offset may be one of the life before.
    fn doubts(&self, claim: Claim<'_>) -> Option<u64> {
        let life = self.topics.get(claim.topic).filter(|life| claim.connection < life.since)?;
        let has_read = |by: &HashSet<(String, i32)>| by.contains(&(claim.group.to_owned(), claim.queue_id));
        let may_be = self.reader_count < READERS_MAX
            && life.read_before.as_ref().is_none_or(has_read)
            && self.heard(life.number, claim.group, claim) != Some(Heard::Reads);
        may_be.then_some(life.number)
    }

    fn heard(&self, number: u64, group: &str, claim: Claim<'_>) -> Option<Heard> {
        self.readers.get(&claim.connection)?.get(&(number, group.to_owned(), claim.queue_id)).copied()
    }

    /// What it was told, for its group or for none.
    fn told(&self, number: u64, claim: Claim<'_>) -> impl Iterator<Item = i64> {
        let heard = [claim.group, ""].map(|group| self.heard(number, group, claim));
        heard.into_iter().flatten().filter_map(|heard| match heard {
            Heard::Told(offset) => Some(offset),
            Heard::Reads => None,
        })
    }

    fn hears(&mut self, number: u64, claim: Claim<'_>, heard: Heard) {
        if self.reader_count >= READERS_MAX {
            return;
        }
        let places = self.readers.entry(claim.connection).or_default();
        if places.insert((number, claim.group.to_owned(), claim.queue_id), heard).is_none() {
            self.reader_count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: ConnectionId = 5;
    const NEW: ConnectionId = 30;

    fn claim(connection: ConnectionId, group: &str, offset: i64) -> Claim<'_> {
        Claim { topic: "t", queue_id: 0, group, connection, offset }
    }

    /// A topic that `g` read was deleted and made again.
    fn anew() -> Lives {
        let lives = Lives::default();
        lives.ended("t", 10);
        lives.was_read("t", [("g".to_owned(), 0)].into());
        lives.began("t", true, 20);
        lives
    }

    #[test]
    fn who_heard_of_none_of_two_new_lives_is_doubted_in_the_second() {
        let lives = anew();
        lives.ended("t", 20);
        lives.was_read("t", HashSet::new());
        lives.began("t", true, 20);
        assert!(!lives.may_read(claim(OLD, "g", 2), 0) && !lives.may_commit(claim(OLD, "g", 2), 0));
        assert!(lives.may_read(claim(OLD, "other", 2), 0), "it read neither");
        assert!(lives.may_read(claim(OLD, "g", 0), 0) && lives.may_read(claim(OLD, "g", 2), 0));
    }

    #[test]
    fn who_was_there_before_is_doubted_until_it_reads_from_where_it_was_sent() {
        let lives = anew();
        assert!(!lives.may_read(claim(OLD, "g", 2), 0) && !lives.may_commit(claim(OLD, "g", 2), 0));
        assert!(!lives.may_read(claim(15, "g", 2), 0), "it came while the topic was gone");
        assert!(lives.may_commit(claim(OLD, "g", 0), 0));
        assert!(lives.may_read(claim(OLD, "g", 0), 0));
        assert!(lives.may_read(claim(OLD, "g", 2), 0) && lives.may_commit(claim(OLD, "g", 2), 0));
        assert!(!lives.may_read(claim(OLD + 1, "g", 2), 0), "another of its group has not heard");
        assert!(lives.may_read(claim(NEW, "g", 2), 0) && lives.may_commit(claim(NEW, "g", 2), 0));
        assert!(lives.may_read(claim(OLD, "h", 2), 0), "it had read nothing");
        assert!(lives.may_read(Claim { queue_id: 1, ..claim(OLD, "g", 2) }, 0));
        assert!(lives.may_read(Claim { topic: "u", ..claim(OLD, "g", 2) }, 0));
    }

    #[test]
    fn what_was_told_is_believed() {
        let lives = anew();
        lives.tell(claim(OLD, "g", 3));
        assert!(!lives.may_read(claim(OLD, "g", 2), 0) && lives.may_commit(claim(OLD, "g", 3), 0));
        assert!(lives.may_read(claim(OLD, "g", 3), 0));
        // The end of the queue, by a request that names no group.
        let lives = anew();
        lives.tell(claim(OLD, "", 7));
        assert!(!lives.may_read(claim(OLD, "g", 6), 0) && lives.may_read(claim(OLD, "g", 7), 0) && lives.may_read(claim(OLD, "g", 9), 0));
    }

    #[test]
    fn after_a_restart_all_are_doubted_that_were_there_when_it_began() {
        let lives = Lives::default();
        assert!(lives.may_read(claim(OLD, "g", 2), 0));
        lives.began("t", false, 20);
        assert_eq!(lives.of("t"), None);
        lives.began("t", true, 20);
        assert!(lives.of("t").is_some());
        assert!(!lives.may_read(claim(OLD, "h", 2), 0) && lives.may_read(claim(NEW, "h", 2), 0));
        assert!(lives.may_read(claim(OLD, "h", 0), 0) && lives.may_read(claim(OLD, "h", 2), 0));
        // Deleted once more, it is another life.
        let before = lives.of("t");
        lives.ended("t", 40);
        lives.was_read("t", [("h".to_owned(), 0)].into());
        assert!(lives.of("t") != before && !lives.may_read(claim(OLD, "h", 2), 0));
        lives.tell(claim(OLD, "h", 2));
        lives.connection_lost(OLD);
        assert_eq!(lives.table.read().reader_count, 0);
    }
}
