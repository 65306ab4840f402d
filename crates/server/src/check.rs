//! What do `roxmq verify` and `roxmq repair` print, and with which code do they end?

use crate::args::{Check, EXIT_USAGE};
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_store::LogOffset;
use roxmq_store::repair::{self, Repair};
use roxmq_store::verify::{self, Folder, FolderError, Report};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

/// Something is damaged.
const EXIT_DAMAGED: u8 = 1;

/// Checks a data folder and changes nothing.
pub fn verify(check: &Check) -> ExitCode {
    let mut bar = Bar::new();
    let found = verify::verify(&Disk::real(), &folder(check), &mut |done, total| bar.show(done, total));
    bar.clear();
    conclude(check, found.map(|report| (report, Vec::new())))
}

/// Rebuilds what is derived, and cuts the log where asked.
pub fn repair(check: &Check, truncate_at: Option<i64>) -> ExitCode {
    let mut bar = Bar::new();
    let repaired = repair::repair(&Disk::real(), &folder(check), Repair { truncate_at: truncate_at.map(LogOffset) }, &mut |done, total| {
        bar.show(done, total)
    });
    bar.clear();
    conclude(check, repaired.map(|repaired| (repaired.report, repaired.done)))
}

fn folder(check: &Check) -> Folder {
    Folder { root: check.folder.clone(), commit_log_dir: check.commit_log.clone() }
}

fn conclude(check: &Check, found: Result<(Report, Vec<String>), FolderError>) -> ExitCode {
    let cannot = |error: &dyn std::fmt::Display| {
        eprintln!("roxmq: {error}");
        ExitCode::from(EXIT_USAGE)
    };
    let (mut report, done) = match found {
        Ok(found) => found,
        Err(error) => return cannot(&error),
    };
    let tables = match roxmq_broker::verify_tables(&Disk::real(), &check.folder, &mut report) {
        Ok(tables) => tables,
        Err(error) => return cannot(&error),
    };
    let text = if check.json { as_json(&report, tables, &done) } else { as_text(&report, tables, &done) };
    // The reader of the output may be gone.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DAMAGED) }
}

fn as_json(report: &Report, tables: usize, done: &[String]) -> String {
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|problem| {
            let offset = problem.log_offset.map(|offset| offset.0);
            json!({"kind": problem.kind.name(), "file": problem.file, "logOffset": offset, "what": problem.what,
                   "repairable": problem.kind.is_derived()})
        })
        .collect();
    let text = json!({
        "sound": report.is_sound(),
        "logBegin": report.log.0.0,
        "logEnd": report.log.1.0,
        "segments": report.segments,
        "records": report.records,
        "queues": report.queues.len(),
        "indexFiles": report.index_files,
        "indexEntries": report.index_entries,
        "indexKeys": report.index_keys,
        "tables": tables,
        "problems": problems,
        "problemsLeftOut": report.problems_left_out,
        "notes": report.notes,
        "done": done,
    });
    format!("{text}\n")
}

fn as_text(report: &Report, tables: usize, done: &[String]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for line in done {
        let _ = writeln!(text, "done     {line}");
    }
    for note in &report.notes {
        let _ = writeln!(text, "note     {note}");
    }
    for problem in &report.problems {
        let at = problem.log_offset.map_or_else(String::new, |offset| format!(" at log offset {}", offset.0));
        let cure = if problem.kind.is_derived() { " (roxmq repair, or the next start, rebuilds it)" } else { "" };
        let _ = writeln!(text, "DAMAGED  {}{at}: {}{cure}", problem.file.display(), problem.what);
    }
    if report.problems_left_out > 0 {
        let _ = writeln!(text, "DAMAGED  and {} more", report.problems_left_out);
    }
    let (begin, end) = (report.log.0.0, report.log.1.0);
    let _ = writeln!(
        text,
        "{}  log {begin} to {end} in {} files, {} records; {} queues; {} index files with {} entries and {} keys; {tables} tables",
        if report.is_sound() { "sound  " } else { "damaged" },
        report.segments,
        report.records,
        report.queues.len(),
        report.index_files,
        report.index_entries,
        report.index_keys,
    );
    text
}

/// A progress bar on the error stream, where that is a terminal.
struct Bar {
    is_shown: bool,
    clock: Clock,
    last: Option<Duration>,
}

impl Bar {
    fn new() -> Bar {
        Bar { is_shown: std::io::stderr().is_terminal(), clock: Clock::system(), last: None }
    }

    fn show(&mut self, done: u64, total: u64) {
        let now = self.clock.elapsed();
        if !self.is_shown || self.last.is_some_and(|last| now - last < BAR_PERIOD) {
            return;
        }
        self.last = Some(now);
        let part = done as f64 / total.max(1) as f64;
        let filled = (part * BAR_WIDTH as f64) as usize;
        eprint!("\r[{}{}] {:3.0} %", "#".repeat(filled), ".".repeat(BAR_WIDTH.saturating_sub(filled)), part * 100.0);
    }

    fn clear(&mut self) {
        if self.last.is_some() {
            eprint!("\r{}\r", " ".repeat(BAR_WIDTH + 9));
        }
    }
}

const BAR_PERIOD: Duration = Duration::from_millis(100);
const BAR_WIDTH: usize = 40;
