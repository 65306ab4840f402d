//! How does the reference page describe a role's settings?

use std::fmt::Write as _;

use crate::java_keys::{JavaKeys, Stance};
use crate::table::{Change, Key, Table};

/// The settings of `C` as Markdown: a table for each section, with headings of the third level.
pub fn keys<C: Table>() -> String {
    let mut page = String::new();
    let defaults = C::default();
    let mut section = "";
    for key in C::keys() {
        if section != key.section {
            section = key.section;
            let _ = write!(page, "\n### {section}\n\n{TABLE_HEAD}");
        }
        let _ = writeln!(page, "{}", row(key, &defaults));
    }
    page
}

fn row<C: Table>(key: &Key<C>, defaults: &C) -> String {
    let default = match (key.default_shown, key.print(defaults)) {
        (Some(shown), _) => shown.to_owned(),
        (None, printed) if printed.is_empty() => String::new(),
        (None, printed) => format!("`{printed}`{}{}", if key.unit.is_empty() { "" } else { " " }, key.unit),
    };
    let change = match key.change {
        Change::Now => "now",
        Change::Restart => "restart",
        Change::NotYet => "no effect yet",
    };
    format!("| `{}` | {default} | {} | {change} | {} |", key.name, key.allowed(), key.doc)
}

/// The keys of Apache RocketMQ that are no settings, with the reasons: a paragraph for each group.
pub fn java_keys(groups: &[JavaKeys]) -> String {
    let mut page = String::new();
    for group in groups {
        let stance = match group.stance {
            Stance::Meaningless => "Ignored",
            Stance::NotServed => "Ignored with a warning",
            Stance::Refused => "Refused",
        };
        let names: Vec<String> = group.keys.iter().map(|(key, _)| format!("`{key}`")).collect();
        let _ = write!(page, "\n{}\n\n{}\n", wrapped(&format!("**{stance}: {}.**", group.reason)), wrapped(&names.join(", ")));
    }
    page
}

/// `text` in lines of at most [`COLUMNS`] characters.
fn wrapped(text: &str) -> String {
    let (mut lines, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > COLUMNS {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

/// How wide documents are.
const COLUMNS: usize = 100;

const TABLE_HEAD: &str = "\
| Key | Default | Allowed | Changes | What it does |
|---|---|---|---|---|
";
