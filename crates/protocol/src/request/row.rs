//! How is a request documented?

use crate::header::Fields;

/// One row of the table that `docs/requests.md` is made from.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Request code.
    pub code: i32,
    /// Java's name for it.
    pub name: &'static str,
    /// The declaration's fields.
    pub fields: &'static str,
    /// The answer's type.
    pub reply: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Its subject: `Cluster`, `Body`, or the kinds of resources that its fields name.
    pub about: &'static [&'static str],
    /// Can the request be read from these fields?
    pub reads: fn(&Fields<'_>) -> bool,
}

impl Row {
    /// The names of the fields on the wire: `name?` for optional ones, `name=x` for those with a default.
    pub fn wire_fields(&self) -> Vec<String> {
        // The declaration as the compiler prints it; line breaks mean nothing.
        let declared = self.fields.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut names = Vec::new();
        for field in declared.split(',').filter(|field| field.contains(':')) {
            let Some((_, rest)) = field.split_once('=') else { continue };
            let (quoted, default) = rest.split_once(" or ").map_or((rest, None), |(name, default)| (name, Some(plain(default.trim()))));
            let name = quoted.trim().trim_matches('"');
            names.push(match default {
                Some(default) => format!("{name}={default}"),
                None if field.contains("Option<") => format!("{name}?"),
                None => name.to_owned(),
            });
        }
        if names.is_empty() && !self.fields.trim().is_empty() { vec![self.fields.to_owned()] } else { names }
    }
}

/// A default without its type.
fn plain(default: &str) -> &str {
    match default {
        "Timestamp::MAX" => "max",
        number => number.strip_prefix("Timestamp(").and_then(|number| number.strip_suffix(')')).unwrap_or(number),
    }
}
