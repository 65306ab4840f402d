//! How does a broker register with a NameServer (103)? Plain JSON, or a deflated text of parts.
//!
//! The deflated form is one zlib stream of
//!
//! ```text
//! | int32 n | n bytes: DataVersion as JSON                                          |
//! | int32 count | count times: int32 n | n bytes: `name read write perm FILTERTYPE {attributes}` |
//! | int32 n | n bytes: filter servers as a JSON list                                |
//! | int32 count | count times: int32 n | n bytes: TopicQueueMappingInfo as JSON     |   brokers from V5_0_0 on
//! ```
//!
//! with every integer big-endian (`RegisterBrokerBody.encode`). It carries neither `order` nor `topicSysFlag`.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use super::mapping::TopicQueueMappingInfo;
use super::topic::{TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicConfigSerializeWrapper, TopicFilterType};
use crate::json::{self, Dialect, JsonError};
use crate::permission::Permission;

/// The body of `REGISTER_BROKER` (103).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisterBrokerBody {
    /// Filter servers; always empty since 5.0.
    pub filter_server_list: Vec<String>,
    /// The broker's topics.
    pub topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper,
}

/// The form of a body, which the request's header decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationForm {
    /// JSON of the whole body.
    Plain,
    /// Deflated, with the mapping part if the broker's version is V5_0_0 or later.
    Compressed {
        /// Whether the mapping part follows.
        with_mapping: bool,
    },
    /// A bare table of topics, from brokers before V3_0_11.
    TopicsOnly,
}

