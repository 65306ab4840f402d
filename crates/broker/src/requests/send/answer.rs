//! How is a send answered?

use super::Prepared;
use super::flow::Flow;
use super::stamp::shown;
use crate::broker::Broker;
use crate::error::Refusal;
use crate::names;
use crate::settings::BrokerConfig;
use crate::waiting::fate::Fate;
use crate::waiting::timer::handle;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::message_id::MessageId;
use roxmq_protocol::request::SendStamp;
use roxmq_remoting::{Answer, Ticket};
use roxmq_store::Placed;
use std::net::SocketAddr;

/// The answer to a send that is refused. Java sets region and trace switch before it checks anything, and hooks of its client read them.
pub fn refused(config: &BrokerConfig, refusal: &Refusal) -> Answer {
    refusal.answer().fields(stamp(config))
}

/// The fields of every answer to a send.
pub fn stamp(config: &BrokerConfig) -> SendStamp<'static> {
    SendStamp { region_id: Some(config.region_id.clone().into()), trace_on: Some(shown(config.trace_on).into()) }
}

/// Appends the answer to a stored send to `out`, for a client that reaches the broker at `met_as`.
pub fn write(flow: &mut Flow, ticket: Ticket, met_as: SocketAddr, prepared: &Prepared, places: &[Placed], code: i32, out: &mut Vec<u8>) {
    let Some(first) = places.first() else { return };
    let Flow { config, stamp, msg_id, .. } = flow;
    msg_id.clear();
    for place in places {
        if !msg_id.is_empty() {
            msg_id.push(',');
        }
        MessageId { store_host: met_as, log_offset: place.log_offset }.write(msg_id);
    }
    let top = Top::answer(ticket.opaque, code, (code != 0).then_some("FLUSH_DISK_TIMEOUT"));
    header::write_frame(
        out,
        ticket.encoding,
        top,
        |sink| {
            sink.text("msgId", msg_id);
            sink.number("queueId", prepared.queue_id);
            sink.number("queueOffset", first.queue_offset.0);
            sink.text("transactionId", prepared.unique_key.as_str());
            sink.text("MSG_REGION", &stamp.region);
            sink.text("TRACE_ON", stamp.trace_on);
            let topic = prepared.destination.name();
            if let Fate::At(due) = prepared.fate
                && !topic.starts_with(names::RETRY_PREFIX)
            {
                sink.text("recallHandle", &handle::handle(&config.broker_name, topic, due, prepared.unique_key.as_str()));
            }
        },
        b"",
    );
}

/// Counts the messages of a send.
pub fn count_stored(broker: &Broker, prepared: &Prepared, places: &[Placed]) {
    let bytes: u64 = places.iter().map(|place| place.size as u64).sum();
    let count = places.len() as u64;
    broker.counts.figures.put(count, bytes);
    prepared.destination.count(broker, count, bytes);
    broker.counts.broker_puts.add(count, bytes);
}
