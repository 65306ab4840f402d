//! How do Java's properties files read and write?
//!
//! The text format of `java.util.Properties`: `key=value`, `key:value` or `key value` a line, comments from `#` or `!`, a backslash at
//! the end of a line continues it, `\t \n \r \f \uXXXX` are escapes and any other escaped character stands for itself. `broker.conf`,
//! the bodies of UPDATE_BROKER_CONFIG and GET_BROKER_CONFIG, and their NameServer twins are written in it.

use std::fmt::Write as _;

/// One `key=value` of a properties text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, unescaped.
    pub key: String,
    /// The value, unescaped; without blanks before it, with those after it, as in Java.
    pub value: String,
    /// The line on which the entry starts, from 1.
    pub line: usize,
}

/// An incomplete escape: the only way in which a properties text can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u must be followed by four hexadecimal digits")]
pub struct BadEscape {
    /// The line on which the entry starts, from 1.
    pub line: usize,
}

/// The entries of `text` in the order in which they stand; a key that stands twice is returned twice (the last one counts).
pub fn parse(text: &str) -> Result<Vec<Entry>, BadEscape> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    logical_lines(text)
        .into_iter()
        .map(|(line, content)| {
            let (raw_key, raw_value) = split(&content);
            Ok(Entry { key: unescape(raw_key, line)?, value: unescape(raw_value, line)?, line })
        })
        .collect()
}

/// `key=value\n` with everything escaped that [`parse`], or Java reading the text byte by byte as Latin-1, would misread.
pub fn print(key: &str, value: &str) -> String {
    let mut line = String::with_capacity(key.len() + value.len() + 2);
    escape(key, true, &mut line);
    line.push('=');
    escape(value, false, &mut line);
    line.push('\n');
    line
}

/// `text` with the values of `changes` in it: the entry of a key that is there is replaced (a repeated one is removed), others are
/// added at the end. Comments and all other lines stay as they are.
pub fn merge(text: &str, changes: &[(&str, String)]) -> Result<String, BadEscape> {
    let mut written = vec![false; changes.len()];
    let mut merged = String::with_capacity(text.len() + 64);
    for (first, last, entry) in spans(text)? {
        let change = entry.and_then(|key| changes.iter().position(|(changed, _)| *changed == key));
        match change {
            None => {
                for line in text.lines().skip(first).take(last - first) {
                    merged.push_str(line);
                    merged.push('\n');
                }
            }
            Some(at) if written[at] => {}
            Some(at) => {
                written[at] = true;
                merged.push_str(&print(changes[at].0, &changes[at].1));
            }
        }
    }
    if text.lines().last().is_some_and(is_continued) {
        // An empty line ends the continuation, or the first added line would become part of the value.
        merged.push('\n');
    }
    for (at, (key, value)) in changes.iter().enumerate() {
        if !written[at] {
            merged.push_str(&print(key, value));
        }
    }
    Ok(merged)
}

/// Natural lines of `text` grouped as `(first, end, key)`: an entry with its continuation lines, or a single other line.
fn spans(text: &str) -> Result<Vec<(usize, usize, Option<String>)>, BadEscape> {
    let total = text.lines().count();
    let entries = parse(text)?;
    let mut spans = Vec::new();
    let mut at = 0;
    for entry in entries {
        let first = entry.line - 1;
        spans.extend((at..first).map(|line| (line, line + 1, None)));
        let continued = text.lines().skip(first).take_while(|line| is_continued(line)).count();
        at = (first + continued + 1).min(total);
        spans.push((first, at, Some(entry.key)));
    }
    spans.extend((at..total).map(|line| (line, line + 1, None)));
    Ok(spans)
}

/// Lines with their continuations joined, without comments and blank lines, each with its first line's number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut logical: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, natural) in text.lines().enumerate() {
        let content = natural.trim_start_matches(BLANKS);
        if !open && (content.is_empty() || content.starts_with(['#', '!'])) {
            continue;
        }
        let continued = is_continued(content);
        let content = if continued { &content[..content.len() - 1] } else { content };
        if !open && content.is_empty() {
            // A backslash alone continues nothing: the next line is a line of its own, perhaps a comment.
            continue;
        }
        match logical.last_mut() {
            Some((_, joined)) if open => joined.push_str(content),
            _ => logical.push((index + 1, content.to_owned())),
        }
        open = continued;
    }
    logical
}

fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value of a logical line, still escaped. The key ends at the first unescaped `=`, `:` or blank.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let key_end = line
        .char_indices()
        .find(|(_, char)| {
            let ends = !escaped && (matches!(char, '=' | ':') || BLANKS.contains(char));
            escaped = *char == '\\' && !escaped;
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let rest = line[key_end..].trim_start_matches(BLANKS);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..key_end], value.trim_start_matches(BLANKS))
}

fn unescape(raw: &str, line: usize) -> Result<String, BadEscape> {
    // Java chars are UTF-16 units, so a character outside the first plane is written as two escapes.
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut buffer = [0; 2];
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        let plain = match char {
            '\\' => match chars.next() {
                None => break,
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let complete = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| complete);
                    units.push(unit.ok_or(BadEscape { line })?);
                    continue;
                }
                Some(other) => other,
            },
            plain => plain,
        };
        units.extend_from_slice(plain.encode_utf16(&mut buffer));
    }
    Ok(String::from_utf16_lossy(&units))
}

fn escape(text: &str, is_key: bool, line: &mut String) {
    for (at, char) in text.char_indices() {
        match char {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\u{c}' => line.push_str("\\f"),
            ' ' if is_key || at == 0 => line.push_str("\\ "),
            '=' | ':' | '#' | '!' if is_key => {
                line.push('\\');
                line.push(char);
            }
            ' '..='~' => line.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(line, "\\u{unit:04X}");
                }
            }
        }
    }
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    #[test]
    fn reads_what_java_reads() {
        let expected = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        for (text, list) in [
            ("a=b", &[("a", "b")][..]),
            ("  a = b ", &[("a", "b ")]),
            ("a:b\r\nc d\n", &[("a", "b"), ("c", "d")]),
            ("a\t=\tb", &[("a", "b")]),
            ("a==b", &[("a", "=b")]),
            ("a = : b", &[("a", ": b")]),
            ("# no\n ! no\n\n   \na=#yes", &[("a", "#yes")]),
            ("a=1,\\\n   2,\\\n   3\nb=4", &[("a", "1,2,3"), ("b", "4")]),
            ("a=one\\\\\nb=two", &[("a", "one\\"), ("b", "two")]),
            ("a=x\\\n# part of it", &[("a", "x# part of it")]),
            ("a\\=b\\ c=d\\:e", &[("a=b c", "d:e")]),
            ("a=C:\\\\store\\\\log", &[("a", "C:\\store\\log")]),
            ("a=\\u4e2d\\u6587 \\ud83d\\ude00", &[("a", "中文 😀")]),
            ("a=中文", &[("a", "中文")]),
            ("a=\\q\\t|", &[("a", "q\t|")]),
            ("alone\n", &[("alone", "")]),
            ("=value", &[("", "value")]),
            ("a=1\na=2", &[("a", "1"), ("a", "2")]),
            ("\u{feff}a=1", &[("a", "1")]),
            ("a=end\\", &[("a", "end")]),
            ("\\\n# no\na=1", &[("a", "1")]),
        ] {
            assert_eq!(pairs(text), expected(list), "{text:?}");
        }
    }

    #[test]
    fn names_the_line() {
        let lines: Vec<usize> = parse("#\na=1\n\nb=\\\n2\nc=3").unwrap().iter().map(|entry| entry.line).collect();
        assert_eq!(lines, [2, 4, 6]);
        assert_eq!(parse("a=1\nb=\\u12"), Err(BadEscape { line: 2 }));
        assert_eq!(parse("b=\\u+123"), Err(BadEscape { line: 1 }));
    }

    #[test]
    fn merging_touches_only_the_named_keys() {
        let before =
            "# my broker\nbrokerName = a\n\nfileReservedTime=48\nnamesrvAddr=\\\n  n1:9876;\\\n  n2:9876\nfileReservedTime=50\n! end";
        let after = merge(before, &[("fileReservedTime", "12".into()), ("namesrvAddr", "n3:9876".into()), ("x", " é".into())]);
        let expected = "# my broker\nbrokerName = a\n\nfileReservedTime=12\nnamesrvAddr=n3:9876\n! end\nx=\\ \\u00E9\n";
        assert_eq!(after.unwrap(), expected);
        assert_eq!(merge("", &[("a", "1".into())]).unwrap(), "a=1\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(key in "\\PC{1,12}", value in any::<String>()) {
            prop_assert_eq!(pairs(&print(&key, &value)), vec![(key, value)]);
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), value in any::<String>()) {
            let _ = parse(&text);
            if let Ok(merged) = merge(&text, &[("brokerName", value.clone())]) {
                let found: Vec<_> = parse(&merged).unwrap().into_iter().filter(|e| e.key == "brokerName").collect();
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(&found[0].value, &value);
            }
        }
    }
}
