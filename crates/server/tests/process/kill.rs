//! Is everything that was acknowledged still there after the process was killed under load?
//!
//! Each cycle loads the broker over several connections, kills it after a random number of acknowledgements, starts it again and
//! reads everything back. What was acknowledged, or seen by a reader, must be there with the same offset and the same body, and
//! the offsets of each queue must follow each other without a gap.
//!
//! `ROXMQ_KILL_CYCLES` says how many cycles, `ROXMQ_KILL_SEED` repeats the choices of an earlier run, though not its timing.

use crate::running::{Running, Wire, stored_at, take_records, write_pull, write_send};
use fastrand::Rng;
use std::collections::HashMap;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant, SystemTime};

#[test]
fn nothing_acknowledged_is_lost_async() {
    kill_again_and_again("ASYNC_FLUSH");
}

#[test]
fn nothing_acknowledged_is_lost_sync() {
    kill_again_and_again("SYNC_FLUSH");
}

/// What must be in the store: by queue and offset the checksum of the body.
type Known = HashMap<(u32, i64), u32>;

fn kill_again_and_again(flush: &str) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let seed = number("ROXMQ_KILL_SEED", now.as_nanos() as u64);
    let cycles = number("ROXMQ_KILL_CYCLES", 2);
    println!("{flush}: {cycles} cycles, ROXMQ_KILL_SEED={seed}");

    let folder = tempfile::tempdir().expect("a folder");
    let setting = format!("flushDiskType={flush}");
    let mut random = Rng::with_seed(seed);
    let mut known = Known::new();
    let mut starts = Vec::new();
    for cycle in 0..=cycles {
        let mut broker = Running::start(folder.path(), &[&setting]);
        let (queue, body) = (random.u32(..QUEUES), random_body(&mut random));
        let mut wire = broker.connect();
        let offset = wire.send(TOPIC, queue, &body);
        starts.push(broker.started.elapsed());
        let ends = verify(&mut wire, &known);
        assert_eq!(ends[queue as usize], offset + 1, "cycle {cycle}: the first message after the start is the last of its queue");
        learn(&mut known, (queue, offset), crc(&body));
        if cycle < cycles {
            let acknowledged = load_and_kill(broker, &mut random, &mut known);
            println!(
                "  cycle {cycle}: start {:?}, killed after {acknowledged} acknowledgements, {} known",
                starts[cycle as usize],
                known.len()
            );
        } else {
            assert!(broker.stop());
        }
    }
    // The first start was on an empty store and after no crash.
    starts.remove(0);
    starts.sort();
    if let (Some(max), median) = (starts.last(), starts[starts.len() / 2]) {
        println!(
            "{flush}: {} messages still there after {cycles} kills; start to first acknowledgement: median {median:?}, max {max:?}",
            known.len()
        );
    }
}

/// Reads the whole store: it must hold what is known, and each queue's offsets must follow each other. The end of each queue.
fn verify(wire: &mut Wire, known: &Known) -> Vec<i64> {
    let mut found = 0;
    let ends: Vec<i64> = (0..QUEUES)
        .map(|queue| {
            let mut next = 0;
            wire.read_queue(TOPIC, queue, 0, |record| {
                assert_eq!((record.queue_id, record.queue_offset.0), (queue, next), "offsets follow each other");
                assert!(record.body_is_intact());
                if let Some(crc_then) = known.get(&(queue, next)) {
                    assert_eq!(crc(record.body), *crc_then, "queue {queue} offset {next} holds another message now");
                    found += 1;
                }
                next += 1;
            });
            next
        })
        .collect();
    if found != known.len() {
        let lost: Vec<_> = known.keys().filter(|(queue, offset)| *offset >= ends[*queue as usize]).take(10).collect();
        panic!("{} messages are lost, such as (queue, offset) {lost:?}; the queues end at {ends:?}", known.len() - found);
    }
    ends
}

/// What a writer or reader learned before the broker was killed.
struct Fact {
    at: (u32, i64),
    crc: u32,
    is_acknowledgement: bool,
}