/// Why a registration's body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The stream is damaged, or grows beyond [`INFLATED_BYTES_MAX`].
    #[error("registration cannot be inflated: {0}")]
    Inflate(#[from] std::io::Error),
    /// A length exceeds the body.
    #[error("registration is cut off")]
    Short,
    /// A topic's line does not have all its fields.
    #[error("registration has a bad topic line: {0}")]
    Topic(String),
    /// A part is not JSON of its type.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// The largest inflated body; two million topics fit.
pub const INFLATED_BYTES_MAX: u64 = 128 << 20;

/// The checksum that goes into the header: CRC-32 of the bytes as sent, without the sign bit.
pub fn body_crc32(body: &[u8]) -> i32 {
    (crc32fast::hash(body) & 0x7FFF_FFFF) as i32
}

impl RegisterBrokerBody {
    /// The body as plain JSON.
    pub fn encode(&self) -> Vec<u8> {
        json::to_vec(self, Dialect::Fastjson)
    }

    /// The body deflated, with the mapping part that brokers from V5_0_0 on send.
    pub fn encode_compressed(&self) -> Vec<u8> {
        let topics = &self.topic_config_serialize_wrapper;
        let mut parts = Vec::new();
        put_part(&mut parts, &json::to_vec(&topics.data_version, Dialect::Fastjson));
        put_int(&mut parts, topics.topic_config_table.len());
        for topic in topics.topic_config_table.values() {
            put_part(&mut parts, topic_line(topic).as_bytes());
        }
        put_part(&mut parts, &json::to_vec(&self.filter_server_list, Dialect::Fastjson));
        put_int(&mut parts, topics.topic_queue_mapping_info_map.len());
        for mapping in topics.topic_queue_mapping_info_map.values() {
            put_part(&mut parts, &json::to_vec(mapping, Dialect::Fastjson));
        }
        let mut stream = ZlibEncoder::new(Vec::new(), Compression::best());
        stream.write_all(&parts).and_then(|()| stream.finish()).expect("writing to memory does not fail")
    }

    /// Reads a body in `form`.
    ///
    /// # Errors
    /// When the stream, a part's length, a topic's line or a part's JSON is not as described above.
    pub fn decode(body: &[u8], form: RegistrationForm) -> Result<RegisterBrokerBody, RegistrationError> {
        match form {
            RegistrationForm::Plain => Ok(json::from_slice(body)?),
            RegistrationForm::TopicsOnly => {
                let topics: TopicConfigSerializeWrapper = json::from_slice(body)?;
                Ok(RegisterBrokerBody {
                    filter_server_list: Vec::new(),
                    topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper {
                        data_version: topics.data_version,
                        topic_config_table: topics.topic_config_table,
                        ..Default::default()
                    },
                })
            }
            RegistrationForm::Compressed { with_mapping } => decode_parts(&inflate(body)?, with_mapping),
        }
    }
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, RegistrationError> {
    let mut inflated = Vec::new();
    let grown = ZlibDecoder::new(body).take(INFLATED_BYTES_MAX + 1).read_to_end(&mut inflated)?;
    if grown as u64 > INFLATED_BYTES_MAX {
        return Err(std::io::Error::other("larger than a registration may be").into());
    }
    Ok(inflated)
}

fn decode_parts(mut rest: &[u8], with_mapping: bool) -> Result<RegisterBrokerBody, RegistrationError> {
    let data_version = json::from_slice(take_part(&mut rest)?)?;
    let mut topic_config_table = BTreeMap::new();
    for _ in 0..take_int(&mut rest)? {
        let topic = parse_topic_line(&String::from_utf8_lossy(take_part(&mut rest)?))?;
        topic_config_table.insert(topic.topic_name.clone(), topic);
    }
    let filter_server_list = json::from_slice(take_part(&mut rest)?)?;
    let mut topic_queue_mapping_info_map = BTreeMap::new();
    if with_mapping && !rest.is_empty() {
        for _ in 0..take_int(&mut rest)? {
            let mapping: TopicQueueMappingInfo = json::from_slice(take_part(&mut rest)?)?;
            topic_queue_mapping_info_map.insert(mapping.topic.clone().unwrap_or_default(), mapping);
        }
    }
    Ok(RegisterBrokerBody {
        filter_server_list,
        topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper {
            data_version,
            topic_config_table,
            topic_queue_mapping_info_map,
            ..Default::default()
        },
    })
}

/// `name read write perm FILTERTYPE {attributes}` (Java `TopicConfig.encode`; brokers before 5.0 end with the type).
fn topic_line(topic: &TopicConfig) -> String {
    let TopicConfig { topic_name, read_queue_nums, write_queue_nums, perm, topic_filter_type, attributes, .. } = topic;
    let attributes = json::to_vec(attributes, Dialect::Fastjson);
    format!(
        "{topic_name} {read_queue_nums} {write_queue_nums} {perm} {} {}",
        topic_filter_type.as_str(),
        String::from_utf8_lossy(&attributes)
    )
}

fn parse_topic_line(line: &str) -> Result<TopicConfig, RegistrationError> {
    let bad = || RegistrationError::Topic(line.chars().take(200).collect());
    let mut fields = line.splitn(6, ' ');
    let mut field = || fields.next().ok_or_else(bad);
    let number = |text: &str| text.parse::<i32>().map_err(|_| bad());
    Ok(TopicConfig {
        topic_name: field()?.to_owned(),
        read_queue_nums: number(field()?)?,
        write_queue_nums: number(field()?)?,
        perm: Permission(number(field()?)?),
        topic_filter_type: TopicFilterType::from_name(field()?).ok_or_else(bad)?,
        attributes: match field() {
            Ok(text) if !text.trim().is_empty() => json::from_slice(text.as_bytes())?,
            _ => BTreeMap::new(),
        },
        ..TopicConfig::default()
    })
}

fn put_int(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as i32).to_be_bytes());
}

fn put_part(out: &mut Vec<u8>, part: &[u8]) {
    put_int(out, part.len());
    out.extend_from_slice(part);
}

/// A length or count; negative ones are refused like those too large.
fn take_int(rest: &mut &[u8]) -> Result<usize, RegistrationError> {
    let (bytes, behind) = rest.split_first_chunk::<4>().ok_or(RegistrationError::Short)?;
    *rest = behind;
    usize::try_from(i32::from_be_bytes(*bytes)).map_err(|_| RegistrationError::Short)
}

fn take_part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], RegistrationError> {
    let length = take_int(rest)?;
    let (part, behind) = rest.split_at_checked(length).ok_or(RegistrationError::Short)?;
    *rest = behind;
    Ok(part)
}
