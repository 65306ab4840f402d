//! What came of the contests, and how much better is RoxMQ?

use super::contests::Contest;
use crate::bench::figures::{Figures, Metric, Spread, of};
use crate::bench::plot::Series;

/// What came of it.
pub struct Outcome {
    /// Each contest.
    pub contests: Vec<Played>,
    /// Other figures: name, and RoxMQ's, Java's and Kafka's value.
    pub also: Vec<[String; 4]>,
    /// p99 against throughput, of each server.
    pub latency: Vec<Series>,
    /// Memory against queues, of each server.
    pub memory: Vec<Series>,
    /// Runs that failed or were not verified.
    pub failures: Vec<String>,
    /// What was run: name and value.
    pub versions: Vec<(&'static str, String)>,
}

/// One contest and what each server's rounds gave: RoxMQ, Java, Kafka.
pub struct Played {
    /// Which.
    pub contest: &'static Contest,
    /// Rounds by server; empty for one that does not take part.
    pub rounds: [Vec<Figures>; 3],
}

/// The names of the servers, in the order of their figures.
pub const SERVERS: [&str; 3] = ["RoxMQ", "Java RocketMQ", "Kafka"];

impl Played {
    /// A line for each figure: row, figure, each server's, and RoxMQ against the others.
    pub fn lines(&self) -> Vec<String> {
        self.cells().iter().map(|cells| format!("{} | {}", self.contest.name, cells.join(" | "))).collect()
    }

    /// The figure's name, each server's figure, and RoxMQ against the others.
    pub fn cells(&self) -> Vec<[String; 6]> {
        let cells = |metric: &Metric| {
            let of_server = |server: usize| {
                Spread::of_runs(&self.rounds[server], *metric).map_or_else(|| "-".to_owned(), |spread| spread.text(*metric))
            };
            [metric.name().to_owned(), of_server(0), of_server(1), of_server(2), self.against(*metric, 1), self.against(*metric, 2)]
        };
        self.contest.metrics.iter().map(cells).collect()
    }

    /// How many times better RoxMQ is than another server, round by round.
    fn against(&self, metric: Metric, server: usize) -> String {
        let pairs = self.rounds[0].iter().zip(&self.rounds[server]).filter_map(|(rox, peer)| of(rox, metric).zip(of(peer, metric)));
        let ratio = |(rox, peer): (f64, f64)| if metric == Metric::Rate { rox / peer } else { peer / rox };
        match Spread::of(&pairs.filter(|(rox, peer)| *rox > 0.0 && *peer > 0.0).map(ratio).collect::<Vec<f64>>()) {
            None => "-".to_owned(),
            Some(spread) if (1.0 / EQUAL..EQUAL).contains(&spread.median) => format!("equal ({})", spread.text(Metric::Ratio)),
            Some(spread) => spread.text(Metric::Ratio),
        }
    }
}

/// A smaller difference is none.
const EQUAL: f64 = 1.2;
