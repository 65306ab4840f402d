//! What are the settings of a topic (17, 18, 21, 351)?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mapping::{TopicQueueMappingDetail, TopicQueueMappingInfo};
use super::version::DataVersion;
use crate::permission::Permission;

/// One topic's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// Attributes such as `message.type`.
    pub attributes: BTreeMap<String, String>,
    /// The topic is ordered across brokers.
    pub order: bool,
    /// What clients may do.
    pub perm: Permission,
    /// Queues 0 to here may be read.
    pub read_queue_nums: i32,
    /// Whether messages may have several tags; without effect.
    pub topic_filter_type: TopicFilterType,
    /// The name.
    pub topic_name: String,
    /// 1 unit topic, 2 has subscribers in units.
    pub topic_sys_flag: i32,
    /// Queues 0 to here may be written.
    pub write_queue_nums: i32,
}

impl Default for TopicConfig {
    fn default() -> Self {
        TopicConfig {
            attributes: BTreeMap::new(),
            order: false,
            perm: Permission::READ_WRITE,
            read_queue_nums: 16,
            topic_filter_type: TopicFilterType::SingleTag,
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}

/// How many tags a message of the topic may have. The order of the variants is their ordinal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TopicFilterType {
    /// One.
    #[default]
    SingleTag,
    /// Several.
    MultiTag,
}

impl TopicFilterType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            TopicFilterType::SingleTag => "SINGLE_TAG",
            TopicFilterType::MultiTag => "MULTI_TAG",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<TopicFilterType> {
        [TopicFilterType::SingleTag, TopicFilterType::MultiTag].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The body of `UPDATE_AND_CREATE_TOPIC_LIST` (18).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateTopicListRequestBody {
    /// The topics to create or change.
    pub topic_config_list: Vec<TopicConfig>,
}

/// A table of topics, as in `topics.json` and old registrations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigSerializeWrapper {
    /// The table's version.
    pub data_version: DataVersion,
    /// Topics by name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
}

/// The answer to `GET_ALL_TOPIC_CONFIG` (21) and the main part of a registration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigAndMappingSerializeWrapper {
    /// The topic table's version.
    pub data_version: DataVersion,
    /// The version of the static topics' table.
    pub mapping_data_version: DataVersion,
    /// Topics by name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
    /// Static topics in full.
    pub topic_queue_mapping_detail_map: BTreeMap<String, TopicQueueMappingDetail>,
    /// Static topics as the NameServer needs them.
    pub topic_queue_mapping_info_map: BTreeMap<String, TopicQueueMappingInfo>,
}

/// The answer to `GET_TOPIC_CONFIG` (351): a topic's settings, and its mapping if it is static.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigAndQueueMapping {
    /// Attributes such as `message.type`.
    pub attributes: BTreeMap<String, String>,
    /// For static topics, the logical queues on this broker.
    pub mapping_detail: Option<TopicQueueMappingDetail>,
    /// The topic is ordered across brokers.
    pub order: bool,
    /// What clients may do.
    pub perm: Permission,
    /// Queues 0 to here may be read.
    pub read_queue_nums: i32,
    /// Whether messages may have several tags.
    pub topic_filter_type: TopicFilterType,
    /// The name.
    pub topic_name: String,
    /// 1 unit topic, 2 has subscribers in units.
    pub topic_sys_flag: i32,
    /// Queues 0 to here may be written.
    pub write_queue_nums: i32,
}

impl Default for TopicConfigAndQueueMapping {
    fn default() -> Self {
        TopicConfig::default().into()
    }
}

impl From<TopicConfig> for TopicConfigAndQueueMapping {
    fn from(topic: TopicConfig) -> Self {
        TopicConfigAndQueueMapping {
            attributes: topic.attributes,
            mapping_detail: None,
            order: topic.order,
            perm: topic.perm,
            read_queue_nums: topic.read_queue_nums,
            topic_filter_type: topic.topic_filter_type,
            topic_name: topic.topic_name,
            topic_sys_flag: topic.topic_sys_flag,
            write_queue_nums: topic.write_queue_nums,
        }
    }
}
