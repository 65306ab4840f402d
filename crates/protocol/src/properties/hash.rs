//! How does Java hash tags and keys?

/// Java's `String.hashCode`: `31 * h + unit` over the UTF-16 units, wrapping at 32 bits.
pub fn java_hash(text: &str) -> i32 {
    java_hash_onto(0, text)
}

/// Continues a [`java_hash`], so that a joined string need not be built.
pub fn java_hash_onto(hash: i32, text: &str) -> i32 {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    if text.is_ascii() { text.bytes().fold(hash, |hash, byte| step(hash, u16::from(byte))) } else { text.encode_utf16().fold(hash, step) }
}

/// The tag hash of a `TAGS` value as a consume queue stores it; 0 for an empty one.
pub fn tags_code(tags: &str) -> i64 {
    i64::from(java_hash(tags))
}

/// Java's hash of an index key (`IndexFile.indexKeyHashMethod`): of `topic#key`, made positive.
pub fn java_index_hash(topic: &str, key: &str) -> i32 {
    let hash = java_hash_onto(java_hash_onto(java_hash(topic), "#"), key);
    hash.checked_abs().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_java_does() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("TagA"), 2_598_919);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("中文"), 646_394);
        assert_eq!(java_hash("😀"), 0xd83d * 31 + 0xde00);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(java_index_hash("a", "b"), java_hash("a#b").abs());
        assert_eq!(tags_code("polygenelubricants"), i64::from(i32::MIN));
    }
}
