//! Which words may `flushDiskType` and `brokerRole` be?

use roxmq_config::Kind;
use roxmq_config::kind::Choice;
use std::fmt::Display;

/// When a send is acknowledged with respect to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushDiskType {
    /// Once the message is written; the disk has it at most `flushIntervalCommitLog` later. A killed process loses nothing, a power cut
    /// at most that interval.
    AsyncFlush,
    /// Once the disk has it.
    SyncFlush,
}

/// What a broker is to the others of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerRole {
    /// It takes sends and acknowledges them without waiting for replicas.
    AsyncMaster,
}

impl Display for FlushDiskType {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&FLUSH_DISK_TYPE.print(self))
    }
}

impl Display for BrokerRole {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&BROKER_ROLE.print(self))
    }
}

/// The words of `flushDiskType`.
pub(super) const FLUSH_DISK_TYPE: Choice<FlushDiskType> =
    Choice::new(&[("ASYNC_FLUSH", FlushDiskType::AsyncFlush), ("SYNC_FLUSH", FlushDiskType::SyncFlush)], "");

/// The words of `brokerRole`.
pub(super) const BROKER_ROLE: Choice<BrokerRole> = Choice::new(
    &[("ASYNC_MASTER", BrokerRole::AsyncMaster)],
    " (SYNC_MASTER and SLAVE promise a second copy, and replication is not served)",
);
