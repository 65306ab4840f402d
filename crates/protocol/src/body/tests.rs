//! Bodies as Java 5.5.0 prints them, read and written again byte for byte, and bodies as other clients send them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::json::{Dialect, from_slice, to_vec};
use crate::permission::Permission;

/// Printed by `RemotingSerializable.encode` of rocketmq-remoting 5.5.0, one body a line behind its class's name.
const GOLDEN: &str = include_str!("golden-java-5.5.0.txt");

fn again<T: DeserializeOwned + Serialize>(json: &str) -> String {
    let body: T = from_slice(json.as_bytes()).unwrap_or_else(|error| panic!("{error} in {json}"));
    String::from_utf8(to_vec(&body, Dialect::Fastjson)).unwrap()
}

#[test]
fn bodies_are_written_as_java_writes_them() {
    for line in GOLDEN.lines() {
        let (class, json) = line.split_once(' ').unwrap();
        let written = match class {
            "BrokerData" => again::<BrokerData>(json),
            "BrokerStatsData" => again::<BrokerStatsData>(json),
            "CheckClientRequestBody" => again::<CheckClientRequestBody>(json),
            "ClusterInfo" => again::<ClusterInfo>(json),
            "ConsumeMessageDirectlyResult" => again::<ConsumeMessageDirectlyResult>(json),
            "ConsumeStats" => again::<ConsumeStats>(json),
            "ConsumeStatsList" => again::<ConsumeStatsList>(json),
            "ConsumerConnection" => again::<ConsumerConnection>(json),
            "ConsumerOffsetSerializeWrapper" => again::<ConsumerOffsetSerializeWrapper>(json),
            "ConsumerRunningInfo" => again::<ConsumerRunningInfo>(json),
            "CreateTopicListRequestBody" => again::<CreateTopicListRequestBody>(json),
            "DataVersion" => again::<DataVersion>(json),
            "GetBrokerMemberGroupResponseBody" => again::<GetBrokerMemberGroupResponseBody>(json),
            "GetConsumerStatusBody" => again::<GetConsumerStatusBody>(json),
            "GroupList" => again::<GroupList>(json),
            "GroupRetryPolicy" => again::<GroupRetryPolicy>(json),
            "HARuntimeInfo" => again::<HaRuntimeInfo>(json),
            "HeartbeatData" => again::<HeartbeatData>(json),
            "KVTable" => again::<KVTable>(json),
            "LockBatchRequestBody" => again::<LockBatchRequestBody>(json),
            "LockBatchResponseBody" => again::<LockBatchResponseBody>(json),
            "MessageRequestModeSerializeWrapper" => again::<MessageRequestModeSerializeWrapper>(json),
            "ProducerConnection" => again::<ProducerConnection>(json),
            "ProducerTableInfo" => again::<ProducerTableInfo>(json),
            "QueryAssignmentRequestBody" => again::<QueryAssignmentRequestBody>(json),
            "QueryAssignmentResponseBody" => again::<QueryAssignmentResponseBody>(json),
            "QueryConsumeQueueResponseBody" => again::<QueryConsumeQueueResponseBody>(json),
            "QueryCorrectionOffsetBody" => again::<QueryCorrectionOffsetBody>(json),
            "QuerySubscriptionResponseBody" => again::<QuerySubscriptionResponseBody>(json),
            "RegisterBrokerBody" => again::<RegisterBrokerBody>(json),
            "ResetOffsetBody" => again::<ResetOffsetBody>(json),
            "ResetOffsetBodyForC" => again::<ResetOffsetBodyForC>(json),
            "SetMessageRequestModeRequestBody" => again::<SetMessageRequestModeRequestBody>(json),
            "SubscriptionGroupConfig" => again::<SubscriptionGroupConfig>(json),
            "SubscriptionGroupList" => again::<SubscriptionGroupList>(json),
            "SubscriptionGroupWrapper" => again::<SubscriptionGroupWrapper>(json),
            "TopicConfig" => again::<TopicConfig>(json),
            "TopicConfigAndMappingSerializeWrapper" => again::<TopicConfigAndMappingSerializeWrapper>(json),
            "TopicConfigAndQueueMapping" => again::<TopicConfigAndQueueMapping>(json),
            "TopicConfigSerializeWrapper" => again::<TopicConfigSerializeWrapper>(json),
            "TopicList" => again::<TopicList>(json),
            "TopicQueueMappingDetail" => again::<TopicQueueMappingDetail>(json),
            "TopicRouteData" => again::<TopicRouteData>(json),
            "TopicStatsTable" => again::<TopicStatsTable>(json),
            _ => panic!("no type for {class}"),
        };
        assert_eq!(written, json, "{class}");
    }
}

