//! Two-phase messages: half messages, commit and rollback (37), asking the producer (39), parking, resuming (323).
//!
//! ```text
//! send TRAN_MSG=true ──► RMQ_SYS_TRANS_HALF_TOPIC        invisible to consumers
//!     37 commit      ──► the real topic, and an op record that closes the half message, in one whole batch
//!     37 rollback    ──► an op record
//!     nothing        ──► 39 to a living producer of the group, again and again; then TRANS_CHECK_MAX_TIME_TOPIC and an op record
//! ```
//! The op record and the message it speaks of are one whole batch: after a crash both are there or neither, so that nothing is delivered
//! twice. An op record's body is the queue offset of the half message it closes. Which half messages are open is derived from the two queues:
//! those in the half queue that no op record names. How often each was asked about is in the log as well (`checks.rs`).
//! `config/transactions.json` says from where to read all this after a restart; it is only ever behind. Follows Java's `TransactionalMessageBridge`, `TransactionalMessageServiceImpl` and `EndTransactionProcessor`.

pub mod check_back;
pub mod checks;
pub mod decide;
pub mod decisions;
pub mod open;
#[cfg(test)]
mod tests;
