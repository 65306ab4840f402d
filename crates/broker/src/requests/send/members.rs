//! How is a client's batch split into its messages, and what may they not ask for? Refusals of the whole batch are in `mod.rs`.

use super::asked::{Asked, batch_waits};
use super::flow::{Flow, Sender};
use crate::broker::Broker;
use crate::delivery::parking;
use crate::error::Refusal;
use crate::message::bodies;
use crate::message::light;
use crate::message::room::{self, WaitsFor};
use roxmq_protocol::batch_body::batch_items;
use roxmq_protocol::properties::{Properties, name};
use roxmq_protocol::record::Draft;
use roxmq_store::Batch;

/// Puts all members of a client's batch into `batch`, or none of them. Returns the light queues that they are in.
pub fn push(
    broker: &Broker,
    sender: Sender,
    draft: Draft<'_>,
    unique_key: &str,
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<String, Refusal> {
    let before = batch.len();
    let pushed = push_members(broker, sender, draft, unique_key, flow, batch);
    pushed.inspect_err(|_| batch.truncate(before))
}

fn push_members(
    broker: &Broker,
    sender: Sender,
    draft: Draft<'_>,
    unique_key: &str,
    flow: &mut Flow,
    batch: &mut Batch,
) -> Result<String, Refusal> {
    let before = batch.len();
    let mut light_queues = Vec::new();
    let serves_light = flow.config.serves_light_queues();
    for item in batch_items(draft.body) {
        let item = item.map_err(|error| Refusal::Message(error.to_string()))?;
        // The batch's sys flag is that of each of its members.
        bodies::check(draft.sys_flag, item.body)?;
        let given = Properties::new(item.properties);
        // A member keeps the key its producer gave it; Java shows the batch's key for all of them.
        let may_ask = flow.write_stored(sender, given, unique_key);
        if may_ask {
            let asked = Asked::of(given);
            if asked.waits(&flow.config) {
                return Err(batch_waits());
            }
            if asked.is_inner_batch {
                return Err(bodies::no_inner_batch());
            }
        }
        let mut light_bytes = 0;
        if serves_light && let Some((named, bytes)) = light::asked(&flow.config, draft.topic, given.find(name::INNER_MULTI_DISPATCH))? {
            light_queues.push(named);
            light_bytes = bytes;
        }
        room::check(flow.properties.len(), light_bytes, room::later_bytes(draft.topic, WaitsFor::default()))?;
        let draft = Draft { flag: item.flag, body: item.body, properties: &flow.properties, ..draft };
        parking::try_push(broker, draft, batch).map_err(Refusal::Message)?;
    }
    if batch.len() == before {
        return Err(Refusal::Message("the batch is empty".into()));
    }
    light::reserve(&broker.store, &flow.config, &light_queues)?;
    Ok(light_queues.join(","))
}

#[cfg(test)]
mod tests;
