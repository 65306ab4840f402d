//! Are the tables in a data folder's `config` intact, and is no offset in them ahead of the log? For `roxmq verify`.

use crate::names;
use crate::tables::{changes, journal};
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::transaction::open;
use roxmq_env::disk::Disk;
use roxmq_protocol::body::{
    ConsumerOffsetSerializeWrapper, DelayOffsetSerializeWrapper, SubscriptionGroupWrapper, TopicConfigSerializeWrapper,
};
use roxmq_protocol::json;
use roxmq_protocol::position::QueueOffset;
use roxmq_store::verify::{Problem, ProblemKind, Report};
use serde::de::{DeserializeOwned, IgnoredAny};
use std::io;
use std::path::{Path, PathBuf};

/// Checks the tables. `report`, of the same folder, has the ends of the queues, and gets the problems. Returns the number of tables.
///
/// # Errors
/// When the disk refuses.
pub fn verify_tables(disk: &Disk, root: &Path, report: &mut Report) -> io::Result<usize> {
    let folder = root.join("config");
    let names = match disk.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        names => names?,
    };
    if let Some(bytes) = disk.read(&folder.join(journal::NAME))? {
        verify_journal(&bytes, report);
    }
    let tables: Vec<_> = names.iter().filter(|name| name.ends_with(".json") || name.ends_with(".json.bak")).collect();
    for name in &tables {
        let mut table = Table { report, file: Path::new("config").join(name), bytes: disk.read(&folder.join(name))?.unwrap_or_default() };
        match name.strip_suffix(".bak").unwrap_or(name) {
            "topics.json" => drop(table.parsed::<TopicConfigSerializeWrapper>()),
            "subscriptionGroup.json" => drop(table.parsed::<SubscriptionGroupWrapper>()),
            "consumerOffset.json" => table.committed(),
            "delayOffset.json" => table.delayed(),
            "transactions.json" => table.transactions(),
            _ => drop(table.parsed::<IgnoredAny>()),
        }
    }
    Ok(tables.len())
}

fn verify_journal(bytes: &[u8], report: &mut Report) {
    let file = Path::new("config").join(journal::NAME);
    let contents = changes::read(bytes);
    if let Some(at) = contents.unfinished {
        report.notes.push(format!("{} has an unfinished change at {at}; a start skips it", file.display()));
    }
    for (at, what) in contents.damage {
        let what = format!("at {at}: {what}; changes of topics, groups or request modes are lost");
        report.add(Problem { kind: ProblemKind::Table, file: file.clone(), log_offset: None, what });
    }
}

struct Table<'a> {
    report: &'a mut Report,
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Table<'_> {
    fn add(&mut self, kind: ProblemKind, what: String) {
        self.report.add(Problem { kind, file: self.file.clone(), log_offset: None, what });
    }

    fn parsed<T: DeserializeOwned>(&mut self) -> Option<T> {
        if !crate::tables::file::is_intact(&self.bytes) {
            self.add(ProblemKind::Table, "it is damaged: its crc32 does not match".to_owned());
            return None;
        }
        match json::from_slice(&self.bytes) {
            Ok(table) => Some(table),
            Err(error) => {
                self.add(ProblemKind::Table, error.to_string());
                None
            }
        }
    }

    fn end(&self, topic: &str, queue_id: i32) -> QueueOffset {
        let queue = u32::try_from(queue_id).ok().map(|queue_id| (topic.to_owned(), queue_id));
        queue.and_then(|queue| self.report.queues.get(&queue)).copied().unwrap_or_default()
    }

    fn within(&mut self, whose: &str, topic: &str, queue_id: i32, offset: QueueOffset) {
        let end = self.end(topic, queue_id);
        if offset > end {
            let what = format!("{whose} is at offset {offset} of queue {queue_id} of {topic}, which ends at {end}; a start moves it back");
            self.add(ProblemKind::CommittedOffset, what);
        }
    }

    fn committed(&mut self) {
        let Some(table) = self.parsed::<ConsumerOffsetSerializeWrapper>() else { return };
        for (key, queues) in table.offset_table {
            let (topic, group) = key.split_once('@').unwrap_or((&key, ""));
            for (queue_id, offset) in queues {
                self.within(&format!("group {group}"), topic, queue_id, QueueOffset(offset));
            }
        }
    }

    fn delayed(&mut self) {
        let Some(table) = self.parsed::<DelayOffsetSerializeWrapper>() else { return };
        for (level, cursor) in table.offset_table {
            self.within(&format!("delay level {level}"), names::DELAY_TOPIC, DelayLevel(level).queue_id() as i32, QueueOffset(cursor));
        }
    }

    fn transactions(&mut self) {
        let Some(cursors) = self.parsed::<open::Cursors>() else { return };
        self.within("the cursor of half messages", names::HALF_TOPIC, 0, cursors.half);
        self.within("the cursor of op records", names::OP_TOPIC, 0, cursors.op);
    }
}
