//! How is one message sent, and written down in the ledger?

use crate::rig::client::{Client, Send};
use crate::torture::ledger::{Fact, Ledger};
use crate::torture::messages::{self, Queue, TOPICS};
use roxmq_protocol::message_id::MessageId;
use std::time::Instant;

/// What the broker answered to a send.
#[derive(Debug)]
pub enum Sent {
    /// It is acknowledged, and in the ledger.
    Acknowledged,
    /// It is refused, with this code and remark.
    Refused(i32, String),
}

/// Sends message `number` of the only writer to a queue, with a body of so many bytes, and waits for the answer.
///
/// # Errors
/// When the connection ends.
pub fn send(
    client: &mut Client,
    ledger: &mut Ledger,
    violations: &mut Vec<String>,
    number: u64,
    queue: Queue,
    body_bytes: usize,
) -> Result<Sent, String> {
    let id = messages::id(1, 1, number);
    let mut body = id.to_be_bytes().to_vec();
    body.push(b'P');
    body.resize(body_bytes, 7);
    let properties = format!("UNIQ_KEY\u{1}{}\u{2}KEYS\u{1}{}\u{2}WAIT\u{1}true\u{2}", messages::unique_key(id), messages::shared_key(id));
    let mut frames = Vec::new();
    client.put_send(&mut frames, &Send { topic: TOPICS[queue.0], queue: queue.1, properties: &properties, body: &body, is_batch: false });
    let answer = client.write(&frames).and_then(|()| client.next()).map_err(|error| format!("sending: {error}"))?;
    if answer.code != 0 {
        return Ok(Sent::Refused(answer.code, answer.remark));
    }
    let fact = Fact::There {
        queue,
        offset: answer.number("queueOffset").unwrap_or(-1),
        hash: messages::hash(&body),
        id,
        seen_only: false,
        log_offset: answer.field("msgId").and_then(MessageId::parse).map(|id| id.log_offset.0),
        when: Instant::now(),
    };
    ledger.learn(fact, violations);
    Ok(Sent::Acknowledged)
}
