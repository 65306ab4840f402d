//! A small role for the tests of this crate.

use crate::java_keys::{JavaKeys, Stance};
use crate::kind::{Addresses, Hours, Name, Names, OptionalHost, YesNo, whole};
use crate::table;
use crate::table::{Key, Table};

table! {
    /// One key of each kind of [`crate::Change`], and two that must agree.
    Sample {
        "Network" {
            name: String = "a".into(), "brokerName", Name, "", Restart, "Its name.";
            namesrv_addr: Vec<String> = Vec::new(), "namesrvAddr", Addresses, "", Now, "Its NameServers.";
            host: Option<String> = None, "brokerIP1", OptionalHost, "", Restart, "Its address.", shown "found out";
            listen_port: u16 = 10_911, "listenPort", whole(0..=65_535), "", Restart, "Its port.";
        }
        "Store" {
            file_reserved_h: u64 = 72, "fileReservedTime", whole(0..=876_000), "h", Now, "How long messages are kept.";
            delete_hours: Vec<u8> = vec![4], "deleteWhen", Hours, "", NotYet, "When they are deleted.";
            auto_create_topic: bool = true, "autoCreateTopicEnable", YesNo, "", Now, "Whether a send creates its topic.";
            message_bytes_max: u32 = 1_000, "maxMessageSize", whole(1..=1_000_000), "bytes", Now, "The largest message.";
            segment_bytes: u32 = 2_000, "mappedFileSizeCommitLog", whole(1..=1_000_000), "bytes", Restart, "The size of a log file.";
            black_list: Vec<String> = Vec::new(), "configBlackList", Names, "", Restart, "Keys that cannot be changed.";
        }
    }
}

impl Table for Sample {
    const ROLE: &'static str = "sample";

    fn keys() -> &'static [Key<Self>] {
        KEYS
    }

    fn java_keys() -> &'static [JavaKeys] {
        &[
            JavaKeys { stance: Stance::Refused, reason: "nothing would be protected", keys: &[("aclEnable", "false")] },
            JavaKeys { stance: Stance::NotServed, reason: "POP is not served", keys: &[("enablePopBufferMerge", "false")] },
            JavaKeys { stance: Stance::Meaningless, reason: "it tuned Java log files", keys: &[("enablePopLog", "")] },
        ]
    }

    fn black_list(&self) -> &[String] {
        &self.black_list
    }

    fn contradiction(&self) -> Option<(&'static str, String)> {
        let (segment, message) = (self.segment_bytes, self.message_bytes_max);
        (segment < message)
            .then(|| ("mappedFileSizeCommitLog and maxMessageSize", format!("a log file of {segment} cannot hold a message of {message}")))
    }
}
