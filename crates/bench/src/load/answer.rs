//! Is the answer to a send what it must be?

use roxmq_protocol::code;
use roxmq_protocol::header::Header;

/// The queue offset in an answer, if everything in it is as it must be.
///
/// # Errors
/// What is wrong with it.
pub fn stored_at(header: &Header<'_>, queue: u32, batch: u64) -> Result<i64, String> {
    if header.code != code::SUCCESS {
        let remark = header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default();
        return Err(format!("code {}: {}", header.code, remark.chars().take(80).collect::<String>()));
    }
    let number = |name: &str| header.fields.text(name).and_then(|text| text.parse::<i64>().ok());
    if number("queueId") != Some(i64::from(queue)) {
        return Err("answer names another queue".into());
    }
    let ids = header.fields.text("msgId").unwrap_or_default();
    let is_id = |id: &str| matches!(id.len(), 32 | 56) && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !ids.split(',').all(is_id) || ids.split(',').count() as u64 != batch {
        return Err("msgId is not what it must be".into());
    }
    number("queueOffset").filter(|offset| *offset >= 0).ok_or_else(|| "queueOffset is missing".into())
}
