//! Which records are in a queue, and where?
//!
//! A queue's older entries are in index files, of which the queue knows its runs; the newest are the *tail*, in memory. Offsets may
//! have gaps, where damage took records away.

use crate::directory::Row;
use crate::facts::Entry;
use crate::hints::QueueHint;
use crate::index_file::IndexFile;
use roxmq_protocol::light::is_light;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// A queue's place in the table; reused after its topic is deleted.
pub(crate) type QueueNo = u32;

/// Every queue, every index file, and the newest keys.
#[derive(Debug, Default)]
pub(crate) struct Index {
    topics: HashMap<Arc<str>, Vec<(u32, QueueNo)>>,
    queues: Vec<Option<Queue>>,
    free: Vec<QueueNo>,
    /// How many of the queues are light ones.
    light_count: usize,
    /// How many entries the queues have in memory.
    tail_len: usize,
    /// Increases when numbers of queues become free.
    generation: u64,
    /// Increases when a queue comes or goes.
    pub changes: u64,
    /// The numbers of all queues by name and id, when somebody has sorted them since one came or went.
    pub order: Option<Arc<[QueueNo]>>,
    /// By the log offset from which they know.
    pub files: BTreeMap<i64, Arc<IndexFile>>,
    pub keys: KeyTail,
    /// Deleted topics: their records before this are nobody's.
    pub dead_before: HashMap<Arc<str>, i64>,
    /// Those of them whose deletion a crash could still undo. A queue that is made again meanwhile goes on where it ended, so that its
    /// records fit whichever way that goes.
    leaving: HashMap<Arc<str>, Leaving>,
}

/// A topic that was deleted a moment ago.
#[derive(Debug, Default)]
struct Leaving {
    dead_before: i64,
    /// Queue ids and next offsets.
    queues: Vec<(u32, i64)>,
}

/// One queue of one topic.
#[derive(Debug)]
pub(crate) struct Queue {
    pub topic: Arc<str>,
    pub queue_id: u32,
    /// One past the newest offset; also when the messages are gone.
    pub next: i64,
    /// What is in index files, oldest first. One run, and one chunk, lie in the queue itself: most queues have no more, and there may be
    /// many of them.
    runs: SmallVec<[Run; 1]>,
    tail: SmallVec<[Chunk; 1]>,
}

/// Consecutive offsets of a queue in one index file.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub file: Arc<IndexFile>,
    pub first: i64,
    pub count: u32,
    /// Number of the first entry in the file.
    pub at: u32,
}

/// Consecutive offsets of a queue in memory.
#[derive(Debug)]
struct Chunk {
    first: i64,
    entries: Vec<TailEntry>,
}

/// An entry in memory also knows its store time, so that nobody needs the log for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailEntry {
    pub entry: Entry,
    pub store_time: i64,
}

/// What a record tells the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dispatch<'a> {
    /// The queue and the offset in it, if it is in one.
    pub queued: Option<(QueueNo, i64)>,
    pub entry: Entry,
    pub store_time: i64,
    pub hashes: &'a [u32],
}

/// How an offset follows what its queue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// It is the next one, or the first one known.
    Directly,
    /// Some before it are missing.
    WithGap,
    /// It is 0 again: the topic was deleted and created anew.
    AsNew,
    /// The queue has it already.
    NotAtAll,
}

/// Where an offset of a queue is to be found.
#[derive(Debug)]
pub(crate) enum Located {
    /// In memory; entries from there on were copied.
    Tail,
    /// In an index file, from entry `at`, `count` of them.
    File { file: Arc<IndexFile>, at: u32, count: u32 },
    /// Nowhere, but this later offset exists.
    Gap(i64),
    /// Nowhere, nor anything later that may be seen.
    End,
}

impl Index {
    /// An empty one that leaves out the same deleted topics.
    pub fn with_same_dead(&self) -> Index {
        Index { dead_before: self.dead_before.clone(), ..Index::default() }
    }

