//! Which file of a crate imports which? Paths are followed through modules and `use`s, to the file in which the name is written.
//!
//! A module that re-exports names of its own folder (`pub use child::Name`, `pub use child::*`) does not import them: it is their door.
//! Imports from `lib.rs` and `main.rs` are not followed: below them a name is taken from its module. A macro for other crates may take it
//! from there.

use super::imports::{self, Source};
use super::tokens::tokens;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The arrows of a crate: from a file, to a file, and the names that tie them. Files are relative to the repository.
#[derive(Debug, Default)]
pub struct Imports {
    /// Never from a file to itself.
    pub arrows: BTreeMap<(String, String), BTreeSet<String>>,
    /// `lib.rs` and `main.rs`.
    pub roots: BTreeSet<String>,
}

/// Reads the sources of the crate in this folder, as far as they are compiled outside of tests.
pub fn of_crate(repository: &Path, folder: &Path) -> Result<Imports, String> {
    let mut imports = Imports::default();
    for root in ["lib.rs", "main.rs"] {
        let file = folder.join("src").join(root);
        if file.is_file() {
            let mut tree = Tree::default();
            tree.load(repository, &file, Vec::new(), &folder.join("src"))?;
            imports.roots.insert(shown(repository, &file));
            tree.arrows(&mut imports.arrows);
        }
    }
    Ok(imports)
}

/// Names that modules have from elsewhere; all paths are from the root.
#[derive(Default)]
struct Uses {
    named: BTreeMap<Vec<String>, Vec<String>>,
    /// Modules of which a module has all that is in them.
    globs: BTreeMap<Vec<String>, Vec<Vec<String>>>,
}

/// The modules below one root.
#[derive(Default)]
struct Tree {
    /// The file that each module is in.
    modules: BTreeMap<Vec<String>, String>,
    /// Each file's contents, and the module it is.
    files: Vec<(String, Vec<String>, Source)>,
    /// All items, by their path.
    defined: BTreeSet<Vec<String>>,
}

impl Tree {
    /// Reads the file of a module, whose own modules are in `below`, and the files of those.
    fn load(&mut self, repository: &Path, file: &Path, module: Vec<String>, below: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let source = imports::read(&tokens(&text));
        let name = shown(repository, file);
        self.modules.insert(module.clone(), name.clone());
        for inline in &source.inline {
            self.modules.insert([module.as_slice(), inline].concat(), name.clone());
        }
        for (inside, child) in &source.declared {
            let folder = below.join(inside.iter().collect::<PathBuf>());
            let (flat, nested) = (folder.join(format!("{child}.rs")), folder.join(child).join("mod.rs"));
            let path = [module.as_slice(), inside, std::slice::from_ref(child)].concat();
            let child_file = if flat.is_file() { flat } else { nested };
            self.load(repository, &child_file, path, &folder.join(child))?;
        }
        self.defined.extend(source.defined.iter().map(|(inside, item)| [module.as_slice(), inside, std::slice::from_ref(item)].concat()));
        self.files.push((name, module, source));
        Ok(())
    }

    fn arrows(&self, arrows: &mut BTreeMap<(String, String), BTreeSet<String>>) {
        let macros: BTreeMap<&str, &str> = self
            .files
            .iter()
            .flat_map(|(file, _, source)| source.exported_macros.iter().map(move |name| (name.as_str(), file.as_str())))
            .collect();
        let uses = self.uses();
        for (file, module, source) in &self.files {
            for path in &source.paths {
                let here = [module.as_slice(), &path.inside].concat();
                let Some(absolute) = self.absolute(&here, &path.segments, &uses, path.alias.is_some()) else { continue };
                let target = self.followed(absolute, &uses);
                let named = self.module_of(&target);
                // A module's name alone imports nothing; paths that begin with it do.
                let names_a_module = named == target.len() && path.alias.as_deref().is_some_and(|alias| alias != "*");
                let is_door = path.is_public && target.starts_with(&here);
                if names_a_module || is_door {
                    continue;
                }
                let name = target.get(named).map_or("*", String::as_str);
                let to = match macros.get(name) {
                    Some(&to) if named == 0 => to,
                    _ => &self.modules[&target[..named]],
                };
                if to != file {
                    arrows.entry((file.clone(), to.to_owned())).or_default().insert(name.to_owned());
                }
            }
        }
    }

