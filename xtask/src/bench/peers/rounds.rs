//! How is one contest played? RoxMQ, Java and Kafka one after the other, while the others are paused.

use super::contests::{Contest, KafkaLoad};
use super::jvm::Jvm;
use super::kafka::Kafka;
use super::outcome::{Played, SERVERS};
use crate::bench::figures::{Figures, Metric, of};
use crate::bench::goals;
use crate::bench::stage::Stage;

/// The servers that keep running.
pub struct Peers<'a> {
    /// Where RoxMQ is started.
    pub stage: &'a Stage,
    /// Java RocketMQ.
    pub java: Jvm,
    /// The same with SYNC_FLUSH, where a contest wants it.
    pub java_flushing: Option<Jvm>,
    /// Kafka.
    pub kafka: Kafka,
    /// Runs that failed or were not verified.
    pub failures: Vec<String>,
}

impl Peers<'_> {
    /// All rounds of one contest.
    pub fn play(&mut self, contest: &'static Contest, rounds: usize) -> Played {
        let mut played = Played { contest, rounds: Default::default() };
        // What Kafka sends in a second: a guess at first, then from the round before.
        let mut kafka_rate = if contest.acknowledged == goals::DISK { 300.0 } else { 20_000.0 };
        for round in 0..rounds {
            let of_rox = self.rox(contest);
            let of_java = self.java(contest, round);
            let of_kafka = self.kafka(contest, round, &mut kafka_rate);
            for (server, figures) in [Some(of_rox), Some(of_java), of_kafka].into_iter().enumerate() {
                match figures {
                    Some(Ok(figures)) => played.rounds[server].push(figures),
                    Some(Err(why)) => {
                        println!("{} | {} FAILED | {why}", contest.name, SERVERS[server]);
                        self.failures.push(format!("{}, {}: {why}", contest.name, SERVERS[server]));
                    }
                    None => {}
                }
            }
        }
        played
    }

    fn rox(&self, contest: &Contest) -> Result<Figures, String> {
        let settings: &[&str] = if contest.acknowledged == goals::DISK { &["flushDiskType=SYNC_FLUSH"] } else { &[] };
        let fresh = self.stage.fresh(settings)?;
        if contest.fill_seconds > 0.0 {
            self.stage.bench_for(&fresh.address(), "send -c 16 -w 16", contest.fill_seconds, 0.0)?;
        }
        Ok(self.stage.bench(&fresh.address(), contest.words)?.figures)
    }

    fn java(&self, contest: &Contest, round: usize) -> Result<Figures, String> {
        let jvm = match (&self.java_flushing, contest.acknowledged == goals::DISK) {
            (Some(flushing), true) => flushing,
            _ => &self.java,
        };
        jvm.resume();
        let topic = format!("-t {}-{round}", contest.name);
        let run = || {
            if contest.fill_seconds > 0.0 {
                // It stores a tenth of what RoxMQ does in the time, so it gets more of it.
                self.stage.bench_for(&jvm.address, &format!("send -c 16 -w 16 {topic}"), contest.fill_seconds * 3.0, 0.0)?;
            }
            Ok(self.stage.bench(&jvm.address, &format!("{} {topic} --timeout 20", contest.words))?.figures)
        };
        let figures = run();
        jvm.pause();
        figures
    }

    fn kafka(&self, contest: &Contest, round: usize, rate: &mut f64) -> Option<Result<Figures, String>> {
        let load = contest.kafka.as_ref()?;
        self.kafka.jvm.resume();
        let topic = format!("{}-{round}", contest.name);
        let records = |rate: f64| self.kafka_records(rate);
        let figures = match load {
            KafkaLoad::Produce(produce) => {
                let wanted = produce.rate.map_or(*rate, f64::from);
                self.kafka.produce(&topic, produce, records(wanted).max(1000))
            }
            KafkaLoad::Consume(produce) => {
                let records = records(80_000.0);
                self.kafka.produce(&topic, produce, records).and_then(|_| self.kafka.consume(&topic, records))
            }
        };
        self.kafka.jvm.pause();
        if let Ok(figures) = &figures {
            *rate = of(figures, Metric::Rate).unwrap_or(*rate);
        }
        Some(figures)
    }

    /// How many messages Kafka's tools are given at a rate. They print a rate and the longest latency every five seconds; what they do
    /// before the second of these is warming up.
    pub fn kafka_records(&self, rate: f64) -> u64 {
        (rate * (self.stage.seconds + 8.0)) as u64
    }
}