    pub fn find(&self, topic: &str, queue_id: u32) -> Option<QueueNo> {
        let queues = self.topics.get(topic)?;
        // A topic that has all its queues has each at the place that its id says.
        match queues.get(queue_id as usize) {
            Some((id, no)) if *id == queue_id => Some(*no),
            _ => queues.binary_search_by_key(&queue_id, |(id, _)| *id).ok().map(|at| queues[at].1),
        }
    }

    pub fn queues_of(&self, topic: &str) -> Vec<u32> {
        self.topics.get(topic).map_or(Vec::new(), |queues| queues.iter().map(|(queue_id, _)| *queue_id).collect())
    }

    pub fn queue(&self, topic: &str, queue_id: u32) -> Option<&Queue> {
        self.at(self.find(topic, queue_id)?)
    }

    pub fn at(&self, no: QueueNo) -> Option<&Queue> {
        self.queues.get(no as usize)?.as_ref()
    }

    /// Changes a queue in a way that may take entries out of memory.
    fn change<T>(&mut self, no: QueueNo, change: impl FnOnce(&mut Queue) -> T) -> Option<T> {
        let queue = self.queues.get_mut(no as usize)?.as_mut()?;
        let before = queue.tail_len();
        let changed = change(queue);
        self.tail_len -= before - queue.tail_len();
        Some(changed)
    }

    /// About how many bytes of memory the newest entries and keys take.
    pub fn tail_bytes(&self) -> u64 {
        (self.tail_len * size_of::<TailEntry>()) as u64 + self.keys.bytes()
    }

    pub fn find_or_create(&mut self, topic: &str, queue_id: u32) -> QueueNo {
        if let Some(no) = self.find(topic, queue_id) {
            return no;
        }
        let name = match self.topics.get_key_value(topic) {
            Some((name, _)) => name.clone(),
            None => Arc::from(topic),
        };
        let next = self.leaving.get(topic).map_or(0, |leaving| leaving.next(queue_id));
        let queue = Queue { topic: name.clone(), queue_id, next, runs: SmallVec::new(), tail: SmallVec::new() };
        let no = match self.free.pop() {
            Some(no) => {
                self.queues[no as usize] = Some(queue);
                no
            }
            None => {
                self.queues.push(Some(queue));
                self.queues.len() as QueueNo - 1
            }
        };
        self.light_count += usize::from(is_light(topic));
        self.queues_changed();
        let queues = self.topics.entry(name).or_default();
        let at = queues.partition_point(|(id, _)| *id < queue_id);
        queues.insert(at, (queue_id, no));
        no
    }

    /// Takes in a record. The offset must follow: [`Queue::follows`].
    pub fn dispatch(&mut self, record: Dispatch<'_>) {
        self.keys.push(record.hashes, record.entry.log_offset);
        if let Some((no, offset)) = record.queued {
            self.add(no, offset, record.entry, record.store_time);
        }
    }

    /// Takes a record into a queue. The offset must follow: [`Queue::follows`].
    pub fn add(&mut self, no: QueueNo, offset: i64, entry: Entry, store_time: i64) {
        if let Some(Some(queue)) = self.queues.get_mut(no as usize) {
            queue.push(offset, TailEntry { entry, store_time });
            self.tail_len += 1;
        }
    }

    /// Takes in a row of an index file's directory; files come oldest first.
    pub fn add_row(&mut self, file: &Arc<IndexFile>, row: &Row) {
        if self.dead_before.get(&row.topic).is_some_and(|dead| row.first_log_offset < *dead) {
            return;
        }
        let no = self.find_or_create(&row.topic, row.queue_id);
        self.change(no, |queue| queue.add_row(file, row));
    }

    /// Starts a queue over, as its topic was deleted and created anew.
    pub fn restart_queue(&mut self, no: QueueNo) {
        self.change(no, |queue| {
            queue.forget();
            queue.next = 0;
        });
    }

    /// See [`Queue::take_back_outlier`].
    pub fn take_back_outlier(&mut self, no: QueueNo, offset: i64) -> bool {
        self.change(no, |queue| queue.take_back_outlier(offset)).unwrap_or(false)
    }