    /// The names that the `use`s of each module give, from the root.
    fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        for (_, module, source) in &self.files {
            for path in &source.paths {
                let here = [module.as_slice(), &path.inside].concat();
                if let (Some(alias), Some(absolute)) = (&path.alias, self.absolute(&here, &path.segments, &Uses::default(), true)) {
                    if alias == "*" {
                        uses.globs.entry(here).or_default().push(absolute);
                        continue;
                    }
                    uses.named.insert([here.as_slice(), std::slice::from_ref(alias)].concat(), absolute);
                }
            }
        }
        uses
    }

    /// Where a name is written that a module has from elsewhere.
    fn followed(&self, mut path: Vec<String>, uses: &Uses) -> Vec<String> {
        // A circle of `use`s does not compile; the bound is for sources that are being written.
        for _ in 0..16 {
            let named = self.module_of(&path);
            let Some(name) = path.get(..=named).filter(|_| named > 0) else { break };
            let Some(next) = uses.named.get(name).cloned().or_else(|| self.through_glob(name, uses)) else { break };
            path = [next.as_slice(), &path[named + 1..]].concat();
        }
        path
    }

    /// The name in the module that a `use module::*` has it from.
    fn through_glob(&self, name: &[String], uses: &Uses) -> Option<Vec<String>> {
        let (last, module) = name.split_last()?;
        if self.defined.contains(name) {
            return None;
        }
        let globs = uses.globs.get(module)?.iter().map(|glob| [glob.as_slice(), std::slice::from_ref(last)].concat());
        globs.into_iter().find(|path| self.defined.contains(path))
    }

    /// The path from the root of the crate; `None` for one into another crate, a type or a variable.
    fn absolute(&self, here: &[String], segments: &[String], uses: &Uses, is_use: bool) -> Option<Vec<String>> {
        let (first, rest) = segments.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "$crate" => match uses.named.get(rest.get(..1)?) {
                Some(written) => Some([written.as_slice(), &rest[1..]].concat()),
                None => Some(rest.to_vec()),
            },
            "self" => Some([here, rest].concat()),
            "super" => {
                let more = rest.iter().take_while(|segment| *segment == "super").count();
                let above = here.len().checked_sub(1 + more)?;
                Some([&here[..above], &rest[more..]].concat())
            }
            name => {
                let child = [here, &[name.to_owned()]].concat();
                if self.modules.contains_key(&child) {
                    return Some([child.as_slice(), rest].concat());
                }
                // A `use` beside, in this module or (of a function) around it. Types and variables have none that leads to a module.
                let used = uses.named.get(&child).filter(|used| !is_use && self.module_of(used) == used.len())?;
                Some([used.as_slice(), rest].concat())
            }
        }
    }

    /// How many names of a path are modules?
    fn module_of(&self, path: &[String]) -> usize {
        (0..=path.len()).rev().find(|&length| self.modules.contains_key(&path[..length])).unwrap_or(0)
    }
}

fn shown(repository: &Path, file: &Path) -> String {
    file.strip_prefix(repository).unwrap_or(file).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate with these files, below `src`; which arrows has it?
    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let folder = std::env::temp_dir().join(format!("roxmq-ci-{}-{:x}", std::process::id(), fastrand::u64(..)));
        for (name, text) in files {
            let file = folder.join("src").join(name);
            std::fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        }
        let imports = of_crate(&folder, &folder).expect("a crate");
        std::fs::remove_dir_all(&folder).expect("the folder goes");
        let short = |file: &str| file.trim_start_matches("src/").to_owned();
        imports
            .arrows
            .iter()
            .map(|((from, to), names)| format!("{} -> {}: {}", short(from), short(to), names.iter().cloned().collect::<Vec<_>>().join(" ")))
            .collect()
    }

    #[test]
    fn paths_lead_to_the_file_that_they_name() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "mod c; use crate::b::{self, d::D}; fn f() { b::e(); b::d::g(); c::h(); Vec::new() }"),
            ("a/c.rs", "use super::A; fn h() { super::super::b::e() }"),
            ("b/mod.rs", "pub mod d; use crate::Thing;"),
            ("b/d.rs", "use self::x::Y; mod x { use super::Z; use crate::a::c; fn g() { c::h() } }"),
        ];
        assert_eq!(
            arrows(&files),
            [
                "a.rs -> a/c.rs: h",
                "a.rs -> b/d.rs: D g",
                "a.rs -> b/mod.rs: e",
                "a/c.rs -> a.rs: A",
                "a/c.rs -> b/mod.rs: e",
                "b/d.rs -> a/c.rs: h",
                "b/mod.rs -> lib.rs: Thing",
            ]
        );
    }

    #[test]
    fn doors_are_passed_through() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "mod c; mod d; pub use c::A; pub(crate) use c::E as D; use crate::b::B;"),
            ("a/c.rs", "use super::B; use super::d::F;"),
            ("a/d.rs", "use super::A;"),
            ("b.rs", "use crate::a::{self, A}; fn f() -> a::D { crate::A }"),
        ];
        assert_eq!(
            arrows(&files),
            [
                "a.rs -> b.rs: B",
                "a/c.rs -> a/d.rs: F",
                "a/c.rs -> b.rs: B",
                "a/d.rs -> a/c.rs: A",
                "b.rs -> a/c.rs: A E",
                "b.rs -> lib.rs: A"
            ]
        );
    }

    #[test]
    fn doors_to_everything_are_passed_through_too() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod c; mod d; pub use c::*; pub use self::d::*; pub struct E;"),
            ("a/c.rs", "use super::E; pub struct C; pub fn f() {}"),
            ("a/d.rs", "pub struct D;"),
            ("b.rs", "use crate::a::{C, D, E}; use crate::a; fn f() { a::f() }"),
        ];
        assert_eq!(arrows(&files), ["a/c.rs -> a.rs: E", "b.rs -> a.rs: E", "b.rs -> a/c.rs: C f", "b.rs -> a/d.rs: D"]);
    }

    #[test]
    fn modules_of_tests_are_not_looked_at() {
        let files = [("lib.rs", "mod a; #[cfg(test)] mod model;"), ("a.rs", "#[cfg(test)] mod tests { use crate::b::C; }")];
        assert!(arrows(&files).is_empty());
    }

    #[test]
    fn exported_macros_are_where_they_are_written() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::B;"),
            ("a.rs", "#[macro_export] macro_rules! table { () => { $crate::B::new() } }"),
            ("b.rs", "crate::table!(); use crate::a::*;"),
        ];
        assert_eq!(arrows(&files), ["a.rs -> b.rs: B", "b.rs -> a.rs: * table"]);
    }
}
