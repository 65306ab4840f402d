//! What does a pull of the bench ask for?

use roxmq_protocol::frame::Encoding;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::{HeaderFields, PULL_SUBSCRIPTION, PULL_SUSPEND, Pull, PullMessage, Request};

/// Writes one pull. Pulls are few compared with messages, so they are not worth a template.
pub fn write_pull(out: &mut Vec<u8>, encoding: Encoding, opaque: i32, ask: &PullAsk<'_>) {
    let top = Top::request(opaque, PullMessage::CODE, false);
    header::write_frame(out, encoding, top, |sink| ask.request().write(sink), b"");
}

/// What one pull asks for.
#[derive(Clone, Copy, Debug)]
pub struct PullAsk<'a> {
    /// Consumer group.
    pub group: &'a str,
    /// Topic.
    pub topic: &'a str,
    /// Queue of the topic.
    pub queue: u32,
    /// First queue offset wanted.
    pub offset: i64,
    /// Messages at most.
    pub count: i32,
    /// How long the broker may hold the pull when there is nothing, in ms; 0 for an answer at once.
    pub hold_ms: i64,
}

impl<'a> PullAsk<'a> {
    /// As a request.
    pub fn request(&self) -> PullMessage<'a> {
        let suspend = if self.hold_ms > 0 { PULL_SUSPEND } else { 0 };
        PullMessage(Pull {
            consumer_group: self.group.into(),
            topic: self.topic.into(),
            queue_id: self.queue as i32,
            queue_offset: self.offset,
            max_msg_nums: self.count,
            sys_flag: PULL_SUBSCRIPTION | suspend,
            commit_offset: 0,
            suspend_timeout_ms: self.hold_ms,
            subscription: Some("*".into()),
            sub_version: 0,
            expression_type: Some("TAG".into()),
            max_msg_bytes: None,
        })
    }
}
