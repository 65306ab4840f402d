use super::read::{SharedRead, serve};
use super::*;
use crate::requests::topics::deleting;
use crate::saving;
use crate::settings::FlushDiskType;
use crate::testing::{NOW_MS, QUEUE, TOPIC, close, open, put, try_open};
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_protocol::code;
use roxmq_protocol::header;
use roxmq_protocol::request::PULL_SUBSCRIPTION;
use roxmq_remoting::next_connection;

/// A pull of the queue by this connection, for the group `g`.
fn pull(broker: &Broker, connection: ConnectionId, from: i64, commit: i64) -> Result<PreparedPull, Refusal> {
    let fields = [
        ("consumerGroup", "g"),
        ("topic", TOPIC),
        ("queueId", &QUEUE.to_string()),
        ("queueOffset", &from.to_string()),
        ("maxMsgNums", "32"),
        ("sysFlag", &(PULL_COMMIT | PULL_SUBSCRIPTION).to_string()),
        ("commitOffset", &commit.to_string()),
        ("suspendTimeoutMillis", "0"),
        ("subVersion", "0"),
        ("subscription", "*"),
    ]
    .iter()
    .map(|(name, value)| format!("\"{name}\":\"{value}\""))
    .collect::<Vec<_>>()
    .join(",");
    let header = format!("{{\"code\":11,\"flag\":0,\"language\":\"JAVA\",\"opaque\":1,\"version\":513,\"extFields\":{{{fields}}}}}");
    let mut bytes = Vec::new();
    roxmq_protocol::frame::write(&mut bytes, roxmq_protocol::frame::Encoding::Json, |out| out.extend_from_slice(header.as_bytes()), b"");
    let frame = roxmq_protocol::frame::split(&bytes).unwrap().unwrap();
    prepare(broker, &broker.config(), connection, &header::read(&frame).unwrap().fields, PullForm::Full)
}

/// Its code, where it goes on, and how many messages it gives.
fn seen(broker: &Broker, pull: &PreparedPull) -> (i32, i64, u32) {
    let result = serve(broker, pull, Patience::WaitForDisk, &mut SharedRead::default());
    (result.code, result.reply.next_begin_offset, result.messages)
}

fn pulled(broker: &Broker, connection: ConnectionId, from: i64, commit: i64) -> (i32, i64, u32) {
    seen(broker, &pull(broker, connection, from, commit).unwrap())
}

fn make(broker: &Broker, messages: usize) {
    broker.tables.topics.add(TopicConfig { topic_name: TOPIC.into(), ..TopicConfig::default() });
    broker.tables.incarnations.began(TOPIC, broker.store.was_deleted(TOPIC), next_connection());
    (0..messages).for_each(|_| _ = put(broker, TOPIC, QUEUE, "", "body"));
}

fn committed(broker: &Broker) -> Option<i64> {
    broker.tables.offsets.find("g", TOPIC, QUEUE as i32).map(|offset| offset.0)
}

#[test]
fn a_pull_that_came_before_its_topic_was_deleted_begins_again() {
    let broker = open(&SimDisk::new(7).disk(), &Clock::manual(NOW_MS));
    make(&broker, 5);
    let [waits, at_0, other] = [5, 0, 5].map(|from| pull(&broker, 0, from, from).unwrap());
    assert_eq!(seen(&broker, &other), (code::PULL_NOT_FOUND, 5, 0));
    assert_eq!(committed(&broker), Some(5));
    deleting::forget(&broker, TOPIC);
    assert_eq!(check_there(&broker, &waits).unwrap_err().code(), code::TOPIC_NOT_EXIST);
    make(&broker, 7);
    // No pull may go on from that offset, though there is a message at it.
    for late in [&waits, &other] {
        assert!(check_there(&broker, late).is_ok());
        assert_eq!(seen(&broker, late), (code::PULL_OFFSET_MOVED, 0, 0));
    }
    assert_eq!(committed(&broker), None);
    assert_eq!(seen(&broker, &at_0), (code::SUCCESS, 7, 7));
    close(broker);
}

#[test]
fn the_offset_that_rides_on_a_pull_is_never_beyond_the_end() {
    let broker = open(&SimDisk::new(7).disk(), &Clock::manual(NOW_MS));
    make(&broker, 5);
    for (commit, kept) in [(3, Some(3)), (6, Some(3)), (-1, Some(3)), (i64::MAX, Some(3)), (5, Some(5)), (0, Some(0))] {
        assert_eq!(pulled(&broker, 0, 5, commit), (code::PULL_NOT_FOUND, 5, 0));
        assert_eq!(committed(&broker), kept, "{commit}");
    }
    close(broker);
}

/// Without `SYNC_FLUSH` a crash shortens the log under the clients, and their offsets are beyond its end.
#[test]
fn a_crash_that_shortens_the_log_is_no_new_beginning() {
    for was_deleted in [false, true] {
        let (sim, clock) = (SimDisk::new(7), Clock::manual(NOW_MS));
        let config = || BrokerConfig { flush_disk_type: FlushDiskType::AsyncFlush, ..crate::testing::config() };
        let broker = try_open(&sim.disk(), &clock, config()).unwrap();
        if was_deleted {
            make(&broker, 9);
            deleting::forget(&broker, TOPIC);
        }
        make(&broker, 4);
        assert_eq!(broker.store.flush(), roxmq_store::Flush::Durable);
        assert_eq!(pulled(&broker, next_connection(), 2, 2), (code::SUCCESS, 4, 2));
        saving::save_tables(&broker);
        (0..3).for_each(|_| _ = put(&broker, TOPIC, QUEUE, "", "body"));
        assert_eq!(pulled(&broker, next_connection(), 7, 7), (code::PULL_NOT_FOUND, 7, 0));
        drop(broker);
        sim.crash();
        let broker = try_open(&sim.disk(), &clock, config()).unwrap();
        let (_, max) = broker.store.bounds(TOPIC, QUEUE).unwrap();
        assert!((4..7).contains(&max.0), "{max:?}");
        // Where the topic was deleted before, the offset may be one of that time: it goes on where its group has come to.
        let to = if was_deleted { 2 } else { max.0 };
        assert_eq!(pulled(&broker, next_connection(), 7, 7), (code::PULL_OFFSET_MOVED, to, 0), "{was_deleted}");
        assert_eq!(committed(&broker), Some(2));
        close(broker);
    }
}
