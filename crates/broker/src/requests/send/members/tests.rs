use super::*;
use crate::settings::BrokerConfig;
use crate::testing::{self, NOW_MS, QUEUE, TOPIC, close, try_open};
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::batch_body::{BatchItem, put_batch_item};
use roxmq_protocol::position::QueueOffset;
use roxmq_protocol::properties::PROPERTIES_BYTES_MAX;
use roxmq_protocol::record::records;
use roxmq_protocol::record::sys_flag;
use roxmq_protocol::time::Timestamp;
use roxmq_store::{Filter, Patience, ReadLimits, ReadRequest};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const SENDER: Sender = Sender {
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
    met_as: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2),
    version: 0,
};

fn draft(body: &[u8]) -> Draft<'_> {
    let host = ([127, 0, 0, 1], 1).into();
    Draft {
        topic: TOPIC,
        queue_id: QUEUE,
        flag: 0,
        sys_flag: 0,
        born_timestamp: Timestamp(NOW_MS),
        born_host: host,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties: "",
    }
}

fn body(members: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (properties, body) in members {
        put_batch_item(&mut bytes, BatchItem { flag: 7, body: body.as_bytes(), properties }).unwrap();
    }
    bytes
}

#[test]
fn members_of_a_batch_keep_what_is_theirs_and_are_in_it_all_or_none() {
    let config =
        BrokerConfig { light_queues: true, multi_dispatch: true, light_queues_quota: true, light_queues_max: 2, ..testing::config() };
    let broker = try_open(&SimDisk::new(3).disk(), &Clock::manual(NOW_MS), config).unwrap();
    let mut flow = Flow::new(&broker);
    let mut batch = broker.store.batch();
    batch.push(draft(b"before")).unwrap();

    let sound = body(&[
        ("UNIQ_KEY\u{1}own\u{2}POP_CK\u{1}x\u{2}KEYS\u{1}k\u{2}CLUSTER\u{1}forged\u{2}", "one"),
        ("INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}TAGS\u{1}t", "two"),
    ]);
    assert_eq!(push(&broker, SENDER, draft(&sound), "or", &mut flow, &mut batch), Ok("%LMQ%a".to_owned()));
    broker.append_and_confirm(&mut batch).unwrap();
    let limits = ReadLimits { messages_max: 3, bytes_max: 4096, scan_max: 3, patience: Patience::WaitForDisk };
    let mut stored = Vec::new();
    broker.store.read(&ReadRequest { topic: TOPIC, queue_id: QUEUE, from: QueueOffset(0), limits }, Filter::ALL, &mut stored);
    let stored: Vec<_> = records(&stored).map(|record| record.unwrap()).collect();
    let marks = "MSG_REGION\u{1}DefaultRegion\u{2}TRACE_ON\u{1}true\u{2}CLUSTER\u{1}DefaultCluster\u{2}";
    assert_eq!(stored[1].properties().as_str(), format!("KEYS\u{1}k\u{2}UNIQ_KEY\u{1}own\u{2}{marks}"));
    assert_eq!((stored[1].flag, stored[1].body), (7, b"one".as_slice()));
    assert!(stored[2].properties().as_str().starts_with("INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}TAGS\u{1}t\u{2}UNIQ_KEY\u{1}or\u{2}"));

    batch.clear();
    batch.push(draft(b"before")).unwrap();
    let before = batch.bytes();
    let mut cut = sound.clone();
    cut.pop();
    let full = body(&[("INNER_MULTI_DISPATCH\u{1}%LMQ%b,%LMQ%c\u{2}KEYS\u{1}k\u{2}", "three")]);
    let compressed = Draft { sys_flag: sys_flag::COMPRESSED, ..draft(&sound) };
    let said = push(&broker, SENDER, compressed, "or", &mut flow, &mut batch).unwrap_err().to_string();
    assert!(said.contains("compressed with zlib, and it is not"), "{said}");
    assert_eq!((batch.len(), batch.bytes()), (1, before), "{said}");
    let long = body(&[("", "four"), (&format!("long\u{1}{}", "x".repeat(PROPERTIES_BYTES_MAX - 5)), "five")]);
    for (refused, why) in [(&cut, "properties"), (&full, "no more than 2"), (&long, "limit 32KB"), (&Vec::new(), "empty")] {
        let said = push(&broker, SENDER, draft(refused), "or", &mut flow, &mut batch).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
        assert_eq!((batch.len(), batch.bytes()), (1, before), "{said}");
    }
    close(broker);
}
