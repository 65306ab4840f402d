//! Which offset does a file name say?

/// Twenty digits, so that names sort as numbers do; as Java names its files.
pub(crate) fn name_of(offset: i64) -> String {
    format!("{offset:020}")
}

/// The offset in a file name, if it is one.
pub(crate) fn offset_in(name: &str) -> Option<i64> {
    (name.len() == 20 && name.bytes().all(|digit| digit.is_ascii_digit())).then(|| name.parse().ok())?
}
