//! What do the bits of a record's `sys_flag` say (`MessageSysFlag`)?

use super::layout::{SYS_FLAG_AT, int_at};

/// The body is compressed.
pub const COMPRESSED: i32 = 0x1;
/// The message has several tags.
pub const MULTI_TAGS: i32 = 0x2;
/// The two bits that say what part the message plays in a transaction.
pub const TRANSACTION_MASK: i32 = 0xC;
/// Not transactional.
pub const TRANSACTION_NOT: i32 = 0x0;
/// A half message.
pub const TRANSACTION_PREPARED: i32 = 0x4;
/// A committed message.
pub const TRANSACTION_COMMIT: i32 = 0x8;
/// A rolled back message.
pub const TRANSACTION_ROLLBACK: i32 = 0xC;
/// The born host is an IPv6 address.
pub const BORN_HOST_V6: i32 = 0x10;
/// The store host is an IPv6 address.
pub const STORE_HOST_V6: i32 = 0x20;
/// The consumer has to unwrap an inner batch.
pub const NEED_UNWRAP: i32 = 0x40;
/// The body is an inner batch.
pub const INNER_BATCH: i32 = 0x80;
/// The bits that say how the body is compressed, if it is.
pub const COMPRESSION_MASK: i32 = 0x700;
/// LZ4 frame.
pub const COMPRESSION_LZ4: i32 = 0x100;
/// ZSTD frame.
pub const COMPRESSION_ZSTD: i32 = 0x200;
/// Deflate with a zlib header; so is 0, which older clients write.
pub const COMPRESSION_ZLIB: i32 = 0x300;

/// The bits that say what the body is.
pub const OF_BODY: i32 = COMPRESSED | COMPRESSION_MASK | NEED_UNWRAP | INNER_BATCH;

/// The transaction bits of `flag`.
pub fn transaction(flag: i32) -> i32 {
    flag & TRANSACTION_MASK
}

/// `flag` with its transaction bits replaced.
pub fn with_transaction(flag: i32, transaction: i32) -> i32 {
    (flag & !TRANSACTION_MASK) | (transaction & TRANSACTION_MASK)
}

/// The sys flag of a record.
///
/// # Panics
/// If `record` is shorter than a record.
pub fn of(record: &[u8]) -> i32 {
    int_at(record, SYS_FLAG_AT)
}
