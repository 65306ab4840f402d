//! Are all dependencies used, in one version, with a version in one place, and under a license that allows it?
//!
//! `deny.toml` says which licenses are allowed. Advisories need the network; `cargo deny` looks for those.

use super::tokens::{Token, tokens};
use super::workspace::{Package, Workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// Compares the manifests with the names in the sources.
pub fn check(workspace: &Workspace) -> Result<(), String> {
    let mut wrong = String::new();
    for package in workspace.ours() {
        unused(package, &mut wrong)?;
        let manifest = package.folder.join("Cargo.toml");
        for line in own_versions(&read(&manifest)?) {
            let _ = writeln!(wrong, "{}: {line}: the version belongs into [workspace.dependencies]", package.name);
        }
    }
    let named: BTreeSet<&str> =
        workspace.ours().flat_map(|package| &package.dependencies).map(|dependency| dependency.name.as_str()).collect();
    for name in dependency_lines(&read(&workspace.root.join("Cargo.toml"))?).map(name_of).filter(|name| !named.contains(name)) {
        let _ = writeln!(wrong, "{name} is in [workspace.dependencies], and no crate depends on it");
    }
    duplicates(&workspace.packages, &mut wrong);
    let deny = read(&workspace.root.join("deny.toml"))?;
    let allowed = allowed_licenses(&deny);
    for package in workspace.packages.iter().filter(|package| !is_allowed(&package.license, &allowed)) {
        let _ =
            writeln!(wrong, "{} {} has the license {:?}, which deny.toml does not allow", package.name, package.version, package.license);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// A dependency has to be named below `src`, one for tests anywhere.
fn unused(package: &Package, wrong: &mut String) -> Result<(), String> {
    let mut shipped = BTreeSet::new();
    names_below(&package.folder.join("src"), &mut shipped)?;
    let mut all = shipped.clone();
    for folder in ["tests", "benches", "examples", "fuzz_targets"] {
        names_below(&package.folder.join(folder), &mut all)?;
    }
    for dependency in &package.dependencies {
        let name = dependency.name.replace('-', "_");
        let _ = match (all.contains(&name), shipped.contains(&name)) {
            (false, _) => writeln!(wrong, "{} depends on {} and does not use it", package.name, dependency.name),
            (true, false) if !dependency.is_for_tests => {
                writeln!(wrong, "{} uses {} in tests alone: it belongs into [dev-dependencies]", package.name, dependency.name)
            }
            (true, _) => Ok(()),
        };
    }
    Ok(())
}

fn names_below(folder: &Path, names: &mut BTreeSet<String>) -> Result<(), String> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            names_below(&path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(tokens(&read(&path)?).into_iter().filter_map(|token| match token {
                Token::Ident(name) => Some(name),
                Token::Punct(_) | Token::Literal => None,
            }));
        }
    }
    Ok(())
}

/// The lines of all tables of dependencies in a manifest.
fn dependency_lines(manifest: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().map(str::trim).filter(move |line| {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
            return false;
        }
        inside && !line.is_empty() && !line.starts_with('#')
    })
}

fn name_of(line: &str) -> &str {
    line.split(['.', '=', ' ']).next().unwrap_or_default()
}

/// Lines of a manifest that do not take the version of the workspace.
fn own_versions(manifest: &str) -> Vec<&str> {
    dependency_lines(manifest).filter(|line| !line.replace(' ', "").contains("workspace=true")).collect()
}

fn duplicates(packages: &[Package], wrong: &mut String) {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        let _ = writeln!(wrong, "{name} is compiled in {} versions: {}", versions.len(), versions.join(", "));
    }
}

/// The texts of the list `allow` in `deny.toml`.
fn allowed_licenses(deny: &str) -> BTreeSet<&str> {
    let list = deny.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).collect()
}

/// May it be used? `A/B` is an old form of `A OR B`.
fn is_allowed(license: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = license.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(&words, &mut at, allowed) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut is_fine = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        is_fine |= all_of(words, at, allowed);
    }
    is_fine
}

fn all_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut is_fine = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        is_fine &= one(words, at, allowed);
    }
    is_fine
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word != "(" {
        return allowed.contains(word.replace("+WITH+", " WITH ").as_str());
    }
    let is_fine = any_of(words, at, allowed);
    let closes = words.get(*at) == Some(&")");
    *at += 1;
    is_fine && closes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licenses_are_expressions() {
        let allowed = allowed_licenses("[licenses]\nallow = [\n  \"MIT\", \"A WITH x\",\n  \"U-3.0\"\n]\nother = [\"B\"]");
        let check = |license| is_allowed(license, &allowed);
        assert!(check("MIT") && check("MIT/B") && check("B OR MIT") && check("A WITH x OR B") && check("(MIT OR B) AND U-3.0"));
        assert!(!check("") && !check("B") && !check("MIT AND B") && !check("(MIT OR B) AND B") && !check("A") && !check("(MIT"));
    }

    #[test]
    fn versions_are_the_workspaces() {
        let manifest = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"x\"] }\n\
                        # c\nd = \"1\"\n[dev-dependencies]\ne = { path = \"../e\" }\n[lints]\nworkspace = true\nf = 1";
        assert_eq!(own_versions(manifest), ["d = \"1\"", "e = { path = \"../e\" }"]);
        assert_eq!(dependency_lines(manifest).map(name_of).collect::<Vec<_>>(), ["a", "b", "d", "e"]);
    }
}
