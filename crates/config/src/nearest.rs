//! Which known name did somebody mean who wrote an unknown one?

/// The name of `known` with the smallest edit distance to `written` (case does not count), if at most a third of it differs.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower: Vec<char> = written.chars().take(NAME_CHARS_MAX).flat_map(char::to_lowercase).collect();
    known
        .map(|name| (distance(&lower, &name.to_lowercase().chars().collect::<Vec<_>>()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance * 3 <= lower.len())
        .map(|(_, name)| name)
}

/// Insertions, deletions and replacements that turn `from` into `to` (Levenshtein).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, char) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(char != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
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
        assert_eq!(distance(&['a', 'b', 'c'], &['b', 'c', 'd']), 2);
    }
}
