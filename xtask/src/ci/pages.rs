//! Are the documents wrapped, and do the files exist that they link to and name?

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The widest line, as in STYLE.md. Rows of tables, code and words that cannot be broken may be wider.
const COLUMNS: usize = 100;

/// Looks through every document of the repository.
pub fn check(root: &Path) -> Result<(), String> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/decisions", "compat"] {
        pages_in(&root.join(folder), &mut pages)?;
    }
    let mut sources = Vec::new();
    for folder in ["crates", "xtask", "fuzz"] {
        sources_below(root, &root.join(folder), &mut sources)?;
    }
    let mut wrong = String::new();
    for page in &pages {
        let name = page.strip_prefix(root).unwrap_or(page).display().to_string();
        let text = std::fs::read_to_string(page).map_err(|error| format!("{name}: {error}"))?;
        let wide = wide_lines(&text);
        if let Some(first) = wide.first() {
            let _ = writeln!(wrong, "{name}:{first}: wider than {COLUMNS} columns ({} lines of this page are)", wide.len());
        }
        for file in named_sources(&text).filter(|file| !sources.iter().any(|source| is_named(source, file))) {
            let _ = writeln!(wrong, "{name} names {file}, which does not exist");
        }
        for link in links(&text) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            if !file.is_empty() && !file.contains(':') && !page.with_file_name("").join(file).exists() {
                let _ = writeln!(wrong, "{name} links to {link}, which does not exist");
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn pages_in(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<(), String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in entries {
        found.push(entry.map_err(|error| error.to_string())?.path());
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    pages.append(&mut found);
    Ok(())
}

/// All files of Rust, by their path without `src`: `crates/store/log/walk.rs`.
fn sources_below(root: &Path, folder: &Path, sources: &mut Vec<String>) -> Result<(), String> {
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            sources_below(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path.strip_prefix(root).unwrap_or(&path).display().to_string().replace("/src/", "/"));
        }
    }
    Ok(())
}

/// Is this file meant? Documents leave out `crates`, `src` and, where it is clear, the crate.
fn is_named(source: &str, file: &str) -> bool {
    format!("/{source}").ends_with(&format!("/{}", file.replace("/src/", "/")))
}

/// The names between backticks that are those of a file of Rust.
fn named_sources(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_path = |span: &&str| span.ends_with(".rs") && span.chars().all(|char| char.is_ascii_alphanumeric() || "_/.".contains(char));
    spans.filter(is_path)
}

/// The numbers of lines that are too wide.
fn wide_lines(text: &str) -> Vec<usize> {
    let mut in_code = false;
    let mut wide = Vec::new();
    for (number, line) in text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        let can_break = line.trim_start().trim_start_matches(['-', '>', '#', ' ']).contains(' ');
        let is_code = in_code || line.starts_with("    ");
        if !is_code && !line.starts_with('|') && can_break && line.chars().count() > COLUMNS {
            wide.push(number + 1);
        }
    }
    wide
}

/// The targets of `[text](link)`, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut links = Vec::new();
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        if !in_code {
            links.extend(line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)));
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_code_may_be_wide() {
        let wide = "word ".repeat(30);
        let page = format!("short\n{wide}\n| {wide} |\n```\n{wide}\n```\n    {wide}\n{}\n- {wide}", "x".repeat(150));
        assert_eq!(wide_lines(&page), [2, 9]);
    }

    #[test]
    fn files_are_named_in_short() {
        assert_eq!(named_sources("see `log/walk.rs` and `Log`,\n`*.rs`, `a b.rs` `lib.rs`").collect::<Vec<_>>(), ["log/walk.rs", "lib.rs"]);
        for file in ["walk.rs", "log/walk.rs", "store/log/walk.rs", "store/src/log/walk.rs", "crates/store/src/log/walk.rs"] {
            assert!(is_named("crates/store/log/walk.rs", file), "{file}");
        }
        assert!(!is_named("crates/store/log/walk.rs", "alk.rs") && !is_named("crates/store/log/walk.rs", "index/walk.rs"));
    }

    #[test]
    fn links_are_found() {
        assert_eq!(links("a [b](c.md#d) and [e](https://f)\n```\n[g](h)\n```\n| [i](j) |"), ["c.md#d", "https://f", "j"]);
    }
}
