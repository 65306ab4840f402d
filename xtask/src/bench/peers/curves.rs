//! How do latency and memory grow with the load?

use super::java;
use super::kafka::Produce;
use super::rounds::Peers;
use crate::bench::figures::{Figures, Metric, of};
use crate::bench::plot::Series;
use crate::bench::stage::Stage;

/// p99 against throughput at fixed rates; of Kafka as its producer batches by itpeers.
pub fn latency(peers: &mut Peers<'_>) -> Vec<Series> {
    let mut failures = Vec::new();
    let mut points = |name: &str, rates: &[u32], run: &dyn Fn(u32) -> Result<Figures, String>| {
        let mut points = Vec::new();
        for rate in rates {
            match run(*rate) {
                Ok(figures) => {
                    let pair = of(&figures, Metric::Rate).zip(of(&figures, Metric::P99));
                    println!("curve | {name} at {rate}/s: {pair:?}");
                    points.extend(pair.map(|(rate, p99)| (rate, p99 / 1e3)));
                }
                // The last point is the one at which it no longer keeps up.
                Err(why) => {
                    println!("curve | {name} at {rate}/s: {why}");
                    failures.push(format!("{name} at {rate}/s: {why}"));
                    break;
                }
            }
        }
        Series { name: name.to_owned(), points }
    };
    let rox = points("RoxMQ", &ROX_RATES, &|rate| {
        let fresh = peers.stage.fresh(&[])?;
        Ok(peers.stage.bench(&fresh.address(), &format!("send -c 16 --rate {rate} --spin --timeout 60"))?.figures)
    });
    peers.java.resume();
    let java = points("Java RocketMQ", &JAVA_RATES, &|rate| {
        Ok(peers.stage.bench(&peers.java.address, &format!("send -c 16 --rate {rate} --spin -t curve --timeout 60"))?.figures)
    });
    peers.java.pause();
    peers.kafka.jvm.resume();
    let kafka = points("Kafka, batching (linger.ms=5, its default)", &KAFKA_RATES, &|rate| {
        let produce = Produce { record_bytes: 1024, batch_bytes: 16_384, rate: Some(rate), is_flushed: false };
        peers.kafka.produce("curve", &produce, peers.kafka_records(f64::from(rate)))
    });
    peers.kafka.jvm.pause();
    peers.failures.extend(failures);
    vec![rox, java, kafka]
}

/// Anonymous memory against the number of queues that hold messages.
pub fn memory(stage: &Stage, classpath: &str, failures: &mut Vec<String>) -> Vec<Series> {
    let run = |address: &str, topics: u32| {
        let words = format!("send -c 16 -w 16 --topics {topics} -q 8 -t many{topics} --timeout 60");
        let report = stage.bench(address, &words)?;
        of(&report.figures, Metric::Anonymous).ok_or_else(|| "its memory cannot be read".to_owned())
    };
    let mut series = |name: &str, address: Result<String, String>, topics: &[u32]| {
        let mut points = Vec::new();
        for topics in topics {
            match address.clone().and_then(|address| run(&address, *topics)) {
                Ok(mb) => {
                    println!("curve | {name} with {} queues: {mb:.1} MB", topics * 8);
                    points.push((f64::from(topics * 8), mb));
                }
                Err(why) => {
                    println!("curve | {name} with {} queues: {why}", topics * 8);
                    failures.push(format!("{name} with {} queues: {why}", topics * 8));
                    break;
                }
            }
        }
        Series { name: name.to_owned(), points }
    };
    let fresh = stage.fresh(&[]);
    let rox = series("RoxMQ", fresh.as_ref().map(|fresh| fresh.address()).map_err(String::clone), &[1, 12, 125, 1250, 12_500]);
    drop(fresh);
    let jvm = java::start(stage, classpath, "java-many", &[]);
    let java = series("Java RocketMQ", jvm.as_ref().map(|jvm| jvm.address.clone()).map_err(String::clone), &[1, 12, 125, 1250]);
    vec![rox, java]
}

const ROX_RATES: [u32; 8] = [1_000, 5_000, 20_000, 50_000, 100_000, 150_000, 200_000, 300_000];
const JAVA_RATES: [u32; 5] = [1_000, 5_000, 10_000, 15_000, 20_000];
const KAFKA_RATES: [u32; 4] = [1_000, 5_000, 20_000, 50_000];
