//! Do files import each other in circles, or from above?

use super::modules::Imports;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// As many files may import each other.
const FILES_MAX: usize = 3;

/// Compares the arrows of all crates with the rules.
pub fn check(crates: &[Imports]) -> Result<(), String> {
    let mut wrong = String::new();
    for imports in crates {
        for circle in circles_of(imports).iter().filter(|circle| circle.len() > FILES_MAX) {
            let _ = writeln!(wrong, "{} files import each other in a circle: {}", circle.len(), listed(circle));
            for ((from, to), names) in &imports.arrows {
                if circle.contains(from.as_str()) && circle.contains(to.as_str()) {
                    let _ = writeln!(wrong, "    {from} -> {to}: {}", listed(names));
                }
            }
        }
        for ((from, to), names) in imports.arrows.iter().filter(|((_, to), _)| imports.roots.contains(to)) {
            let _ = writeln!(wrong, "{from} imports {} from {to}, which is above it: name the module they are in", listed(names));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    names.join(", ")
}

/// The largest groups of files of which each reaches each other along arrows; a single file is none.
fn circles_of(imports: &Imports) -> Vec<BTreeSet<&str>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports.arrows.keys() {
        next.entry(from).or_default().push(to);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = next.keys().map(|&file| (file, reached(&next, file))).collect();
    let mut found: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
    for (&file, others) in &reach {
        if others.contains(file) {
            found.insert(others.iter().copied().filter(|other| reach.get(other).is_some_and(|back| back.contains(file))).collect());
        }
    }
    found.into_iter().collect()
}

fn reached<'a>(next: &BTreeMap<&'a str, Vec<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for &other in next.get(file).into_iter().flatten() {
            if seen.insert(other) {
                open.push(other);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(arrows: &[(&str, &str)]) -> Imports {
        let arrows = arrows.iter().map(|&(from, to)| ((from.to_owned(), to.to_owned()), BTreeSet::from(["X".to_owned()])));
        Imports { arrows: arrows.collect(), roots: BTreeSet::from(["lib".to_owned()]) }
    }

    #[test]
    fn circles_are_found_whole_and_apart() {
        let imports = imports(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("e", "d"), ("f", "a")]);
        assert_eq!(circles_of(&imports), [BTreeSet::from(["a", "b", "c"]), BTreeSet::from(["d", "e"])]);
    }

    #[test]
    fn three_may_and_four_may_not() {
        let three = imports(&[("a", "b"), ("b", "c"), ("c", "a"), ("lib", "a")]);
        let four = imports(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]);
        assert_eq!(check(&[three]), Ok(()));
        let wrong = check(&[four]).expect_err("a circle");
        assert!(wrong.starts_with("4 files import each other in a circle: a, b, c, d\n    a -> b: X\n"), "{wrong}");
    }

    #[test]
    fn nothing_is_imported_from_the_root() {
        let wrong = "a imports X from lib, which is above it: name the module they are in\n";
        assert_eq!(check(&[imports(&[("a", "lib")])]), Err(wrong.to_owned()));
    }
}
