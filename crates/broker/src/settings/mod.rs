//! Which settings does a broker have?
//!
//! One line of the table says everything about a key. To add one:
//!
//! 1. write its line below, in the section where a user looks for it, and take its name off `settings/java_keys.rs` if it stands there;
//! 2. read the field where it acts, from `Broker::config()`. A change at run time goes through `put_in_force` in
//!    `requests/admin/settings.rs`. What the store acts on goes through `settings/store.rs` into its `StoreConfig`, and into its
//!    `Retention` if it may change while the store is open;
//! 3. run `UPDATE=1 cargo test -p roxmq config_page`, which rewrites `docs/config.md`;
//! 4. where the default is not RocketMQ's, give the reason in `crates/server/tests/settings`, which compares the two.
//!
//! `Now` is for keys that are read each time they matter; other keys are `Restart`. A key on which nothing acts is `NotYet`.
//! Two keys that must fit together are checked in `contradiction`.

mod choices;
mod delay_ladder;
pub(crate) mod in_force;
mod java_keys;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub use choices::{BrokerRole, FlushDiskType};
pub use delay_ladder::DelayLadder;

use crate::settings::choices::{BROKER_ROLE, FLUSH_DISK_TYPE};
use crate::settings::delay_ladder::Ladder;
use crate::settings::java_keys::JAVA_KEYS;
use roxmq_config::kind::{Addresses, Bytes, Hours, Ip, Name, Names, OptionalBytes, OptionalHost, OptionalPath, PathText, YesNo, whole};
use roxmq_config::{JavaKeys, Key, Kind, Table, table};
use roxmq_env::machine;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