    /// Takes back what stands alone behind a gap at the end of a queue, where nothing explains the gap: neither damage, nor that the next
    /// message was known to have that offset.
    pub fn take_back_unexplained(&mut self, known_next: impl Fn(&Arc<str>, u32) -> i64) {
        for no in 0..self.queues.len() as QueueNo {
            self.change(no, |queue| queue.take_back_unexplained(&known_next));
        }
    }

    /// The offset of a queue is never below what the checkpoint knows.
    pub fn raise_next(&mut self, topic: &str, queue_id: u32, next: i64) {
        let no = self.find_or_create(topic, queue_id);
        self.change(no, |queue| queue.next = queue.next.max(next));
    }

    /// Forgets a topic, whose records before `dead_before` are nobody's now. Whether it had any queue.
    pub fn delete_topic(&mut self, topic: &str, dead_before: i64) -> bool {
        let Some((name, queues)) = self.topics.remove_entry(topic) else { return false };
        self.generation += 1;
        self.queues_changed();
        let mut leaving = self.leaving.remove(topic).unwrap_or_default();
        leaving.dead_before = dead_before;
        for (queue_id, no) in queues {
            self.change(no, Queue::forget);
            let next = self.queues[no as usize].take().map_or(0, |queue| queue.next);
            leaving.queues.retain(|(id, _)| *id != queue_id);
            leaving.queues.push((queue_id, next));
            self.free.push(no);
            self.light_count -= usize::from(is_light(topic));
        }
        self.leaving.insert(name.clone(), leaving);
        self.dead_before.insert(name, dead_before);
        true
    }

    /// Whether a crash could still undo the deletion of a topic.
    pub fn has_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Deletions that can be written down when what is before `durable` is durable. One that is ahead of it must not be: a power cut could
    /// take the end of the log back, and messages would be dead that are stored there again.
    pub fn deletions(&self, durable: i64) -> Vec<(Arc<str>, i64)> {
        self.dead_before.iter().filter(|(_, dead)| **dead <= durable).map(|(topic, dead)| (topic.clone(), *dead)).collect()
    }

    /// These deletions are durable.
    pub fn have_left(&mut self, deletions: &[(Arc<str>, i64)]) {
        for (topic, dead_before) in deletions {
            if self.leaving.get(topic).is_some_and(|leaving| leaving.dead_before == *dead_before) {
                self.leaving.remove(topic);
            }
        }
    }

    /// Forgets deletions of which no record is left: the log begins at `log_offset`, also after a crash.
    pub fn forget_deletions(&mut self, log_offset: i64) {
        self.dead_before.retain(|_, dead| *dead > log_offset);
    }

    pub fn queues(&self) -> impl Iterator<Item = (QueueNo, &Queue)> {
        self.queues.iter().enumerate().filter_map(|(no, queue)| Some((no as QueueNo, queue.as_ref()?)))
    }

    pub fn queue_count(&self) -> usize {
        self.queues.len() - self.free.len()
    }

    pub fn light_count(&self) -> usize {
        self.light_count
    }

    /// The queues of these numbers.
    pub fn named(&self, numbers: Range<usize>) -> impl Iterator<Item = (Arc<str>, u32, QueueNo)> {
        let queues = numbers.filter_map(|no| Some((no as QueueNo, self.queues.get(no)?.as_ref()?)));
        queues.map(|(no, queue)| (queue.topic.clone(), queue.queue_id, no))
    }

    /// One past the highest queue number.
    pub fn numbers(&self) -> usize {
        self.queues.len()
    }

    /// Puts the entries of a queue that are now in `file` out of memory. It had the number `no`, which may be another's meanwhile.
    pub fn moved_to_file(&mut self, no: QueueNo, file: &Arc<IndexFile>, row: &Row) {
        self.change(no, |queue| {
            if queue.is(&row.topic, row.queue_id) {
                queue.moved_to_file(file, row);
            }
        });
    }

