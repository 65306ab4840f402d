//! The crates of this repository and those they depend on, as cargo knows them.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All that is compiled on this platform.
pub struct Workspace {
    /// The folder of the repository.
    pub root: PathBuf,
    /// Ours first, then the others.
    pub packages: Vec<Package>,
}

/// A crate.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The expression in its manifest.
    pub license: String,
    /// Where its manifest is.
    pub folder: PathBuf,
    /// Is it one of ours?
    pub is_ours: bool,
    /// The dependencies in its manifest.
    pub dependencies: Vec<Dependency>,
}

/// A line of a manifest.
pub struct Dependency {
    /// The name of the crate.
    pub name: String,
    /// For tests alone.
    pub is_for_tests: bool,
}

impl Workspace {
    /// Asks cargo. The lock file stays as it is.
    pub fn read(root: &Path) -> Result<Workspace, String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let words = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform];
        let output = Command::new(cargo).args(words).current_dir(root).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let value: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let compiled: BTreeSet<&str> = items(&value["resolve"]["nodes"]).iter().map(|node| text(&node["id"])).collect();
        let ours: BTreeSet<&str> = items(&value["workspace_members"]).iter().map(text).collect();
        let mut packages: Vec<Package> = items(&value["packages"])
            .iter()
            .filter(|package| compiled.contains(text(&package["id"])))
            .map(|package| Package {
                name: text(&package["name"]).to_owned(),
                version: text(&package["version"]).to_owned(),
                license: text(&package["license"]).to_owned(),
                folder: Path::new(text(&package["manifest_path"])).parent().unwrap_or(root).to_owned(),
                is_ours: ours.contains(text(&package["id"])),
                dependencies: items(&package["dependencies"]).iter().map(dependency).collect(),
            })
            .collect();
        packages.sort_by_key(|package| !package.is_ours);
        Ok(Workspace { root: root.to_owned(), packages })
    }

    /// Our own crates.
    pub fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_ours)
    }
}

fn dependency(value: &Value) -> Dependency {
    Dependency { name: text(&value["name"]).to_owned(), is_for_tests: text(&value["kind"]) == "dev" }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
