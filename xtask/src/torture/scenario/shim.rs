//! How do calls of the broker fail, wait or lie? A shim in C (`shim.c`) stands between it and the system: built by the system's compiler, preloaded.

use crate::rig::command;
use crate::torture::contract::Options;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds it in the folder of a run.
pub fn build(options: &Options) -> Result<PathBuf, String> {
    let (source, shim) = (options.folder.join("shim.c"), options.folder.join("shim.so"));
    std::fs::write(&source, include_str!("shim.c")).map_err(|error| error.to_string())?;
    command::run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(&source))
        .map_err(|error| format!("{error}\nthe shim needs a C compiler"))?;
    Ok(shim)
}

/// The variables of a process that has it.
pub fn environment(shim: &Path, what: &[(&str, String)]) -> Vec<(String, String)> {
    let preload = ("LD_PRELOAD".to_owned(), shim.to_string_lossy().into_owned());
    std::iter::once(preload).chain(what.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect()
}
