//! A script, read: its lines in their order, without the answers.

use roxmq_protocol::batch_body::{BatchItem, put_batch_item};
use std::collections::BTreeSet;
use std::iter::Peekable;

/// A script without its answers.
pub struct Script {
    pub(crate) lines: Vec<Line>,
}

/// A line, or a request with its body.
pub(crate) enum Line {
    /// A remark, or an empty line.
    Remark(String),
    /// Something that happens.
    Step(Step),
}

/// Something that happens in a script.
pub struct Step {
    /// The line's first word: what kind of step.
    pub sign: String,
    /// The rest of the line.
    pub rest: String,
    /// The body of a request.
    pub body: Vec<u8>,
    /// As it stands in the script.
    pub(crate) text: String,
}

impl Script {
    /// Reads a script.
    pub fn read(text: &str) -> Script {
        let mut rest = text.lines().filter(|line| !line.starts_with("< ")).peekable();
        let mut lines = Vec::new();
        while let Some(line) = rest.next() {
            lines.push(match line.split_once(' ') {
                None | Some(("#", _)) => Line::Remark(line.to_owned()),
                Some((sign, words)) => Line::Step(Step::read(line, sign, words, &mut rest)),
            });
        }
        Script { lines }
    }

    /// What stands behind `# start ` in all lines that begin so.
    pub fn noted<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.lines.iter().filter_map(move |line| match line {
            Line::Remark(text) => text.strip_prefix("# ")?.strip_prefix(start)?.strip_prefix(' '),
            Line::Step(_) => None,
        })
    }

    /// The codes of the requests in it.
    pub(crate) fn codes(&self) -> BTreeSet<i32> {
        let steps = self.lines.iter().filter_map(|line| match line {
            Line::Step(step) if step.sign.starts_with('>') => Some(step),
            _ => None,
        });
        steps.filter_map(|step| step.rest.split(' ').nth(1)?.trim_end_matches('!').parse().ok()).collect()
    }
}

impl Step {
    fn read<'a>(line: &str, sign: &str, words: &str, rest: &mut Peekable<impl Iterator<Item = &'a str>>) -> Step {
        let (mut text, mut body) = (format!("{line}\n"), Vec::new());
        while sign.starts_with('>')
            && let Some(next) = rest.next_if(|next| ["{", "[", "| ", "|* ", "- "].iter().any(|start| next.starts_with(start)))
        {
            add_to_body(next, &mut body);
            text.push_str(next);
            text.push('\n');
        }
        Step { sign: sign.to_owned(), rest: words.to_owned(), body, text }
    }
}

fn add_to_body(line: &str, body: &mut Vec<u8>) {
    match (line.strip_prefix("| "), line.strip_prefix("- ").and_then(|member| member.split_once(' '))) {
        (Some(text), _) => {
            body.extend_from_slice(if body.is_empty() { b"" } else { b"\n" });
            body.extend_from_slice(text.as_bytes());
        }
        (_, Some((properties, text))) => {
            let properties = properties.replace('=', "\u{1}").replace(';', "\u{2}");
            put_batch_item(body, BatchItem { flag: 0, body: text.as_bytes(), properties: &properties }).unwrap();
        }
        _ => match line.strip_prefix("|* ") {
            Some(count) => body.resize(body.len() + count.parse::<usize>().unwrap(), b'x'),
            None => body.extend_from_slice(line.as_bytes()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_its_lines_without_the_answers() {
        let script = Script::read("# set key=value\n\n> a 17! topic=T\n| one\n| two\n< 0\n>> b 25\n{\"n\":1}\n< {}\n* 5\n|* 3\n");
        let shown = script.lines.iter().map(|line| match line {
            Line::Remark(text) => format!("{text}\n"),
            Line::Step(step) => format!("({}) ({}) {:?}\n", step.sign, step.rest, String::from_utf8_lossy(&step.body)),
        });
        let shown: String = shown.collect();
        assert_eq!(
            shown,
            "# set key=value\n\n(>) (a 17! topic=T) \"one\\ntwo\"\n(>>) (b 25) \"{\\\"n\\\":1}\"\n(*) (5) \"\"\n(|*) (3) \"\"\n"
        );
        assert_eq!(script.noted("set").collect::<Vec<_>>(), ["key=value"]);
        assert_eq!(script.codes(), [17, 25].into());
    }
}
