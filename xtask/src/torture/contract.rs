//! What does a scenario get, and what does it give back?

use std::path::PathBuf;

/// What a scenario is to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many cycles.
    pub cycles: u64,
    /// What all choices follow from.
    pub seed: u64,
    /// The program that is tortured.
    pub binary: PathBuf,
    /// How large the largest store is, where that matters, in 10^9 bytes.
    pub gigabytes: f64,
    /// A folder for files of the run.
    pub folder: PathBuf,
    /// A bug to plant, in a build that has them.
    pub tooth: Option<String>,
    /// Print each cycle.
    pub verbose: bool,
    /// Keep the files of a run that ends badly, and the drive as it was before the last start.
    pub keep: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Cycles that ended well.
    pub cycles: u64,
    /// What else there is to say: name and value.
    pub figures: Vec<(&'static str, String)>,
    /// What must not be.
    pub violations: Vec<String>,
}
