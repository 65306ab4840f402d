//! Which settings does a NameServer have?
//!
//! A line of the table says everything about a key; the broker's table says how one is added.

use roxmq_config::kind::{Bytes, Ip, Names, PathText, YesNo, whole};
use roxmq_config::{JavaKeys, Key, Stance, Table, table};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

table! {
    /// The settings of a NameServer.
    NameServerConfig {
        "Network" {
            listen_port: u16 = 9_876, "listenPort", whole(0..=65_535), "", Restart,
                "The port for all requests. 0 takes a free port.";
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
        }
        "Routes" {
            scan_interval_ms: u64 = 5_000, "scanNotActiveBrokerInterval", whole(10..=600_000), "ms", Restart,
                "How often the NameServer looks for silent brokers.";
            delete_topic_with_registration: bool = true, "deleteTopicWithBrokerRegistration", YesNo, "", Now,
                "Whether a master's list of all its topics removes it from the routes of topics that the list lacks. Lists of changed topics, which Java's brokers send too, remove nothing.";
            order_message: bool = false, "orderMessageEnable", YesNo, "", Now,
                "Whether routes carry the order configuration of their topic, so that its queues stay listed while a broker is down.";
            return_order_config: bool = true, "returnOrderTopicConfigToBroker", YesNo, "", Now,
                "Whether a registration is answered with the order configuration of all topics.";
            support_acting_master: bool = false, "supportActingMaster", YesNo, "", Now,
                "Whether the lowest living replica stands in routes as an acting master.";
            notify_min_broker_id: bool = false, "notifyMinBrokerIdChanged", YesNo, "", Now,
                "Whether brokers are notified when the lowest living id of their name changes.";
            all_topic_list: bool = true, "enableAllTopicList", YesNo, "", Now,
                "Whether the list of all topics is served.";
            topic_list: bool = true, "enableTopicList", YesNo, "", Now,
                "Whether lists of the topics of a cluster or unit are served.";
            wait_for_service: bool = true, "needWaitForService", YesNo, "", Now,
                "Whether routes and lists are refused after the start (code 1) until the brokers that were registered before are back, or for 2 s if there were none.";
            wait_for_service_s: u64 = 45, "waitSecondsForService", whole(1..=3_600), "s", Restart,
                "How long that may be at most; brokers that are not back by then count as gone.";
        }
        "Administration" {
            kv_config_path: PathBuf = "roxmq-data/namesrv/kvConfig.json".into(), "kvConfigPath", PathText, "", Restart,
                "The file of the key-value configuration.", shown "namesrv/kvConfig.json in the data folder";
            config_path: PathBuf = "roxmq-data/namesrv/namesrv.properties".into(), "configStorePath", PathText, "", Restart,
                "The file from which the settings were read and to which changes at run time are saved.",
                shown "the file given with --config, else namesrv/namesrv.properties in the data folder";
            config_black_list: Vec<String> = vec!["configBlackList".into(), "configStorePath".into(), "kvConfigPath".into()],
                "configBlackList", Names, "", Restart,
                "Keys that cannot be changed at run time. configStorePath, kvConfigPath, rocketmqHome and configBlackList never can.";
        }
    }
}

impl Table for NameServerConfig {
    const ROLE: &'static str = "nameserver";

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
        None
    }
}

/// Keys of RocketMQ 5.5.0 (NamesrvConfig, NettyServerConfig, NettyClientConfig) that are no settings here.
static JAVA_KEYS: &[JavaKeys] = &[
    JavaKeys { stance: Stance::Refused, reason: "connections are not encrypted", keys: &[("useTLS", "false")] },
    JavaKeys {
        stance: Stance::Meaningless,
        reason: "there are no thread pools: each core runs one event loop (`shards`), and the limits on waiting requests are keys of their own",
        keys: &[
            ("clientCallbackExecutorThreads", ""),
            ("clientRequestThreadPoolNums", ""),
            ("clientRequestThreadPoolQueueCapacity", ""),
            ("clientWorkerThreads", ""),
            ("defaultThreadPoolNums", ""),
            ("defaultThreadPoolQueueCapacity", ""),
            ("disableCallbackExecutor", ""),
            ("disableNettyWorkerGroup", ""),
            ("serverCallbackExecutorThreads", ""),
            ("serverNettyWorkerGroupEnable", ""),
            ("serverSelectorThreads", ""),
            ("serverWorkerThreads", ""),
            ("unRegisterBrokerQueueCapacity", ""),
            ("useEpollNativeSelector", ""),
        ],
    },
    JavaKeys {
        stance: Stance::Meaningless,
        reason: "it tuned buffers of Netty and of the JVM heap",
        keys: &[
            ("channelNotActiveInterval", ""),
            ("clientAsyncSemaphoreValue", ""),
            ("clientChannelMaxIdleTimeSeconds", ""),
            ("clientCloseSocketIfTimeout", ""),
            ("clientOnewaySemaphoreValue", ""),
            ("clientPooledByteBufAllocatorEnable", ""),
            ("clientSocketRcvBufSize", ""),
            ("clientSocketSndBufSize", ""),
            ("connectTimeoutMillis", ""),
            ("enableReconnectForGoAway", ""),
            ("enableShutdownGracefully", ""),
            ("isScanAvailableNameSrv", ""),
            ("maxReconnectIntervalTimeSeconds", ""),
            ("serverAsyncSemaphoreValue", ""),
            ("serverOnewaySemaphoreValue", ""),
            ("serverPooledByteBufAllocatorEnable", ""),
            ("shutdownWaitTimeSeconds", ""),
            ("socksProxyConfig", ""),
            ("writeBufferHighWaterMark", ""),
            ("writeBufferLowWaterMark", ""),
        ],
    },
    JavaKeys {
        stance: Stance::Meaningless,
        reason: "there is no installation folder with scripts and configuration",
        keys: &[("rocketmqHome", "")],
    },
    JavaKeys {
        stance: Stance::NotServed,
        reason: "replication and failover are not served",
        keys: &[("enableControllerInNamesrv", "false")],
    },
    JavaKeys {
        stance: Stance::NotServed,
        reason: "routes are looked up in this NameServer only",
        keys: &[("clusterTest", "false"), ("productEnvName", "center")],
    },
];
