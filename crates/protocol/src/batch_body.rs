//! What are the bytes of a client's batch (`SEND_BATCH_MESSAGE`)?

use crate::properties::PROPERTIES_BYTES_MAX;
use crate::record::fields::{FieldReader, text};
use crate::record::layout::BODY_BYTES_MAX;
use crate::record::{DraftError, RecordError};

/// One message of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchItem<'a> {
    /// The user's flag.
    pub flag: i32,
    /// The body.
    pub body: &'a [u8],
    /// The property string.
    pub properties: &'a str,
}

/// Why the body of a batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A length is negative or exceeds the body.
    #[error("message {index} of the batch: the length of the {field} exceeds the batch")]
    Length {
        /// Which message, from 0.
        index: usize,
        /// Which field.
        field: &'static str,
    },
    /// The properties are not UTF-8.
    #[error("message {index} of the batch: the properties are not UTF-8")]
    Text {
        /// Which message, from 0.
        index: usize,
    },
}

/// Iterates over the messages of a batch body: total size 4, magic 4, CRC 4, flag 4, body length 4, body, properties length 2, properties.
///
/// Like Java's broker, it relies on the lengths of body and properties and ignores total size and CRC. Ends after the first error.
pub fn batch_items(bytes: &[u8]) -> impl Iterator<Item = Result<BatchItem<'_>, BatchError>> {
    let mut rest = FieldReader { bytes, at: 0 };
    let mut index = 0;
    std::iter::from_fn(move || {
        if rest.at >= rest.bytes.len() {
            return None;
        }
        let item = batch_item(&mut rest).map_err(|error| match error {
            RecordError::Text(_) => BatchError::Text { index },
            RecordError::Length(field) => BatchError::Length { index, field },
            _ => BatchError::Length { index, field: "message" },
        });
        if item.is_err() {
            rest.at = rest.bytes.len();
        }
        index += 1;
        Some(item)
    })
}

/// Appends one message of a batch to `out`, as a client does.
pub fn put_batch_item(out: &mut Vec<u8>, item: BatchItem<'_>) -> Result<(), DraftError> {
    if item.properties.len() > PROPERTIES_BYTES_MAX {
        return Err(DraftError::PropertiesTooLong(item.properties.len()));
    }
    if item.body.len() > BODY_BYTES_MAX {
        return Err(DraftError::BodyTooLong(item.body.len()));
    }
    let total = BATCH_ITEM_BYTES_MIN + item.body.len() + item.properties.len();
    out.reserve(total);
    out.extend_from_slice(&(total as i32).to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&item.flag.to_be_bytes());
    out.extend_from_slice(&(item.body.len() as i32).to_be_bytes());
    out.extend_from_slice(item.body);
    out.extend_from_slice(&(item.properties.len() as u16).to_be_bytes());
    out.extend_from_slice(item.properties.as_bytes());
    Ok(())
}

fn batch_item<'a>(rest: &mut FieldReader<'a>) -> Result<BatchItem<'a>, RecordError> {
    rest.take(12, "message")?;
    let flag = rest.int("flag")?;
    let body_len = usize::try_from(rest.int("body")?).map_err(|_| RecordError::Length("body"))?;
    let body = rest.take(body_len, "body")?;
    let properties_len = rest.short("properties")?;
    let properties = text(rest.take(properties_len, "properties")?, "properties")?;
    Ok(BatchItem { flag, body, properties })
}

const BATCH_ITEM_BYTES_MIN: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_batch_tells_where_it_breaks() {
        let mut bytes = Vec::new();
        put_batch_item(&mut bytes, BatchItem { flag: 1, body: b"one", properties: "a\u{1}b" }).expect("fits");
        put_batch_item(&mut bytes, BatchItem { flag: 2, body: b"", properties: "" }).expect("fits");
        assert_eq!(batch_items(&bytes).filter_map(Result::ok).map(|item| item.flag).collect::<Vec<_>>(), [1, 2]);
        let cut = batch_items(&bytes[..bytes.len() - 1]).last();
        assert_eq!(cut, Some(Err(BatchError::Length { index: 1, field: "properties" })));
        bytes[16..20].copy_from_slice(&(-5_i32).to_be_bytes());
        let errors = batch_items(&bytes).collect::<Vec<_>>();
        assert_eq!(errors, [Err(BatchError::Length { index: 0, field: "body" })]);
    }

    proptest! {
        #[test]
        fn batches_come_back(items in prop::collection::vec((any::<i32>(), prop::collection::vec(any::<u8>(), 0..50), ".{0,20}"), 0..6)) {
            let mut bytes = Vec::new();
            for (flag, body, properties) in &items {
                put_batch_item(&mut bytes, BatchItem { flag: *flag, body, properties }).expect("fits");
            }
            let back = batch_items(&bytes).map(|item| item.expect("reads")).map(|i| (i.flag, i.body.to_vec(), i.properties.to_owned()));
            prop_assert_eq!(back.collect::<Vec<_>>(), items);
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(batch_items(&bytes).count() <= bytes.len() / BATCH_ITEM_BYTES_MIN + 1);
        }
    }
}
