//! Which offset is in a file's name?

use roxmq_protocol::position::LogOffset;

/// Twenty digits, so that names sort as numbers do; as Java names its files.
pub(crate) fn name_of(offset: LogOffset) -> String {
    format!("{:020}", offset.0)
}

/// The offset in a file name, if it is one.
pub(crate) fn offset_in(name: &str) -> Option<LogOffset> {
    (name.len() == 20 && name.bytes().all(|digit| digit.is_ascii_digit())).then(|| name.parse().ok().map(LogOffset))?
}
