//! A `broker.conf` as operators write it, read with the broker's own table.

use super::*;
use roxmq_config::{Notice, Update, load, settings_of_file};

/// What comes of a `broker.conf`: the port, then what is said; or the error.
fn outcome(text: &str) -> String {
    match settings_of_file("broker.conf", text).and_then(|settings| load::<BrokerConfig>(&settings)) {
        Err(error) => error.to_string(),
        Ok(loaded) => {
            let port = loaded.config.listen_port.to_string();
            [port].into_iter().chain(loaded.notices.iter().map(Notice::to_string)).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn the_file_that_rocketmq_ships_is_read() {
    let text = "brokerClusterName = DefaultCluster\nbrokerName = broker-a\nbrokerId = 0\ndeleteWhen = 04\n\
                fileReservedTime = 48\nbrokerRole = ASYNC_MASTER\nflushDiskType = ASYNC_FLUSH\n";
    let loaded = load::<BrokerConfig>(&settings_of_file("broker.conf", text).unwrap()).unwrap();
    assert_eq!(loaded.notices, []);
    assert_eq!(loaded.config.broker_name, "broker-a");
    assert_eq!(loaded.config.file_reserved_h, 48);
    assert_eq!(loaded.config.flush_disk_type, FlushDiskType::AsyncFlush);
}

#[test]
fn a_promise_that_cannot_be_kept_is_refused() {
    for (text, expected) in [
        ("#\nflushDiskType=SYNC", "flushDiskType=SYNC (broker.conf, line 2): allowed is ASYNC_FLUSH or SYNC_FLUSH"),
        (
            "brokerRole=SLAVE",
            "brokerRole=SLAVE (broker.conf, line 1): allowed is ASYNC_MASTER (SYNC_MASTER and SLAVE promise a second copy, and replication is not served)",
        ),
        (
            "aclEnable=true",
            "aclEnable=true (broker.conf, line 1) cannot be honoured: access control is not served, so nothing would be protected",
        ),
        ("aclEnable=false", "10911"),
        (
            "enablePopBufferMerge=true",
            "10911\nenablePopBufferMerge=true has no effect (broker.conf, line 1): POP consumption is not served",
        ),
        ("enablePopBufferMerge=false", "10911"),
        (
            "transientStorePoolEnable=true",
            "10911\ntransientStorePoolEnable means nothing here (broker.conf, line 1): the log is written with plain writes, not through memory-mapped pages or pools of them",
        ),
        (
            "mappedFileSizeCommitLog=1MiB",
            "mappedFileSizeCommitLog and maxMessageSize: a log file of 1048576 bytes cannot hold the largest record, 4229120 bytes",
        ),
        ("mappedFileSizeCommitLog=1MiB\nmaxMessageSize=512KiB", "10911"),
        ("listenPort=2", "listenPort: the VIP channel's port is two below it"),
    ] {
        assert_eq!(outcome(text), expected, "{text}");
    }
}

#[test]
fn a_running_broker_takes_only_what_it_can_keep() {
    let refused = |body: &str| Update::parse(&BrokerConfig::default(), body).unwrap_err().to_string();
    assert_eq!(
        refused("fileReservedTime=12\nbrokerPermission=9"),
        "brokerPermission=9 (request, line 2): allowed is a whole number from 0 to 7"
    );
    assert_eq!(
        refused("maxMessageSize=1MiB\nmappedFileSizeCommitLog=64KiB"),
        "mappedFileSizeCommitLog and maxMessageSize: a log file of 65536 bytes cannot hold the largest record, 1083392 bytes"
    );
    assert_eq!(refused("storePathRootDir=/"), "Can not update config in black list.");
}

#[test]
fn the_vip_port_is_two_below() {
    let config = BrokerConfig { listen_port: 12_000, ..BrokerConfig::default() };
    assert_eq!(config.fast_listen_port(), 11_998);
}