    /// Lets a queue find in `file` what it found in files that `file` replaces.
    pub fn replace_runs(&mut self, file: &Arc<IndexFile>, topic: &str, queue_id: u32, rows: &[Row]) {
        if let Some(no) = self.find(topic, queue_id) {
            self.change(no, |queue| queue.replace_runs(file, rows));
        }
    }

    /// Forgets the files that end before or at `log_offset`, and all entries in them.
    pub fn trim(&mut self, log_offset: i64) -> Vec<Arc<IndexFile>> {
        let gone: Vec<_> = self.files.values().filter(|file| file.to <= log_offset).cloned().collect();
        for queue in self.queues.iter_mut().flatten() {
            let kept_from = queue.runs.iter().position(|run| run.file.to > log_offset).unwrap_or(queue.runs.len());
            queue.runs.drain(..kept_from);
        }
        for file in &gone {
            self.files.remove(&file.from);
        }
        gone
    }

    fn queues_changed(&mut self) {
        self.changes += 1;
        self.order = None;
    }

    /// What is known of the queue with a number for as long as it keeps it.
    pub fn hint(&self, no: QueueNo) -> QueueHint {
        QueueHint { no, generation: self.generation }
    }

    /// The number of the queue that a hint is about, if it still has it.
    pub fn hinted(&self, hint: QueueHint) -> Option<QueueNo> {
        (hint.generation == self.generation).then_some(hint.no)
    }

    pub fn is_dead(&self, topic: &str, log_offset: i64) -> bool {
        self.dead_before.get(topic).is_some_and(|dead| log_offset < *dead)
    }
}

impl Leaving {
    fn next(&self, queue_id: u32) -> i64 {
        self.queues.iter().find(|(id, _)| *id == queue_id).map_or(0, |(_, next)| *next)
    }
}

impl Queue {
    /// Whether it is this queue of this topic; what the index gave the name of is not looked at letter by letter.
    pub fn is(&self, topic: &Arc<str>, queue_id: u32) -> bool {
        self.queue_id == queue_id && self.topic == *topic
    }

    pub fn follows(&self, offset: i64) -> Follows {
        if offset == self.next || (self.is_empty() && offset > self.next) {
            Follows::Directly
        } else if offset > self.next {
            Follows::WithGap
        } else if offset == 0 {
            Follows::AsNew
        } else {
            Follows::NotAtAll
        }
    }

    /// How many entries are in memory.
    fn tail_len(&self) -> usize {
        self.tail.iter().map(|chunk| chunk.entries.len()).sum()
    }

