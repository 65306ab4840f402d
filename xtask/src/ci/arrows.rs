//! Which crate may know which? ARCHITECTURE's table of crates says so; the manifests have to agree with it, in both directions.

use super::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Crates, and those that each may know; both without `roxmq-`.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Compares the table with the manifests.
pub fn check(workspace: &Workspace) -> Result<(), String> {
    let page = workspace.root.join("docs/ARCHITECTURE.md");
    let page = std::fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let ours: BTreeSet<&str> = workspace.ours().map(|package| package.name.as_str()).collect();
    let manifests = workspace.ours().map(|package| {
        let known = package.dependencies.iter().filter(|dependency| ours.contains(dependency.name.as_str()));
        (short(&package.name), known.map(|dependency| short(&dependency.name)).collect())
    });
    compare(&documented(&page)?, &manifests.collect())
}

/// The package of `crates/server` has the name of the program.
fn short(package: &str) -> String {
    if package == "roxmq" { "server".to_owned() } else { package.trim_start_matches("roxmq-").to_owned() }
}

/// The rows of the table: the crate is the first cell, those that it knows are the last, each name between backticks.
fn documented(page: &str) -> Result<Arrows, String> {
    let rows = page.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2).take_while(|line| line.starts_with('|'));
    let mut arrows = Arrows::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else { continue };
        for name in quoted(first) {
            arrows.insert(name, quoted(last));
        }
    }
    if arrows.is_empty() { Err("docs/ARCHITECTURE.md has no table that begins with | crate |".to_owned()) } else { Ok(arrows) }
}

fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn compare(documented: &Arrows, manifests: &Arrows) -> Result<(), String> {
    let mut wrong = String::new();
    let none = BTreeSet::new();
    for (name, known) in manifests {
        let Some(allowed) = documented.get(name) else {
            let _ = writeln!(wrong, "{name} is not in the table of crates in docs/ARCHITECTURE.md");
            continue;
        };
        for other in known.difference(allowed) {
            let _ = writeln!(wrong, "{name} depends on {other}, which docs/ARCHITECTURE.md does not allow");
        }
    }
    for (name, allowed) in documented {
        for other in allowed.difference(manifests.get(name).unwrap_or(&none)) {
            let _ = writeln!(wrong, "docs/ARCHITECTURE.md says that {name} knows {other}, but it does not depend on it");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
text
| crate | question | knows |
|---|---|---|
| `env` | What? `env/disk` | nothing |
| `store` | Where? | `env` |
| `server` | Who? | `env`, `store` |

| other | table | `here` |
";

    fn arrows(lines: &[(&str, &[&str])]) -> Arrows {
        lines.iter().map(|(name, known)| ((*name).to_owned(), known.iter().map(|known| (*known).to_owned()).collect())).collect()
    }

    #[test]
    fn the_table_is_read() {
        let read = documented(PAGE).expect("a table");
        assert_eq!(read, arrows(&[("env", &[]), ("store", &["env"]), ("server", &["env", "store"])]));
        assert_eq!(compare(&read, &read), Ok(()));
        assert!(documented("no table").is_err());
    }

    #[test]
    fn arrows_that_are_new_or_gone_are_named() {
        let read = documented(PAGE).expect("a table");
        let manifests = arrows(&[("env", &["store"]), ("store", &[]), ("server", &["env", "store"]), ("tool", &[])]);
        assert_eq!(
            compare(&read, &manifests).expect_err("wrong").lines().collect::<Vec<_>>(),
            [
                "env depends on store, which docs/ARCHITECTURE.md does not allow",
                "tool is not in the table of crates in docs/ARCHITECTURE.md",
                "docs/ARCHITECTURE.md says that store knows env, but it does not depend on it",
            ]
        );
    }
}
