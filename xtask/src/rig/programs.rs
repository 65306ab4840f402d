//! Which programs are tried out, and where do they come from? RoxMQ is built here, Java's come from Maven Central.

use crate::rig::command::run;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Java RocketMQ that is started.
pub const JAVA_VERSION: &str = "5.5.0";

/// Builds `roxmq` as users do; where it is.
pub fn build_roxmq() -> Result<PathBuf, String> {
    println!("== building roxmq");
    let mut build = cargo();
    build.args(["build", "--release", "--package", "roxmq"]);
    match build.status() {
        Ok(status) if status.success() => Ok(target_folder().join("release/roxmq")),
        Ok(status) => Err(format!("cargo build: {status}")),
        Err(error) => Err(format!("cargo build: {error}")),
    }
}

/// Cargo, in the repository.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.current_dir(repository());
    cargo
}

/// Where cargo builds.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Has Maven bring the Java servers; their class path.
pub fn resolve_java() -> Result<String, String> {
    println!("== resolving Java RocketMQ {JAVA_VERSION}");
    classpath("compat/java/server", &format!("-Drocketmq.version={JAVA_VERSION}"))
}

/// Has Maven bring what the project in a folder lists, and returns the class path.
pub fn classpath(project: &str, version: &str) -> Result<String, String> {
    let list = repository().join("target").join(project).join("classpath");
    run(Command::new("mvn")
        .args(["--quiet", "--batch-mode", "dependency:build-classpath", "-Dmdep.includeScope=runtime"])
        .arg(format!("-Dmdep.outputFile={}", list.display()))
        .arg(version)
        .current_dir(repository().join(project)))?;
    let classpath = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    Ok(classpath.trim().to_owned())
}

/// The Java that servers run on.
pub fn java_program() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}