    /// Whether no message is left.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.tail.is_empty()
    }

    /// The oldest offset there is; `next` if there is none.
    pub fn min(&self) -> i64 {
        let in_files = self.runs.first().map(|run| run.first);
        in_files.or_else(|| self.tail.first().map(|chunk| chunk.first)).unwrap_or(self.next)
    }

    /// One past the newest offset that is before a part of the log, and the oldest that is behind it. No file is about both.
    pub fn around(&self, part: &Range<i64>) -> (Option<i64>, Option<i64>) {
        let files_before = self.runs.iter().filter(|run| run.file.to <= part.start).map(Run::end);
        let files_behind = self.runs.iter().filter(|run| run.file.from >= part.end).map(|run| run.first);
        let split = |chunk: &Chunk, at: i64| chunk.entries.partition_point(|entry| entry.entry.log_offset < at);
        let chunks_before = self.tail.iter().map(|chunk| (chunk, split(chunk, part.start))).filter(|(_, count)| *count > 0);
        let chunks_behind = self.tail.iter().map(|chunk| (chunk, split(chunk, part.end))).filter(|(chunk, at)| *at < chunk.entries.len());
        let offset = |(chunk, n): (&Chunk, usize)| chunk.first + n as i64;
        (files_before.chain(chunks_before.map(offset)).max(), files_behind.chain(chunks_behind.map(offset)).min())
    }

    /// One past the newest offset that may be seen, when nothing from `bound` on in the log may.
    pub fn visible_next(&self, bound: i64) -> i64 {
        match self.tail.last().and_then(|chunk| chunk.entries.last()) {
            Some(last) if last.entry.end() > bound => {}
            _ => return self.next,
        }
        let hidden = self.tail.partition_point(|chunk| chunk.entries.last().is_some_and(|last| last.entry.end() <= bound));
        match self.tail.get(hidden) {
            Some(chunk) => chunk.first + chunk.entries.partition_point(|entry| entry.entry.end() <= bound) as i64,
            None => self.next,
        }
    }

    /// Finds `offset`; entries in memory are copied to `out`, at most `max`, none that ends after `bound` in the log.
    pub fn locate(&self, offset: i64, bound: i64, max: usize, out: &mut Vec<TailEntry>) -> Located {
        let run = self.runs.partition_point(|run| run.first <= offset).checked_sub(1).map(|at| &self.runs[at]);
        if let Some(run) = run
            && offset < run.end()
        {
            let skip = (offset - run.first) as u32;
            return Located::File { file: run.file.clone(), at: run.at + skip, count: run.count - skip };
        }
        if let Some(later) = self.runs.get(self.runs.partition_point(|run| run.first <= offset)) {
            return Located::Gap(later.first);
        }
        self.locate_in_tail(offset, bound, max, out)
    }

    fn locate_in_tail(&self, offset: i64, bound: i64, max: usize, out: &mut Vec<TailEntry>) -> Located {
        let after = self.tail.partition_point(|chunk| chunk.first <= offset);
        let mut expected = offset;
        let mut copied = 0;
        for chunk in &self.tail[after.saturating_sub(1)..] {
            if chunk.end() <= offset {
                continue;
            }
            if chunk.first > expected {
                return match copied {
                    0 if chunk.entries[0].entry.end() <= bound => Located::Gap(chunk.first),
                    0 => Located::End,
                    _ => Located::Tail,
                };
            }
            let skip = (expected - chunk.first) as usize;
            let seen = chunk.entries[skip..].iter().take(max - copied).take_while(|entry| entry.entry.end() <= bound);
            let before = out.len();
            out.extend(seen);
            copied += out.len() - before;
            expected = chunk.end();
            if copied == max || out.len() - before < chunk.entries.len() - skip {
                break;
            }
        }
        match copied {
            0 => Located::End,
            _ => Located::Tail,
        }
    }

    /// Appends the entries in memory before `end` in the log to `out`, and says for each run of consecutive offsets where it begins
    /// and how long it is.
    pub fn tail_before(&self, end: i64, out: &mut Vec<TailEntry>) -> SmallVec<[(i64, usize); 1]> {
        let mut runs: SmallVec<[(i64, usize); 1]> = SmallVec::new();
        for chunk in &self.tail {
            let before = out.len();
            out.extend(chunk.entries.iter().take_while(|entry| entry.entry.log_offset < end));
            match (runs.last_mut(), out.len() - before) {
                (_, 0) => break,
                (Some((first, len)), more) if *first + *len as i64 == chunk.first => *len += more,
                (_, len) => runs.push((chunk.first, len)),
            }
        }
        runs
    }

    fn push(&mut self, offset: i64, entry: TailEntry) {
        debug_assert!(offset >= self.next, "offset {offset} of {} {} after {}", self.topic, self.queue_id, self.next);
        self.next = offset + 1;
        if let Some(chunk) = self.tail.last_mut()
            && chunk.end() == offset
            && (chunk.entries.len() < chunk.entries.capacity() || chunk.entries.len() < CHUNK_GROWN)
        {
            return chunk.entries.push(entry);
        }
        let room = self.tail.last().map_or(CHUNK_FIRST, |chunk| (chunk.entries.len() * 4).clamp(CHUNK_FIRST, CHUNK_MAX));
        let mut entries = Vec::with_capacity(room);
        entries.push(entry);
        self.tail.push(Chunk { first: offset, entries });
    }

    fn add_row(&mut self, file: &Arc<IndexFile>, row: &Row) {
        match self.follows(row.first) {
            Follows::Directly | Follows::WithGap => {}
            Follows::AsNew | Follows::NotAtAll if self.take_back_outlier(row.first) => {}
            Follows::AsNew => self.forget(),
            Follows::NotAtAll => {
                tracing::warn!(topic = &*row.topic, queue_id = row.queue_id, offset = row.first, "index file repeats offsets; passed over");
                return;
            }
        }
        self.next = row.first + i64::from(row.count);
        self.runs.push(Run { file: file.clone(), first: row.first, count: row.count, at: row.at });
    }

    /// Takes the newest entry back if it stands alone behind a gap in memory, where nothing explains the gap.
    fn take_back_unexplained(&mut self, known_next: impl Fn(&Arc<str>, u32) -> i64) {
        if !self.tail.is_empty()
            && let Some((Some(end), offset)) = self.outlier()
            && known_next(&self.topic, self.queue_id) < offset
        {
            tracing::error!(topic = &*self.topic, queue_id = self.queue_id, offset, "the newest record has a wrong offset");
            self.take_back_newest();
            self.next = end;
        }
    }

    /// Takes the newest entry back if it alone stands behind a gap and `offset` belongs into the gap: then that entry's offset was
    /// damaged, not the ones that seemed to be missing. Whether it did so, and `offset` follows.
    fn take_back_outlier(&mut self, offset: i64) -> bool {
        let Some((before, newest)) = self.outlier() else { return false };
        let belongs = offset <= newest && before.is_none_or(|end| end <= offset);
        if belongs {
            self.take_back_newest();
            self.next = before.unwrap_or(offset);
        }
        belongs
    }

    /// The newest offset if it stands alone behind a gap, and where the gap begins; that is unknown if nothing is before it.
    fn outlier(&self) -> Option<(Option<i64>, i64)> {
        let chunks = self.tail.iter().rev().map(|chunk| (chunk.first, chunk.end()));
        let runs = self.runs.iter().rev().map(|run| (run.first, run.end()));
        let mut newest_first = chunks.chain(runs);
        let (newest, _) = newest_first.next().filter(|(first, end)| first + 1 == *end)?;
        let before = newest_first.next().map(|(_, end)| end);
        before.is_none_or(|end| end < newest).then_some((before, newest))
    }

    fn take_back_newest(&mut self) {
        if self.tail.pop().is_none() {
            self.runs.pop();
        }
    }

    fn forget(&mut self) {
        self.runs.clear();
        self.tail.clear();
    }

    fn moved_to_file(&mut self, file: &Arc<IndexFile>, row: &Row) {
        // A queue of the same name that is younger than the row is another one.
        let Some(front) = self.tail.first() else { return };
        if front.first != row.first || front.entries[0].entry.log_offset != row.first_log_offset {
            return;
        }
        let end = row.first + i64::from(row.count);
        let left_from = self.tail.iter().position(|chunk| chunk.end() > end).unwrap_or(self.tail.len());
        self.tail.drain(..left_from);
        if let Some(chunk) = self.tail.first_mut()
            && chunk.first < end
        {
            chunk.entries.drain(..(end - chunk.first) as usize);
            chunk.first = end;
        }
        if self.tail.is_empty() {
            self.tail.shrink_to_fit();
        }
        self.runs.push(Run { file: file.clone(), first: row.first, count: row.count, at: row.at });
    }

    fn replace_runs(&mut self, file: &Arc<IndexFile>, rows: &[Row]) {
        let is_replaced = |run: &Run| run.file.from >= file.from && run.file.to <= file.to;
        let Some(at) = self.runs.iter().position(is_replaced) else { return };
        let oldest = self.runs[at].first;
        self.runs.retain(|run| !is_replaced(run));
        self.runs.shrink_to_fit();
        // Rows of a generation that was deleted meanwhile are left out.
        let rows = rows.iter().filter(|row| row.first >= oldest);
        for (more, row) in rows.enumerate() {
            self.runs.insert(at + more, Run { file: file.clone(), first: row.first, count: row.count, at: row.at });
        }
    }
}

