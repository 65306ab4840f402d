//! What has the broker done?

pub mod figures;
pub mod statistics;

use figures::Figures;
use roxmq_env::clock::Clock;
use statistics::{Counter, Moved, Statistics};
use std::sync::Arc;

/// All that is counted.
pub struct Counts {
    /// Of the whole broker, for its runtime information.
    pub figures: Figures,
    /// By topic, group and queue.
    pub statistics: Statistics,
    /// What was stored in all.
    pub broker_puts: Arc<Counter>,
    /// What was pulled in all.
    pub broker_gets: Arc<Counter>,
}

impl Counts {
    /// Counts from now on.
    pub fn new(clock: &Clock, cluster_name: &str) -> Counts {
        let statistics = Statistics::default();
        Counts {
            figures: Figures::new(clock),
            broker_puts: statistics.counter(Moved::BrokerPuts, cluster_name),
            broker_gets: statistics.counter(Moved::BrokerGets, cluster_name),
            statistics,
        }
    }

    /// Takes the samples; called every ten seconds.
    pub fn sample(&self, clock: &Clock) {
        self.statistics.sample(clock.elapsed());
        self.figures.sample(clock);
    }
}