#[test]
fn heartbeats_of_other_languages_are_read() {
    let cpp = br#"{"clientID":"10.0.0.1@7","consumerDataSet":[{"consumeFromWhere":4,"consumeType":1,"groupName":"G","messageModel":0,
        "subscriptionDataSet":[{"subString":"*","subVersion":"1700000000000","topic":"T"}]}]}
"#;
    let heartbeat: HeartbeatData = from_slice(cpp).unwrap();
    let consumer = &heartbeat.consumer_data_set[0];
    assert_eq!(consumer.consume_from_where, ConsumeFromWhere::ConsumeFromFirstOffset);
    assert_eq!((consumer.consume_type, consumer.message_model), (ConsumeType::ConsumePassively, MessageModel::Broadcasting));
    assert_eq!(consumer.subscription_data_set[0].sub_version, 1_700_000_000_000);
    assert_eq!(consumer.subscription_data_set[0].expression_type, SubscriptionData::TAG);

    let go = br#"{"clientID":"c","producerDataSet":null,"consumerDataSet":[{"groupName":"G","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",
        "consumeFromWhere":"UNKNOWN","subscriptionDataSet":[{"classFilterMode":false,"topic":"T","subString":"A","tagsSet":["A"],"codeSet":["65"],"subVersion":1}],"unitMode":false}]}"#;
    let heartbeat: HeartbeatData = from_slice(go).unwrap();
    let consumer = &heartbeat.consumer_data_set[0];
    assert_eq!(consumer.consume_from_where, ConsumeFromWhere::ConsumeFromLastOffset);
    assert!(consumer.subscription_data_set[0].code_set.contains(&65));

    assert!(from_slice::<HeartbeatData>(br#"{"consumerDataSet":[{"messageModel":"SOMETHING"}]}"#).is_err());
}

#[test]
fn a_route_is_strict_json_for_new_clients_and_bare_keys_for_old_ones() {
    let route = TopicRouteData {
        broker_datas: vec![BrokerData {
            broker_addrs: BTreeMap::from([(0, "10.0.0.1:10911".into()), (2, "10.0.0.3:10911".into())]),
            broker_name: "经纪".into(),
            cluster: "c".into(),
            ..BrokerData::default()
        }],
        ..TopicRouteData::default()
    };
    let text = |dialect| String::from_utf8(to_vec(&route, dialect)).unwrap();
    assert_eq!(
        text(Dialect::Standard),
        r#"{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911","2":"10.0.0.3:10911"},"brokerName":"\u7ecf\u7eaa","cluster":"c","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[]}"#
    );
    assert_eq!(
        text(Dialect::Fastjson),
        r#"{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",2:"10.0.0.3:10911"},"brokerName":"经纪","cluster":"c","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[]}"#
    );
    for dialect in [Dialect::Standard, Dialect::Fastjson] {
        assert_eq!(from_slice::<TopicRouteData>(&to_vec(&route, dialect)).unwrap(), route);
    }
    serde_json::from_slice::<serde_json::Value>(&to_vec(&route, Dialect::Standard)).unwrap();
}

/// `RegisterBrokerBody.encode(true)` of Java 5.5.0.
const JAVA_COMPRESSED: &str = "78da554fc14ac340105dbdf805de97777591a64a5bf626d896805aacc18bc8b2d96edb40920dbb9b430939fb07fe85773f48fc8e4e7a116778f078c39b99c7189b7530aeada3f590370221ea685fad0f85ab21c702b1a82c895503994c477fd533c6ce09939fefafdfcf0f9e508ff94bfab47c98abec6ec93b5c9133e89dbd8e87c64262912e567cb5be9faf31b82f337ecb677cf2cf340c2edeb09509de899e11f61df25a57c3861c02a6f53edd3c6a7aa81bc9a417d8143e1e20b7ba0c56c036ceec21a794c5b8d35da576a5cb75a914d9a36b0a436276e25197cfad6d6da0acfd11195a4d49";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn registration() -> RegisterBrokerBody {
    let topic = |name: &str, read, write, perm| TopicConfig {
        topic_name: name.into(),
        read_queue_nums: read,
        write_queue_nums: write,
        perm: Permission(perm),
        ..TopicConfig::default()
    };
    let mut ordered = topic("中文", 1, 1, 2);
    ordered.attributes.insert("+message.type".into(), "FIFO ORDER".into());
    let mapping = TopicQueueMappingInfo {
        bname: Some("b".into()),
        curr_id_map: BTreeMap::from([(0, 1)]),
        epoch: 7,
        topic: Some("T".into()),
        total_queues: 2,
        ..TopicQueueMappingInfo::default()
    };
    RegisterBrokerBody {
        filter_server_list: vec!["f:1".into()],
        topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper {
            data_version: DataVersion { counter: 3, state_version: 2, timestamp: 1_700_000_000_000 },
            topic_config_table: [topic("T", 4, 8, 6), ordered].into_iter().map(|topic| (topic.topic_name.clone(), topic)).collect(),
            topic_queue_mapping_info_map: BTreeMap::from([("T".into(), mapping)]),
            ..TopicConfigAndMappingSerializeWrapper::default()
        },
    }
}

#[test]
fn a_compressed_registration_of_java_is_read() {
    let form = RegistrationForm::Compressed { with_mapping: true };
    let java = bytes(JAVA_COMPRESSED);
    assert_eq!(RegisterBrokerBody::decode(&java, form).unwrap(), registration());
    assert_eq!(body_crc32(&java), 67_240_588);
    assert_eq!(RegisterBrokerBody::decode(&registration().encode_compressed(), form).unwrap(), registration());
    assert_eq!(RegisterBrokerBody::decode(&registration().encode(), RegistrationForm::Plain).unwrap(), registration());
}

#[test]
fn an_old_broker_sends_a_table_of_topics() {
    let text = br#"{"dataVersion":{"counter":1,"timestamp":2},"topicConfigTable":{"T":{"order":false,"perm":6,"readQueueNums":4,"topicName":"T"}}}"#;
    let body = RegisterBrokerBody::decode(text, RegistrationForm::TopicsOnly).unwrap();
    assert_eq!(body.topic_config_serialize_wrapper.topic_config_table["T"].read_queue_nums, 4);
    assert_eq!(body.topic_config_serialize_wrapper.data_version.counter, 1);
}

#[test]
fn damaged_registrations_are_refused_without_harm() {
    let form = RegistrationForm::Compressed { with_mapping: true };
    let good = registration().encode_compressed();
    for cut in 0..good.len() {
        RegisterBrokerBody::decode(&good[..cut], form).unwrap_err();
    }
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 0x55;
        let _ = RegisterBrokerBody::decode(&damaged, form);
    }
    assert!(RegisterBrokerBody::decode(b"", RegistrationForm::Plain).is_err());
}

#[test]
fn a_newer_version_is_greater() {
    use std::cmp::Ordering;
    let version = |state_version, counter, timestamp| DataVersion { counter, state_version, timestamp };
    assert_eq!(version(2, 0, 0).compare(&version(1, 9, 9)), Ordering::Greater);
    assert_eq!(version(1, 1, 9).compare(&version(1, 2, 0)), Ordering::Less);
    assert_eq!(version(1, 2, 3).compare(&version(1, 2, 3)), Ordering::Equal);
    assert_eq!(version(1, 2, 3).next(10, 1), version(1, 3, 10));
}
