//! What does a recall handle say?

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE};
use roxmq_protocol::time::Timestamp;

const VERSION: &str = "v1";
/// Like Java's decoder, with padding or without.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The message that a handle names.
pub struct Handle {
    pub topic: String,
    pub broker: String,
    /// When it is due; -1, long ago, if the handle does not say.
    pub due: Timestamp,
    pub unique_key: String,
}

/// The handle of a timed message: base64url of `v1 topic broker time id`.
pub fn handle(broker_name: &str, topic: &str, due: Timestamp, unique_key: &str) -> String {
    URL_SAFE.encode(format!("{VERSION} {topic} {broker_name} {due} {unique_key}"))
}

impl Handle {
    pub fn parse(text: &str) -> Option<Handle> {
        let decoded = String::from_utf8(LENIENT.decode(text).ok()?).ok()?;
        let words: Vec<&str> = decoded.split(' ').collect();
        let [VERSION, topic, broker, due_ms, unique_key] = words[..] else { return None };
        Some(Handle {
            topic: topic.to_owned(),
            broker: broker.to_owned(),
            due: Timestamp(due_ms.parse().unwrap_or(-1)),
            unique_key: unique_key.to_owned(),
        })
    }
}
