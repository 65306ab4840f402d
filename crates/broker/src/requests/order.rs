//! Which queues does a consumer lock that consumes in order (41, 42)? Follows Java's `AdminBrokerProcessor.lockBatchMQ`.

use crate::broker::Broker;
use crate::error::Refusal;
use roxmq_protocol::body::{LockBatchRequestBody, LockBatchResponseBody, MessageModel, MessageQueue};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};

/// Queues that one request may name.
const QUEUES_MAX: usize = 65_536;

fn sent(call: &Call<'_>) -> Result<LockBatchRequestBody, Refusal> {
    let sent: LockBatchRequestBody = json::from_slice(call.body)?;
    if sent.mq_set.len() > QUEUES_MAX {
        return Err(Refusal::Argument(format!("at most {QUEUES_MAX} queues are locked at a time, not {}", sent.mq_set.len())));
    }
    Ok(sent)
}

/// Code 41. In a group that shares queues a lock excludes the other members. Members that broadcast read all queues, each for itself.
pub fn lock(broker: &Broker, call: &Call<'_>, _: request::LockQueues) -> Result<Answer, Refusal> {
    let LockBatchRequestBody { client_id, consumer_group, mq_set, .. } = sent(call)?;
    let broker_name = mq_set.first().map(|queue| queue.broker_name.clone()).unwrap_or_default();
    let queues = mq_set.into_iter().map(|queue| (queue.topic, queue.queue_id));
    let now = broker.clock.elapsed();
    let granted = match broker.tables.clients.message_model_of(&consumer_group, &client_id) {
        Some(MessageModel::Broadcasting) => {
            broker.tables.locks.lock_broadcasting(&consumer_group, &client_id, now);
            queues.collect()
        }
        Some(MessageModel::Clustering) | None => broker.tables.locks.lock(&consumer_group, &client_id, queues, now),
    };
    let lock_ok_mq_set =
        granted.into_iter().map(|(topic, queue_id)| MessageQueue { broker_name: broker_name.clone(), queue_id, topic }).collect();
    Ok(Answer::body(json::to_vec(&LockBatchResponseBody { lock_ok_mq_set }, Dialect::Fastjson)))
}

/// Code 42.
pub fn unlock(broker: &Broker, call: &Call<'_>, _: request::UnlockQueues) -> Result<Answer, Refusal> {
    let LockBatchRequestBody { client_id, consumer_group, mq_set, .. } = sent(call)?;
    let queues: Vec<_> = mq_set.into_iter().map(|queue| (queue.topic, queue.queue_id)).collect();
    broker.tables.locks.unlock(&consumer_group, &client_id, &queues);
    Ok(Answer::ok())
}