/// Loads the broker and kills it after a random number of acknowledgements. How many there were in the end.
fn load_and_kill(mut broker: Running, random: &mut Rng, known: &mut Known) -> usize {
    let (facts, learned) = mpsc::channel();
    let mut threads = Vec::new();
    for _ in 0..WRITERS {
        let (wire, facts, random) = (broker.connect(), facts.clone(), random.fork());
        threads.push(std::thread::spawn(move || write(wire, random, &facts)));
    }
    for queue in 0..READERS {
        let (wire, facts) = (broker.connect(), facts.clone());
        threads.push(std::thread::spawn(move || read(wire, queue, &facts)));
    }
    drop(facts);

    let wanted = random.usize(1..ACKNOWLEDGEMENTS_MAX);
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut acknowledged = 0;
    let mut broker = Some(broker);
    // The channel ends when all connections have noticed that the broker is gone.
    while let Ok(fact) = learned.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        acknowledged += usize::from(fact.is_acknowledgement);
        learn(known, fact.at, fact.crc);
        if acknowledged == wanted
            && let Some(broker) = broker.take()
        {
            broker.kill();
        }
    }
    assert!(broker.is_none(), "only {acknowledged} of {wanted} messages were acknowledged in time");
    threads.into_iter().for_each(|thread| thread.join().expect("no refusals"));
    acknowledged
}

fn learn(known: &mut Known, at: (u32, i64), crc: u32) {
    let before = known.insert(at, crc);
    assert!(before.is_none_or(|before| before == crc), "queue {} offset {} was given to two messages", at.0, at.1);
}

/// Sends with many messages under way, until the broker is gone.
fn write(mut wire: Wire, mut random: Rng, facts: &Sender<Fact>) {
    let mut waiting: HashMap<i32, (u32, u32)> = HashMap::new();
    let mut opaque = 0;
    loop {
        let mut frames = Vec::new();
        while waiting.len() < IN_FLIGHT {
            let (queue, body) = (random.u32(..QUEUES), random_body(&mut random));
            opaque += 1;
            write_send(&mut frames, opaque, TOPIC, queue, &body);
            waiting.insert(opaque, (queue, crc(&body)));
        }
        if wire.write(&frames).is_err() {
            // Answers may still lie in the socket: what was acknowledged counts although the broker is gone.
            while take_acknowledgement(&mut wire, &mut waiting, facts) {}
            return;
        }
        for _ in 0..random.usize(1..IN_FLIGHT) {
            if !take_acknowledgement(&mut wire, &mut waiting, facts) {
                return;
            }
        }
    }
}

fn take_acknowledgement(wire: &mut Wire, waiting: &mut HashMap<i32, (u32, u32)>, facts: &Sender<Fact>) -> bool {
    let Ok((opaque, stored)) = wire.next(|header, _| (header.opaque, stored_at(header))) else { return false };
    let (queue, crc) = waiting.remove(&opaque).expect("an answer to what was asked");
    let offset = stored.unwrap_or_else(|remark| panic!("a send was refused: {remark}"));
    facts.send(Fact { at: (queue, offset), crc, is_acknowledgement: true }).is_ok()
}

/// Reads a queue by long polling until the broker is gone. What a reader has seen must not go away either.
fn read(mut wire: Wire, queue: u32, facts: &Sender<Fact>) {
    let mut next = 0;
    loop {
        let mut frames = Vec::new();
        write_pull(&mut frames, 1, TOPIC, queue, next, 1000);
        let answered = wire.write(&frames).and_then(|()| {
            wire.next(|header, frame| {
                take_records(header, frame, &mut |record| {
                    let fact = Fact { at: (queue, record.queue_offset.0), crc: crc(record.body), is_acknowledgement: false };
                    // Nobody listens once the time is over.
                    let _ = facts.send(fact);
                })
            })
        });
        match answered {
            Ok(after) => next = after.unwrap_or(next),
            Err(_) => return,
        }
    }
}

/// Mostly small, sometimes large.
fn random_body(random: &mut Rng) -> Vec<u8> {
    let bytes = match random.u32(..100) {
        0 => random.usize(1..200_000),
        1..20 => random.usize(1..8_000),
        _ => random.usize(1..500),
    };
    let mut body = vec![0; bytes];
    random.fill(&mut body);
    body
}

fn crc(body: &[u8]) -> u32 {
    roxmq_protocol::record::body_crc(body) as u32
}

const TOPIC: &str = "Kill";
const QUEUES: u32 = 8;
const WRITERS: usize = 6;
const READERS: u32 = 2;
const IN_FLIGHT: usize = 32;
const ACKNOWLEDGEMENTS_MAX: usize = 4000;