table! {
    /// The settings of a broker and its store.
    BrokerConfig {
        "Identity" {
            broker_cluster_name: String = "DefaultCluster".into(), "brokerClusterName", Name, "", Restart,
                "The cluster that the broker belongs to.";
            broker_name: String = host_name(), "brokerName", Name, "", Restart,
                "The broker's name in routes. Two brokers of a cluster must not share one.", shown "the host name";
            broker_id: u64 = 0, "brokerId", whole(0..=0), "", Restart,
                "0 is the master of its name. Other ids are replicas, which are not served.";
            broker_role: BrokerRole = BrokerRole::AsyncMaster, "brokerRole", BROKER_ROLE, "", Restart,
                "What the broker is to the others of its name.";
            broker_permission: u32 = 6, "brokerPermission", whole(0..=7), "", Now,
                "What clients may do here: 6 read and write, 4 read only (drain it before a stop), 2 write only. Without write permission every send is refused; work begun before (retries, open transactions, delayed and timed messages) goes on.";
            region_id: String = "DefaultRegion".into(), "regionId", Name, "", Now,
                "The region that stands in stored messages and in answers to sends (MSG_REGION).";
        }
        "Network" {
            namesrv_addr: Vec<String> = Vec::new(), "namesrvAddr", Addresses, "", Now,
                "The NameServers to register with, `host:port;host:port`. Also taken from NAMESRV_ADDR and `-n`.";
            broker_ip1: Option<String> = None, "brokerIP1", OptionalHost, "", Restart,
                "The address that clients connect to, and that they find in message ids and messages. Without it, each client finds the one at \
                 which it reached the NameServer and the broker; NameServers elsewhere learn the best address of this machine.", shown "found out";
            listen_port: u16 = 10_911, "listenPort", whole(0..=65_535), "", Restart,
                "The port for all requests. The port two below it serves the same clients' sends (VIP channel). 0 takes a free port.";
            bind_address: IpAddr = Ipv4Addr::UNSPECIFIED.into(), "bindAddress", Ip, "", Restart,
                "The address to listen on; 0.0.0.0 is every address of this machine.";
            shards: u32 = 0, "shards", whole(0..=1_024), "", Restart,
                "How many event loops serve the connections; 0 is one for each core.";
            connection_idle_s: u64 = 120, "serverChannelMaxIdleTimeSeconds", whole(1..=86_400), "s", Restart,
                "A connection on which nothing moves for this long is closed.";
            socket_backlog: u32 = 1_024, "serverSocketBacklog", whole(1..=65_535), "", NotYet,
                "How many connections may wait to be accepted.";
            socket_send_bytes: u64 = 0, "serverSocketSndBufSize", Bytes(0..=1 << 30), "bytes", NotYet,
                "The send buffer of a connection; 0 leaves it to the system.";
            socket_receive_bytes: u64 = 0, "serverSocketRcvBufSize", Bytes(0..=1 << 30), "bytes", NotYet,
                "The receive buffer of a connection; 0 leaves it to the system.";
            connect_timeout_ms: u64 = 3_000, "connectTimeoutMillis", whole(1..=600_000), "ms", NotYet,
                "How long the broker waits for a connection to a NameServer.";
        }
        "Registration" {
            register_period_ms: u64 = 30_000, "registerNameServerPeriod", whole(1_000..=60_000), "ms", Now,
                "How often the broker announces all its topics to every NameServer. A NameServer forgets a broker after 120 s of silence.";
            register_timeout_ms: u64 = 24_000, "registerBrokerTimeoutMills", whole(100..=600_000), "ms", Now,
                "How long a registration waits for a NameServer's answer.";
            force_register: bool = true, "forceRegister", YesNo, "", NotYet,
                "Whether the broker registers each time, or only when a NameServer does not have its current topics.";
            compressed_register: bool = false, "compressedRegister", YesNo, "", NotYet,
                "Whether registrations are compressed.";
            channel_expired_ms: u64 = 120_000, "channelExpiredTimeout", whole(1_000..=86_400_000), "ms", Now,
                "A client that sends no heartbeat for this long is forgotten.";
            subscription_expired_ms: u64 = 600_000, "subscriptionExpiredTimeout", whole(1_000..=86_400_000), "ms", NotYet,
                "A group's subscription that no member confirms for this long is forgotten.";
        }
        "Topics and groups" {
            auto_create_topic: bool = true, "autoCreateTopicEnable", YesNo, "", Now,
                "Whether a send to an unknown topic creates it, from the template TBW102.";
            default_topic_queues: u32 = 8, "defaultTopicQueueNums", whole(1..=1_024), "", Restart,
                "The queues of the template TBW102. A topic created by a send has as many as the producer asks for, 4 with most clients, but not more than this.";
            auto_create_group: bool = true, "autoCreateSubscriptionGroup", YesNo, "", Now,
                "Whether the first use of an unknown consumer group creates it.";
            create_system_groups: bool = true, "enableCreateSysGroup", YesNo, "", Now,
                "Whether groups named CID_RMQ_SYS_* are created even where other groups are not.";
            cluster_topic: bool = true, "clusterTopicEnable", YesNo, "", Restart,
                "Whether the topic named as the cluster, which tools write to, may be read and written.";
            broker_topic: bool = true, "brokerTopicEnable", YesNo, "", Restart,
                "Whether the topic named as the broker, which tools write to, may be read and written.";
            trace_topic: bool = false, "traceTopicEnable", YesNo, "", Restart,
                "Whether the topic of message traces exists from the start. Without it, the first trace creates it.";
            trace_topic_name: String = "RMQ_SYS_TRACE_TOPIC".into(), "msgTraceTopicName", Name, "", Restart,
                "The topic of message traces.";
            trace_on: bool = true, "traceOn", YesNo, "", Now,
                "What answers to sends say about tracing (TRACE_ON).";
            mixed_message_type: bool = false, "enableMixedMessageType", YesNo, "", Now,
                "Whether a topic may be given the message type MIXED.";
            guard_system_topics: bool = true, "validateSystemTopicWhenUpdateTopic", YesNo, "", Now,
                "Whether creating or changing a system topic is refused.";
            light_queues: bool = false, "enableLmq", YesNo, "", Restart,
                "Whether topics and consumer groups named %LMQ%* (light queues) exist without being created.";
            multi_dispatch: bool = false, "enableMultiDispatch", YesNo, "", Restart,
                "Whether, with enableLmq, messages are also put into the light queues that their producers name in INNER_MULTI_DISPATCH.";
            light_queues_quota: bool = false, "enableLmqQuota", YesNo, "", Now,
                "Whether there may be no more than maxLmqConsumeQueueNum light queues. Otherwise there may be a million.";
            light_queues_max: u32 = 20_000, "maxLmqConsumeQueueNum", whole(1..=1_000_000), "", Now,
                "With enableLmqQuota, how many light queues there may be. A message that names further ones is refused.";
            notify_consumer_changes: bool = true, "notifyConsumerIdsChangedEnable", YesNo, "", Now,
                "Whether the members of a group are notified at once when it changes, so that they share out the queues again.";
        }
        "Store" {
            store_root: PathBuf = "roxmq-data".into(), "storePathRootDir", PathText, "", Restart,
                "The data folder; a relative path is below the folder where the process starts. `~`, `$HOME` and `${user.home}` at the start are the user's home.";
            commit_log_dir: Option<PathBuf> = None, "storePathCommitLog", OptionalPath, "", Restart,
                "The folder of the log, where it is not `commitlog` in the data folder. One folder; several are not supported.";
            segment_bytes: u64 = 1 << 30, "mappedFileSizeCommitLog", Bytes(64 << 10..=(1 << 31) - 1), "bytes", Restart,
                "The size of one log file. The log is deleted in pieces of this size.";
            start_with_missing_log: bool = true, "startWithMissingLog", YesNo, "", Restart,
                "Whether the broker starts, and serves the rest, when log files that it knows of are missing, empty or too short. Otherwise it refuses to start and deletes nothing, so that the files can be brought back. Files missing at the front of the log count as deleted.";
            max_message_bytes: u64 = 4 << 20, "maxMessageSize", Bytes(1 << 10..=MESSAGE_BYTES_LIMIT), "bytes", Now,
                "The largest body of a message, as it is sent. Messages that are stored already are delivered, however large.";
            ipv6_born_hosts: bool = false, "storeIPv6BornHosts", YesNo, "", Now,
                "Whether a message from a client with an IPv6 address carries it as Java's broker stores it, in 16 bytes. The clients of Node.js, C++ and Python cannot read such messages: the first receives nothing more of the topic, the others crash. Otherwise it carries 0.0.0.0, and the address is in the property ROXMQ_BORN_HOST.";
            tail_checkpoint_bytes: u64 = 64 << 20, "tailCheckpointBytes", Bytes(1 << 20..=1 << 30), "bytes", Restart,
                "The queues' positions are saved each time the log has grown by this much; a start after a crash reads at most this much of the log again. With more than 16,384 queues it is 4 KiB for each, up to four times as much.";
            tail_memory_bytes: u64 = 256 << 20, "tailMemoryBytes", Bytes(16 << 20..=64 << 30), "bytes", Restart,
                "How much memory positions that are not saved yet may take. While they take all of it, because the disk does not keep up, sends are answered SYSTEM_BUSY.";
            flush_consumer_offsets_ms: u64 = 1_000, "flushConsumerOffsetInterval", whole(100..=600_000), "ms", Now,
                "How often the groups' offsets are written to disk. After a crash a group may see messages of this interval again.";
        }
        "Flush" {
            flush_disk_type: FlushDiskType = FlushDiskType::AsyncFlush, "flushDiskType", FLUSH_DISK_TYPE, "", Restart,
                "SYNC_FLUSH acknowledges a send when the disk has the message; ASYNC_FLUSH when it is written, so that a power cut, not a kill, may lose the last flush interval.";
            flush_interval_ms: u64 = 500, "flushIntervalCommitLog", whole(1..=60_000), "ms", Now,
                "With ASYNC_FLUSH, how often what was written is forced to the disk.";
            sync_flush_timeout_ms: u64 = 5_000, "syncFlushTimeout", whole(1..=600_000), "ms", Now,
                "With SYNC_FLUSH, how long a send waits for the disk before it is answered with FLUSH_DISK_TIMEOUT.";
        }
        "Retention and disk space" {
            file_reserved_h: u64 = 72, "fileReservedTime", whole(0..=876_000), "h", Now,
                "How long messages are kept. A log file is deleted when its newest message is older; with 0 as soon as it is full.";
            delete_hours: Vec<u8> = vec![4], "deleteWhen", Hours, "", NotYet,
                "The hours of the day, local time, in which expired log files are deleted.";
            retention_bytes: Option<u64> = None, "retentionBytes", OptionalBytes, "bytes", Now,
                "How much log is kept at most; older log files are deleted even if they are not expired. 0 sets no limit. With SYNC_FLUSH the file of one more is kept to be used again.";
            disk_reserve_bytes: u64 = 256 << 20, "diskReserveBytes", Bytes(0..=1 << 50), "bytes", Now,
                "How much of the disk is left free. Below it, expired files are deleted at any hour and sends are refused until there is space again; pulls go on.";
            delete_unexpired_when_full: bool = false, "cleanFileForciblyEnable", YesNo, "", Now,
                "Whether the oldest log file is deleted when the disk reserve is reached, even if it is not expired and perhaps not consumed.";
        }
        "Pulling and queries" {
            long_polling: bool = true, "longPollingEnable", YesNo, "", Now,
                "Whether a pull that finds nothing waits at the broker until a message comes, as long as the client asks for.";
            short_polling_ms: u64 = 1_000, "shortPollingTimeMills", whole(1..=60_000), "ms", Now,
                "Without long polling, how long a pull that finds nothing waits.";
            lite_pull: bool = true, "litePullMessageEnable", YesNo, "", Now,
                "Whether lite pull consumers are served.";
            reject_pull_consumers: bool = false, "rejectPullConsumerEnable", YesNo, "", NotYet,
                "Whether consumers of the old pull interface are refused.";
            pull_bytes_max: u64 = 256 << 10, "maxTransferBytesOnMessageInMemory", Bytes(1 << 10..=8 << 20), "bytes", Now,
                "The most bytes that one pull returns. A larger message is returned alone.";
            pull_messages_max: u32 = 32, "maxTransferCountOnMessageInMemory", whole(1..=1_024), "", Now,
                "The most messages that one pull returns.";
            filter_scan_bytes: u32 = 16_000, "maxFilterMessageSize", whole(20..=20_000_000), "bytes", Now,
                "How many queue entries a pull looks at for matching messages, counted as 20 bytes each.";
            query_messages_default: u32 = 32, "defaultQueryMaxNum", whole(1..=1_024), "", Now,
                "How many messages a query by unique key returns at most.";
            query_messages_max: u32 = 64, "maxMsgsNumBatch", whole(1..=1_024), "", Now,
                "How many messages any query by key returns at most.";
            server_side_reset: bool = true, "useServerSideResetOffset", YesNo, "", Now,
                "Whether a reset of offsets takes effect at the broker, also for groups without a living member. Otherwise the members are told to move.";
            assign_queues: bool = true, "serverLoadBalancerEnable", YesNo, "", Now,
                "Whether the broker shares out the queues for consumers that ask it to.";
        }
        "Filters" {
            sql_filter: bool = true, "enablePropertyFilter", YesNo, "", Now,
                "Whether consumers may filter with SQL92.";
            filter_retries: bool = false, "filterSupportRetry", YesNo, "", Now,
                "Whether SQL92 filters also apply to retried messages.";
        }
        "Delay, timers and transactions" {
            delay_ladder: DelayLadder = DelayLadder::default(), "messageDelayLevel", Ladder, "", Restart,
                "The waiting times of the delay levels, from level 1, also used for retries (from level 3).";
            timer: bool = true, "timerWheelEnable", YesNo, "", Now,
                "Whether messages may be given an exact time of delivery.";
            timer_precision_ms: u64 = 1_000, "timerPrecisionMs", whole(1..=60_000), "ms", NotYet,
                "How exact that time is. A message is never delivered before its time.";
            timer_max_delay_s: u64 = 34_560_000, "timerMaxDelaySec", whole(1..=315_360_000), "s", Now,
                "How far ahead that time may be: 400 days.";
            recall_messages: bool = false, "recallMessageEnable", YesNo, "", Now,
                "Whether a producer may recall a message that waits for its time.";
            recall_when_draining: bool = true, "allowRecallWhenBrokerNotWriteable", YesNo, "", Now,
                "Whether it may do so even when the broker takes no sends.";
            reject_transactions: bool = false, "rejectTransactionMessage", YesNo, "", Now,
                "Whether transactional sends are refused.";
            transaction_immunity_ms: u64 = 6_000, "transactionTimeOut", whole(1..=86_400_000), "ms", Now,
                "How long a transaction may stay open before the broker checks back with its producer.";
            transaction_check_interval_ms: u64 = 30_000, "transactionCheckInterval", whole(10..=86_400_000), "ms", Now,
                "How often the broker checks back with producers about open transactions.";
            transaction_checks_max: u32 = 15, "transactionCheckMax", whole(1..=100_000), "", Now,
                "After so many checks without a decision a transaction is moved to TRANS_CHECK_MAX_TIME_TOPIC.";
            store_replies: bool = true, "storeReplyMessageEnable", YesNo, "", Now,
                "Whether replies of request-reply are also stored.";
        }
        "Flow control" {
            sends_waiting_max: u32 = 10_000, "sendThreadPoolQueueCapacity", whole(1..=10_000_000), "", Now,
                "How many sends may wait for an answer at a time; further ones are answered SYSTEM_BUSY.";
            pulls_waiting_max: u32 = 100_000, "pullThreadPoolQueueCapacity", whole(1..=10_000_000), "", Now,
                "How many pulls may wait for messages at a time; further ones are answered at once that there are none.";
            accept_sends_from_ms: u64 = 0, "startAcceptSendRequestTimeStamp", whole(0..=i64::MAX as u64), "ms", Now,
                "Sends before this time (milliseconds since 1970) are refused.";
        }
        "Administration" {
            config_path: Option<PathBuf> = None, "brokerConfigPath", OptionalPath, "", Restart,
                "The file from which the settings were read and to which changes at run time are saved.", shown "the file given with --config";
            config_black_list: Vec<String> = vec!["configBlackList".into(), "brokerConfigPath".into()], "configBlackList", Names, "", Restart,
                "Keys that cannot be changed at run time. brokerConfigPath, rocketmqHome, configBlackList and storePathRootDir never can.";
        }
    }
}

