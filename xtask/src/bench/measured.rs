//! What did the runs of one row give, and is its goal reached?

use super::figures::{Figures, Spread};
use super::goals::{self, Row};

/// One row and what its runs gave.
pub struct Measured {
    /// Which row.
    pub row: &'static Row,
    /// The figures of each run.
    pub runs: Vec<Figures>,
    /// Why runs failed.
    pub failures: Vec<String>,
}

impl Measured {
    /// Row, goal, figures and verdict, a line for each limit.
    pub fn lines(&self) -> Vec<String> {
        let told = self.row.limits.iter().map(|limit| {
            let spread = Spread::of_runs(&self.runs, limit.metric);
            let figure = spread.map_or_else(|| "not measured".to_owned(), |spread| spread.text(limit.metric));
            format!("{} | {} | {figure} | {}", self.row.name, limit.text(), self.verdict(limit))
        });
        told.chain(self.failures.iter().map(|why| format!("{} | FAILED | {why}", self.row.name))).collect()
    }

    /// What is to be said of one limit.
    pub fn verdict(&self, limit: &goals::Limit) -> &'static str {
        match (Spread::of_runs(&self.runs, limit.metric), limit.goal) {
            _ if !self.failures.is_empty() => "not verified",
            (None, _) => "not measured",
            (_, goals::Goal::Reported) => "-",
            (Some(spread), _) if limit.holds(spread.median) => "reached",
            _ => "missed",
        }
    }

    /// What repeats it.
    pub fn command(&self, runs: usize) -> String {
        format!("cargo xtask bench --row {} --runs {runs}", self.row.name)
    }
}
