//! How do the results get into `docs/benchmarks.md`?

use super::figures::Spread;
use super::machine::Calibration;
use super::measured::Measured;
use super::peers::outcome::{Outcome, SERVERS};
use super::plot::Plot;
use std::fs;
use std::path::Path;

/// The page, from the repository's root.
pub const PATH: &str = "docs/benchmarks.md";

/// When and where it ran.
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
}

/// What a run gave.
pub enum Gave {
    /// The rows of the goals.
    Goals(Vec<Measured>),
    /// RoxMQ beside others.
    Peers(Box<Outcome>),
}

/// Writes what a run gave into its part of the page.
pub fn write(repository: &Path, run: &Run<'_>, gave: &Gave) -> Result<(), String> {
    let path = repository.join(PATH);
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(told)?;
    let page = match gave {
        Gave::Goals(rows) => replace(&text, "goals", &goals(run, rows))?,
        Gave::Peers(outcome) => {
            draw(repository, outcome).map_err(told)?;
            replace(&text, "peers", &peers(run, outcome))?
        }
    };
    fs::write(&path, page).map_err(told)
}

/// The page with another text between the marks of a part.
pub fn replace(page: &str, part: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {part}: written by cargo xtask bench -->\n"), format!("<!-- end of {part} -->"));
    let (head, rest) = page.split_once(&begin).ok_or_else(|| format!("{PATH} has no line {begin}"))?;
    let (_, tail) = rest.split_once(&end).ok_or_else(|| format!("{PATH} has no line {end}"))?;
    Ok(format!("{head}{begin}\n{text}\n{end}{tail}"))
}

fn goals(run: &Run<'_>, rows: &[Measured]) -> String {
    let mut text = about(run);
    text += "\n| row | acknowledged when in | figure and goal | median [min .. max] | runs | |\n|---|---|---|---|---|---|\n";
    for measured in rows {
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

fn peers(run: &Run<'_>, outcome: &Outcome) -> String {
    let mut text = about(run);
    for (name, value) in &outcome.versions {
        text += &format!("- {name}: {value}\n");
    }
    let [rox, java, kafka] = SERVERS;
    for (is_batched, title) in [(false, "One message a request"), (true, "Several messages a request or an answer")] {
        text += &format!(
            "\n### {title}\n\n| row | acknowledged when in | figure | {rox} | {java} | {kafka} | RoxMQ against Java | against Kafka |\n"
        );
        text += "|---|---|---|---|---|---|---|---|\n";
        for played in outcome.contests.iter().filter(|played| played.contest.is_batched == is_batched) {
            for (at, cells) in played.cells().iter().enumerate() {
                let (title, acknowledged) = if at == 0 {
                    (format!("`{}`: {}", played.contest.name, played.contest.title), played.contest.acknowledged)
                } else {
                    (String::new(), "")
                };
                text += &format!("| {title} | {acknowledged} | {} |\n", cells.join(" | "));
            }
        }
    }
    text += &format!("\n### Start and memory\n\n| | {rox} | {java} | {kafka} |\n|---|---|---|---|\n");
    for cells in &outcome.also {
        text += &format!("| {} |\n", cells.join(" | "));
    }
    if !outcome.latency.is_empty() {
        text += &format!("\n![p99 against throughput]({LATENCY_NAME})\n\n![memory against queues]({MEMORY_NAME})\n");
    }
    for failure in &outcome.failures {
        text += &format!("\nFAILED: {failure}\n");
    }
    text
}

/// Draws the curves, if there are any.
fn draw(repository: &Path, outcome: &Outcome) -> std::io::Result<()> {
    let latency = Plot {
        title: "Send of 1 KiB at fixed rates: p99 from the due time",
        x: "messages a second that were acknowledged",
        y: "p99, ms",
        series: &outcome.latency,
    };
    let memory = Plot {
        title: "Anonymous memory of the broker against queues with messages",
        x: "queues",
        y: "anonymous memory, MB",
        series: &outcome.memory,
    };
    for (plot, name) in [(latency, LATENCY_NAME), (memory, MEMORY_NAME)] {
        let Some(svg) = plot.svg() else { continue };
        let path = repository.join("docs").join(name);
        fs::create_dir_all(path.parent().unwrap_or(repository))?;
        fs::write(path, svg)?;
    }
    Ok(())
}

const LATENCY_NAME: &str = "benchmarks/latency.svg";
const MEMORY_NAME: &str = "benchmarks/memory.svg";

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
