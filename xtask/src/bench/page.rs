//! How do the results get into `docs/benchmarks.md`?

use super::Measured;
use super::figures::Spread;
use super::machine::Calibration;
use std::fs;
use std::path::Path;

/// The page, from the repository's root.
pub const PATH: &str = "docs/benchmarks.md";

/// What a run gave.
pub struct Run<'a> {
    /// The machine in words.
    pub machine: &'a [(&'static str, String)],
    /// Share of the cores that was busy before.
    pub busy: f64,
    /// The machine before.
    pub before: Calibration,
    /// The machine after.
    pub after: Calibration,
    /// Counted seconds of a usual run.
    pub seconds: f64,
    /// The rows.
    pub measured: &'a [Measured],
}

/// Writes the part between the marks anew.
pub fn write(path: &Path, run: &Run<'_>) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(told)?;
    let page = replace(&text, "goals", &goals(run))?;
    fs::write(path, page).map_err(told)
}

/// The page with another text between the marks of a part.
pub fn replace(page: &str, part: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {part}: written by cargo xtask bench -->\n"), format!("<!-- end of {part} -->"));
    let (head, rest) = page.split_once(&begin).ok_or_else(|| format!("{PATH} has no line {begin}"))?;
    let (_, tail) = rest.split_once(&end).ok_or_else(|| format!("{PATH} has no line {end}"))?;
    Ok(format!("{head}{begin}\n{text}\n{end}{tail}"))
}

fn goals(run: &Run<'_>) -> String {
    let mut text = about(run);
    text += "\n| row | acknowledged when in | figure and goal | median [min .. max] | runs | |\n|---|---|---|---|---|---|\n";
    for measured in run.measured {
        for (at, limit) in measured.row.limits.iter().enumerate() {
            let spread = Spread::of_runs(&measured.runs, limit.metric);
            let figure = spread.map_or_else(|| "not measured".to_owned(), |spread| spread.text(limit.metric));
            let (title, acknowledged) = if at == 0 {
                (format!("`{}`: {}", measured.row.name, measured.row.title), measured.row.acknowledged)
            } else {
                (String::new(), "")
            };
            let (runs, verdict) = (measured.runs.len(), measured.verdict(limit));
            text += &format!("| {title} | {acknowledged} | {} | {figure} | {runs} | {verdict} |\n", limit.text());
        }
        for failure in &measured.failures {
            text += &format!("| `{}` | | FAILED | {failure} | | |\n", measured.row.name);
        }
    }
    text
}

/// The machine and what it was like before and after.
pub fn about(run: &Run<'_>) -> String {
    let mut text = String::new();
    for (name, value) in run.machine {
        text += &format!("- {name}: {value}\n");
    }
    text += &format!("- before: {}; {:.0} % of the cores busy\n", run.before.text(), run.busy * 100.0);
    text += &format!("- after: {}; moved by {:.0} %\n", run.after.text(), run.before.moved(&run.after) * 100.0);
    text += &format!("- counted seconds of a usual run: {}\n", run.seconds);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = "a\n<!-- goals: written by cargo xtask bench -->\nold\n<!-- end of goals -->\nb\n";
        let once = replace(page, "goals", "new").expect("marks");
        assert_eq!(once, "a\n<!-- goals: written by cargo xtask bench -->\n\nnew\n<!-- end of goals -->\nb\n");
        assert_eq!(replace(&once, "goals", "new").as_deref(), Ok(once.as_str()));
        assert!(replace("nothing", "goals", "new").is_err());
    }
}