impl Run {
    pub fn end(&self) -> i64 {
        self.first + i64::from(self.count)
    }
}

impl Chunk {
    fn end(&self) -> i64 {
        self.first + self.entries.len() as i64
    }
}

/// The keys of the newest records, in log order.
#[derive(Debug, Default)]
pub(crate) struct KeyTail {
    chunks: VecDeque<Vec<(u32, i64)>>,
}

impl KeyTail {
    fn push(&mut self, hashes: &[u32], log_offset: i64) {
        for hash in hashes {
            match self.chunks.back_mut() {
                Some(chunk) if chunk.len() < KEY_CHUNK => chunk.push((*hash, log_offset)),
                _ => {
                    let mut chunk = Vec::with_capacity(KEY_CHUNK);
                    chunk.push((*hash, log_offset));
                    self.chunks.push_back(chunk);
                }
            }
        }
    }

    fn bytes(&self) -> u64 {
        (self.chunks.len() * KEY_CHUNK * size_of::<(u32, i64)>()) as u64
    }

    /// Log offsets of the records with a key of this hash, newest first.
    pub fn find(&self, hash: u32) -> impl Iterator<Item = i64> {
        let keys = self.chunks.iter().rev().flat_map(|chunk| chunk.iter().rev());
        keys.filter(move |(found, _)| *found == hash).map(|(_, log_offset)| *log_offset)
    }

