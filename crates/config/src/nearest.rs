//! Which known name does an unknown one stand for?

/// The name of `known` with the smallest edit distance to `written` (case does not count), if at most a third of it differs.
pub(crate) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower: String = written.chars().take(NAME_CHARS_MAX).flat_map(char::to_lowercase).collect();
    let length = lower.chars().count();
    known
        .map(|name| (strsim::levenshtein(&lower, &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance * 3 <= length)
        .map(|(_, name)| name)
}

/// Longer names are cut: what is compared comes from a file or from the network.
const NAME_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["listenPort", "brokerIP1", "brokerName", "fileReservedTime"];
        for (written, expected) in [
            ("listenport", Some("listenPort")),
            ("listenPorts", Some("listenPort")),
            ("brokerIp1", Some("brokerIP1")),
            ("fileReserveTime", Some("fileReservedTime")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known.into_iter()), expected, "{written}");
        }
    }
}