impl Table for BrokerConfig {
    const ROLE: &'static str = "broker";

    fn keys() -> &'static [Key<Self>] {
        KEYS
    }

    fn java_keys() -> &'static [JavaKeys] {
        JAVA_KEYS
    }

    fn black_list(&self) -> &[String] {
        &self.config_black_list
    }

    fn contradiction(&self) -> Option<(&'static str, String)> {
        if (1..=2).contains(&self.listen_port) {
            return Some(("listenPort", "the VIP channel's port is two below it".into()));
        }
        let record_bytes_max = self.max_message_bytes + RECORD_OVERHEAD_BYTES;
        (self.segment_bytes < record_bytes_max).then(|| {
            let what = format!("a log file of {} bytes cannot hold the largest record, {record_bytes_max} bytes", self.segment_bytes);
            ("mappedFileSizeCommitLog and maxMessageSize", what)
        })
    }
}

impl BrokerConfig {
    /// The largest body that `maxMessageSize` can ever have allowed with log files of this size. What is stored already may be as long,
    /// whatever the setting says now.
    pub fn message_bytes_limit(segment_bytes: u64) -> u64 {
        segment_bytes.saturating_sub(RECORD_OVERHEAD_BYTES).min(MESSAGE_BYTES_LIMIT)
    }

    /// Whether messages go into light queues here.
    pub fn serves_light_queues(&self) -> bool {
        self.light_queues && self.multi_dispatch
    }

    /// The port of the VIP channel, on which old producers send and ask (Java: BrokerController, `listenPort - 2`). Like the main port it
    /// is 0, a free one, where the system chooses; no client finds it then.
    pub fn fast_listen_port(&self) -> u16 {
        self.listen_port.saturating_sub(2)
    }
}

/// This machine's name, as Java's BrokerIdentity finds it, or the name that Java takes when there is none.
fn host_name() -> String {
    Name.parse(&machine::host_name()).unwrap_or_else(|| "DEFAULT_BROKER".into())
}

/// A frame with more than this could not be sent to clients.
const MESSAGE_BYTES_LIMIT: u64 = 15 << 20;

/// What a record holds beside its body at most: fixed fields, 32 KiB of properties, the topic, and the blank record behind it.
const RECORD_OVERHEAD_BYTES: u64 = 34 << 10;