    pub fn before(&self, end: i64) -> Vec<(u32, i64)> {
        self.chunks.iter().flatten().take_while(|(_, log_offset)| *log_offset < end).copied().collect()
    }

    pub fn drop_before(&mut self, end: i64) {
        while self.chunks.front().is_some_and(|chunk| chunk.last().is_none_or(|(_, log_offset)| *log_offset < end)) {
            self.chunks.pop_front();
        }
        if let Some(chunk) = self.chunks.front_mut() {
            let gone = chunk.partition_point(|(_, log_offset)| *log_offset < end);
            chunk.drain(..gone);
        }
    }
}

/// Small at first, so that a million queues with a message each stay small; then it grows, so that they have one chunk each.
const CHUNK_FIRST: usize = 2;
/// Entries of a chunk above which it is followed by another one rather than moved to where there is more room.
const CHUNK_GROWN: usize = 16;
const CHUNK_MAX: usize = 1024;
const KEY_CHUNK: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(log_offset: i64) -> TailEntry {
        TailEntry { entry: Entry { log_offset, size: 10, tags: 0, envelope: 0 }, store_time: log_offset }
    }

    fn filled(offsets: impl Iterator<Item = i64>) -> Index {
        let mut index = Index::default();
        let no = index.find_or_create("t", 3);
        for (n, offset) in offsets.enumerate() {
            let TailEntry { entry, store_time } = entry(n as i64 * 10);
            index.dispatch(Dispatch { queued: Some((no, offset)), entry, store_time, hashes: &[7] });
        }
        index
    }

    #[test]
    fn shows_only_what_ends_before_the_bound() {
        let index = filled(0..100);
        let queue = index.queue("t", 3).expect("queue");
        let mut out = Vec::new();
        assert_eq!((queue.min(), queue.next), (0, 100));
        for bound in 0..=1000 {
            assert_eq!(queue.visible_next(bound), bound / 10);
        }
        assert!(matches!(queue.locate(50, 505, 10, &mut out), Located::End));
        assert!(matches!(queue.locate(50, 525, 10, &mut out), Located::Tail));
        assert_eq!(out.len(), 2);
        assert!(matches!(queue.locate(2, 1000, 64, &mut out), Located::Tail));
        assert_eq!(out.len(), 66);
        assert_eq!(out[2].entry.log_offset, 20);
        assert_eq!(out.last().expect("copied").entry.log_offset, 650);
        assert!(matches!(queue.locate(100, 1000, 10, &mut out), Located::End));
    }

    #[test]
    fn knows_gaps() {
        let index = filled((0..5).chain(9..12));
        let queue = index.queue("t", 3).expect("queue");
        let mut out = Vec::new();
        assert!(matches!(queue.locate(3, 1000, 10, &mut out), Located::Tail));
        assert_eq!(out.len(), 2);
        assert!(matches!(queue.locate(5, 1000, 10, &mut out), Located::Gap(9)));
        assert!(matches!(queue.locate(7, 1000, 10, &mut out), Located::Gap(9)));
        assert!(matches!(queue.locate(7, 55, 10, &mut out), Located::End));
        out.clear();
        assert_eq!((queue.tail_before(1000, &mut out).as_slice(), out.len()), ([(0, 5), (9, 3)].as_slice(), 8));
        assert_eq!((queue.tail_before(60, &mut out).as_slice(), out.len()), ([(0, 5), (9, 1)].as_slice(), 14));
        assert_eq!((queue.tail_before(0, &mut out).as_slice(), out.len()), ([].as_slice(), 14));
        assert_eq!(queue.follows(12), Follows::Directly);
        assert_eq!(queue.follows(13), Follows::WithGap);
        assert_eq!(queue.follows(0), Follows::AsNew);
        assert_eq!(queue.follows(4), Follows::NotAtAll);
    }

    #[test]
    fn drops_keys_in_log_order() {
        let mut index = filled(0..10_000);
        index.keys.drop_before(50_000);
        assert_eq!(index.keys.find(7).count(), 5_000);
        assert_eq!(index.keys.find(7).last(), Some(50_000));
        assert_eq!(index.keys.before(60_000).len(), 1_000);
        assert_eq!(index.keys.find(8).count(), 0);
    }

    #[test]
    fn a_deleted_topic_leaves_its_number_to_another() {
        let mut index = filled(0..3);
        assert!(index.delete_topic("t", 30) && !index.delete_topic("t", 40));
        assert!(index.queue("t", 3).is_none() && index.is_dead("t", 29) && !index.is_dead("t", 30));
        index.find_or_create("u", 0);
        assert_eq!((index.queue_count(), index.find("t", 3)), (1, None));
    }

    #[test]
    fn a_queue_goes_on_until_the_deletion_of_its_topic_is_durable() {
        let next = |index: &mut Index, queue_id: u32| {
            let no = index.find_or_create("t", queue_id);
            index.at(no).expect("queue").next
        };
        let mut index = filled(0..3);
        index.delete_topic("t", 30);
        assert_eq!((next(&mut index, 3), next(&mut index, 4)), (3, 0));
        let no = index.find("t", 3).expect("queue");
        index.add(no, 3, entry(40).entry, 0);
        // Deleted once more: what is written down by then is not the last word.
        index.delete_topic("t", 50);
        assert!(index.deletions(49).is_empty());
        index.have_left(&[("t".into(), 30)]);
        assert!(index.has_leaving());
        assert_eq!(next(&mut index, 3), 4);
        index.delete_topic("t", 50);
        let deletions = index.deletions(50);
        index.have_left(&deletions);
        assert!(!index.has_leaving());
        assert_eq!(next(&mut index, 3), 0);
    }

    #[test]
    fn knows_how_much_of_it_is_in_memory() {
        let mut index = filled((0..1500).chain(2000..2001));
        let tail_bytes = |index: &Index| index.tail_bytes() - index.keys.bytes();
        assert_eq!(tail_bytes(&index), 1501 * 32);
        assert!(index.take_back_outlier(0, 1700));
        assert_eq!(tail_bytes(&index), 1500 * 32);
        index.add(0, 1800, entry(15_000).entry, 0);
        index.take_back_unexplained(|_, _| 1800);
        assert_eq!(index.at(0).expect("queue").next, 1801, "known to be the next one");
        index.take_back_unexplained(|_, _| 1799);
        assert_eq!((tail_bytes(&index), index.at(0).expect("queue").next), (1500 * 32, 1500));
        let other = index.find_or_create("u", 0);
        (0..7).for_each(|offset| index.add(other, offset, entry(16_000).entry, 0));
        index.restart_queue(0);
        assert_eq!(tail_bytes(&index), 7 * 32);
        index.delete_topic("u", 20_000);
        assert_eq!(tail_bytes(&index), 0);
    }
}
