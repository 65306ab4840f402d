//! Which loads do the servers share?

use super::super::figures::Metric::{self, *};
use super::super::goals::{CACHE, DISK};
use super::kafka::Produce;

/// A load for all of them.
pub struct Contest {
    /// By what it is chosen on the command line.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Whether one request carries several messages. Rows of the two kinds are never compared.
    pub is_batched: bool,
    /// Where a message is when it is acknowledged.
    pub acknowledged: &'static str,
    /// Seconds of sends before, for rows that read.
    pub fill_seconds: f64,
    /// What the generator does with RoxMQ and with Java.
    pub words: &'static str,
    /// What Kafka's tools do, if they can do something like it.
    pub kafka: Option<KafkaLoad>,
    /// What is compared.
    pub metrics: &'static [Metric],
}

/// What Kafka's tools do.
pub enum KafkaLoad {
    /// Sends.
    Produce(Produce),
    /// Reads what was sent like this.
    Consume(Produce),
}

const BATCHING: Produce = Produce { record_bytes: 1024, batch_bytes: 16_384, rate: None, is_flushed: false };
const ALONE: Produce = Produce { batch_bytes: 1, ..BATCHING };
const COST: &[Metric] = &[Rate, Cpu, P99];
const LATENCY: &[Metric] = &[P50, P99, P999, Cpu];

/// All of them. Bodies have 1 KiB unless said.
#[rustfmt::skip]
pub const CONTESTS: [Contest; 10] = [
    Contest { name: "peers-16x16", title: "send, 16 connections x 16 in flight; Kafka: one producer, batch.size=1", is_batched: false,
        acknowledged: CACHE, fill_seconds: 0.0, words: "send -c 16 -w 16", kafka: Some(KafkaLoad::Produce(ALONE)), metrics: COST },
    Contest { name: "peers-1x64", title: "send, 1 x 64", is_batched: false,
        acknowledged: CACHE, fill_seconds: 0.0, words: "send -c 1 -w 64", kafka: None, metrics: COST },
    Contest { name: "peers-64x1", title: "send, 64 x 1", is_batched: false,
        acknowledged: CACHE, fill_seconds: 0.0, words: "send -c 64 -w 1", kafka: None, metrics: COST },
    Contest { name: "peers-1x1", title: "send, 1 x 1", is_batched: false,
        acknowledged: CACHE, fill_seconds: 0.0, words: "send -c 1 -w 1", kafka: None, metrics: &[P50, P99, Rate, Cpu] },
    Contest { name: "peers-fixed-5k", title: "send at a fixed 5,000/s, 16 connections; Kafka: one producer, batch.size=1, whole ms",
        is_batched: false, acknowledged: CACHE, fill_seconds: 0.0, words: "send -c 16 --rate 5000 --spin",
        kafka: Some(KafkaLoad::Produce(Produce { rate: Some(5000), ..ALONE })), metrics: LATENCY },
    Contest { name: "peers-sync-16x16", title: "SYNC_FLUSH, 16 x 16; Kafka: flush.messages=1, batch.size=1", is_batched: false,
        acknowledged: DISK, fill_seconds: 0.0, words: "send -c 16 -w 16",
        kafka: Some(KafkaLoad::Produce(Produce { is_flushed: true, ..ALONE })), metrics: COST },
    Contest { name: "peers-sync-1x1", title: "SYNC_FLUSH, 1 x 1", is_batched: false,
        acknowledged: DISK, fill_seconds: 0.0, words: "send -c 1 -w 1", kafka: None, metrics: &[Rate, P99, Cpu] },
    Contest { name: "peers-batch-100B", title: "send batches of 32 x 100 B, 4 x 4; Kafka: 100 B, batch.size=16384", is_batched: true,
        acknowledged: CACHE, fill_seconds: 0.0, words: "send -c 4 -w 4 --batch 32 --body 100",
        kafka: Some(KafkaLoad::Produce(Produce { record_bytes: 100, ..BATCHING })), metrics: &[Rate, Cpu] },
    Contest { name: "peers-batch-1KiB", title: "send batches of 16 x 1 KiB, 4 x 4; Kafka: 1 KiB, batch.size=16384", is_batched: true,
        acknowledged: CACHE, fill_seconds: 0.0, words: "send -c 4 -w 4 --batch 16", kafka: Some(KafkaLoad::Produce(BATCHING)),
        metrics: &[Rate, Cpu] },
    Contest { name: "peers-pull", title: "read, up to 32 messages an answer, 8 connections; Kafka: one consumer, its default fetches", is_batched: true,
        acknowledged: "-", fill_seconds: 2.0, words: "pull -c 8 -w 1", kafka: Some(KafkaLoad::Consume(BATCHING)), metrics: &[Rate, Cpu] },
];
