//! How is a broker over a small store started, and what did it log?

use crate::rig::broker::Launch;
use crate::torture::contract::Options;

/// Settings of a small store: short files, so that many begin and end; large answers, so that all of it is read back quickly.
pub fn settings(flush: &str) -> Vec<String> {
    [
        "mappedFileSizeCommitLog=1048576",
        "maxMessageSize=262144",
        "tailCheckpointBytes=1048576",
        "diskReserveBytes=1048576",
        "maxTransferCountOnMessageInMemory=1024",
        "maxTransferBytesOnMessageInMemory=4194304",
        "flushConsumerOffsetInterval=100",
        &format!("flushDiskType={flush}"),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// How a broker is started for a run.
pub fn launch(options: &Options, flush: &str) -> Launch {
    let environment = options.tooth.iter().map(|tooth| ("ROXMQ_TOOTH".to_owned(), tooth.clone())).collect();
    Launch { binary: options.binary.clone(), settings: settings(flush), environment, log: options.folder.join("broker.log") }
}

/// The end of a log.
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
