//! Two-phase messages: half messages, decisions (37), checking back (39), parking and resuming (323).
//!
//! ```text
//! send TRAN_MSG=true ──► RMQ_SYS_TRANS_HALF_TOPIC        invisible to consumers
//!     37 commit      ──► the real topic, and an op record that closes the half message, in one atomic batch
//!     37 rollback    ──► an op record
//!     nothing        ──► 39 to a producer of the group, again and again; then TRANS_CHECK_MAX_TIME_TOPIC and an op record
//! ```
//! The op record and the message it commits are one atomic batch, so a crash repeats no delivery and loses none. The body of an op
//! record is the queue offset of the half message that it closes: a half message is open until an op record names it. How often its
//! producer was checked back is in the log as well (`checks.rs`). `config/transactions.json` says from where to read all this after a
//! restart; it is only ever behind.
//!
//! Follows Java's `TransactionalMessageBridge`, `TransactionalMessageServiceImpl` and `EndTransactionProcessor`.

pub mod checks;
pub mod decisions;
pub mod open;
