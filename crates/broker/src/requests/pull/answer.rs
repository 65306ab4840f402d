//! How is a pull answered?

use super::PreparedPull;
use crate::error::Refusal;
use roxmq_protocol::code;
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::request::PullReply;
use roxmq_store::{ReadResult, ReadStatus};

/// The fields of an answer to a pull that is refused before its queue is read. Java's clients expect them in every answer.
pub fn refused(refusal: &Refusal) -> PullReply {
    PullReply {
        suggest_which_broker_id: 0,
        next_begin_offset: 0,
        min_offset: 0,
        max_offset: 0,
        topic_sys_flag: None,
        group_sys_flag: None,
        forbidden_type: refusal.forbidden_type(),
    }
}

/// The answer to a pull, without its body.
pub struct PullResult {
    /// Response code.
    pub code: i32,
    /// The name of the store's result.
    pub remark: &'static str,
    /// Messages in its body.
    pub messages: u32,
    /// Fields of the answer.
    pub reply: PullReply,
    /// Whether the next message is not in memory, and the read did not wait for the disk.
    pub needs_disk: bool,
}

impl PullResult {
    /// The answer after a read.
    pub(super) fn of(pull: &PreparedPull, read: &ReadResult) -> PullResult {
        let (code, remark) = code(pull, read.status);
        PullResult {
            code,
            remark,
            messages: read.messages,
            reply: reply(pull, read.next, read.min, read.max),
            needs_disk: read.status == ReadStatus::NotInMemory,
        }
    }

    /// The answer that sends the pull to another offset of its queue, which has messages from `min` to `max`.
    pub(super) fn moved(pull: &PreparedPull, to: QueueOffset, (min, max): (QueueOffset, QueueOffset)) -> PullResult {
        PullResult {
            code: code::PULL_OFFSET_MOVED,
            remark: "OFFSET_RESET",
            messages: 0,
            reply: reply(pull, to, min, max),
            needs_disk: false,
        }
    }
}

/// Java: `PullMessageProcessor.composeResponseHeader`.
fn code(pull: &PreparedPull, status: ReadStatus) -> (i32, &'static str) {
    match status {
        ReadStatus::Found => (code::SUCCESS, "FOUND"),
        ReadStatus::NoMatchedMessage => (code::PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE"),
        ReadStatus::MessageWasRemoving => (code::PULL_RETRY_IMMEDIATELY, "MESSAGE_WAS_REMOVING"),
        ReadStatus::NoMatchedLogicQueue if pull.from != QueueOffset(0) => (code::PULL_OFFSET_MOVED, "NO_MATCHED_LOGIC_QUEUE"),
        ReadStatus::NoMatchedLogicQueue => (code::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE"),
        ReadStatus::NoMessageInQueue if pull.from != QueueOffset(0) => (code::PULL_OFFSET_MOVED, "NO_MESSAGE_IN_QUEUE"),
        ReadStatus::NoMessageInQueue => (code::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE"),
        ReadStatus::NotInMemory => (code::PULL_RETRY_IMMEDIATELY, "NOT_IN_MEMORY"),
        ReadStatus::OffsetFoundNull => (code::PULL_NOT_FOUND, "OFFSET_FOUND_NULL"),
        ReadStatus::OffsetOverflowOne => (code::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"),
        ReadStatus::OffsetOverflowBadly => (code::PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY"),
        ReadStatus::OffsetTooSmall => (code::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL"),
    }
}

fn reply(pull: &PreparedPull, next: QueueOffset, min: QueueOffset, max: QueueOffset) -> PullReply {
    PullReply {
        suggest_which_broker_id: pull.group.broker_id,
        next_begin_offset: next.0,
        min_offset: min.0,
        max_offset: max.0,
        topic_sys_flag: Some(pull.topic_sys_flag),
        group_sys_flag: Some(pull.group.group_sys_flag),
        forbidden_type: None,
    }
}
