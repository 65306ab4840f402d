//! How many messages has the broker stored and delivered, and how fast?

pub mod figures;
pub mod statistics;

use figures::Figures;
use roxmq_env::clock::Clock;
use statistics::{Counter, Moved, Statistics};
use std::sync::Arc;

/// All counters.
pub struct Counts {
    /// Those of the whole broker, for its runtime information.
    pub figures: Figures,
    /// Those of topics and groups.
    pub statistics: Statistics,
    /// Messages stored in all.
    pub broker_puts: Arc<Counter>,
    /// Messages pulled in all.
    pub broker_gets: Arc<Counter>,
}

impl Counts {
    /// Counters at 0.
    pub fn new(clock: &Clock, cluster_name: &str) -> Counts {
        let statistics = Statistics::default();
        Counts {
            figures: Figures::new(clock),
            broker_puts: statistics.counter(Moved::BrokerPuts, cluster_name),
            broker_gets: statistics.counter(Moved::BrokerGets, cluster_name),
            statistics,
        }
    }

    /// Samples the counters; called every ten seconds.
    pub fn sample(&self, clock: &Clock) {
        self.statistics.sample(clock.elapsed());
        self.figures.sample(clock);
    }
}
