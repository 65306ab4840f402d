//! Does a clock that jumps lose, reorder or expire messages?
//!
//! The broker's wall clock jumps back and forth by seconds to days, also between its lives: nothing is lost or reordered, nothing expires,
//! what waits comes neither early nor never.
//!
//! Early means: before it is due by the clock as the broker sees it *and* before it has waited as long as it should. A shim (`shim.c`) moves
//! the clock; the one that only measures how much time passes stays as it is, as it does on real machines.

use super::shim;
use crate::rig::broker::{Broker, Launch, verify};
use crate::rig::client::now_ms;
use crate::rig::client::{Client, Send};
use crate::torture::contract::{Options, Outcome};
use crate::torture::ledger::{Fact, Ledger, MayLose};
use crate::torture::load::{Load, Shape};
use crate::torture::messages::{self, LATE_WRITER, QUEUES, TOPICS, queues};
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Jumps.
pub fn jumps(options: &Options) -> Result<Outcome, String> {
    let shim = shim::build(options)?;
    let mut random = Rng::with_seed(options.seed);
    let (mut outcome, mut counts) = (Outcome::default(), Counts::default());
    while outcome.cycles < options.cycles && outcome.violations.is_empty() {
        let clock = JumpingClock::create(options)?;
        let mut launch = launch(options, if random.bool() { "SYNC_FLUSH" } else { "ASYNC_FLUSH" });
        // Whatever is older than this goes, and files are short, so that a clock that is believed too soon takes many with it.
        launch
            .settings
            .extend(["fileReservedTime=24", "mappedFileSizeCommitLog=524288", "transactionCheckInterval=1000"].map(str::to_owned));
        launch.environment.extend(shim::environment(&shim, &[("CLOCK_FILE", clock.path.clone())]));
        let data = options.folder.join("data");
        let _ = std::fs::remove_dir_all(&data);
        let mut waiting = Waiting { clock, ledger: Ledger::of_a_jumping_clock(), messages: HashMap::new(), number: 0 };
        let lives = random.u64(2..=LIVES_MAX).min(options.cycles - outcome.cycles);
        for n in 1..=lives {
            counts.life += 1;
            let broker = Broker::start(&launch, &data)?;
            outcome.violations.extend(waiting.live(&broker, &mut counts, &mut random)?);
            broker.kill();
            if random.bool() {
                waiting.clock.set(random.i64(2 * DAY_MS..10 * DAY_MS))?;
            }
            let broker = Broker::start(&launch, &data)?;
            let mut client = broker.connect()?;
            if n == lives {
                // Everything is due now, by whichever clock.
                waiting.clock.set(waiting.clock.farthest_ms + 10_000)?;
                std::thread::sleep(ALL_ARE_DUE);
            }
            let looked = waiting.ledger.look(&mut client, counts.life, MayLose::Nothing, n == lives, &mut random)?;
            outcome.violations.extend(looked.violations);
            waiting.check_times(&mut client, n == lives, &mut outcome.violations)?;
            if !outcome.violations.is_empty() {
                outcome.violations.push(format!("in cycle {}; the log ends with:\n{}", outcome.cycles + 1, tail(&broker.logged())));
                break;
            }
            outcome.cycles += 1;
            broker.kill();
        }
        if outcome.violations.is_empty() {
            outcome.violations.extend(waiting.start_far_ahead(&launch, &data, counts.life, &mut random)?);
        }
        counts.acknowledged += waiting.ledger.acknowledged;
        counts.waited += waiting.messages.len();
        if outcome.violations.is_empty() {
            let (is_sound, text) = verify(&options.binary, &data)?;
            if !is_sound {
                outcome.violations.push(format!("verify: {text}"));
            }
        }
    }
    outcome.figures = vec![
        ("acknowledged", counts.acknowledged.to_string()),
        ("jumps", counts.jumps.to_string()),
        ("messages that waited", counts.waited.to_string()),
    ];
    Ok(outcome)
}

#[derive(Default)]
struct Counts {
    life: u64,
    acknowledged: u64,
    jumps: u64,
    waited: usize,
}

/// The clock that the broker sees: the true one and some.
struct JumpingClock {
    file: File,
    path: String,
    ahead_ms: i64,
    farthest_ms: i64,
    /// When it was set, and to what.
    settings: Vec<(Instant, i64)>,
}

impl JumpingClock {
    fn create(options: &Options) -> Result<JumpingClock, String> {
        let path = options.folder.join("clock");
        let file = File::create(&path).map_err(|error| error.to_string())?;
        let mut clock = JumpingClock { file, path: path.to_string_lossy().into_owned(), ahead_ms: 0, farthest_ms: 0, settings: Vec::new() };
        clock.set(0)?;
        Ok(clock)
    }

    fn set(&mut self, ahead_ms: i64) -> Result<(), String> {
        self.file.write_all_at(&(ahead_ms * 1_000_000).to_ne_bytes(), 0).map_err(|error| error.to_string())?;
        self.settings.push((Instant::now(), ahead_ms));
        self.ahead_ms = ahead_ms;
        self.farthest_ms = self.farthest_ms.max(ahead_ms);
        Ok(())
    }

    /// Seconds or days, forward or back, and now and then to the true time.
    fn jump(&mut self, random: &mut Rng) -> Result<(), String> {
        let far = match random.u8(..4) {
            0 => return self.set(0),
            1 => random.i64(1..10_000),
            2 => random.i64(10_000..7_200_000),
            _ => random.i64(DAY_MS..10 * DAY_MS),
        };
        let ahead_ms = if random.bool() { self.ahead_ms + far } else { self.ahead_ms - far };
        self.set(ahead_ms.clamp(-30 * DAY_MS, 30 * DAY_MS))
    }

    fn now_ms(&self) -> i64 {
        now_ms() + self.ahead_ms
    }

    /// The latest that it has shown between two moments.
    fn latest_ms(&self, from: Instant, to: Instant) -> i64 {
        let ends = self.settings.iter().skip(1).map(|(end, _)| *end).chain([to]);
        let shown = self.settings.iter().zip(ends).filter(|((begin, _), end)| *end >= from && *begin <= to);
        let now = (Instant::now(), now_ms());
        shown.map(|((_, ahead_ms), end)| now.1 - (now.0 - end.min(to)).as_millis() as i64 + ahead_ms).max().unwrap_or(i64::MAX)
    }
}

/// One that waits: since when, how long it should, and until when by the broker's clock.
struct Sent {
    at: Instant,
    wait_ms: i64,
    due_ms: i64,
    /// When a consumer saw it first, if one did.
    seen_after: Option<Duration>,
}

struct Waiting {
    clock: JumpingClock,
    ledger: Ledger,
    messages: HashMap<u64, Sent>,
    number: u64,
}

impl Waiting {
    /// Loads the broker while its clock jumps, and sends what waits.
    fn live(&mut self, broker: &Broker, counts: &mut Counts, random: &mut Rng) -> Result<Vec<String>, String> {
        let load = Load::start(broker, counts.life, LIGHT, random)?;
        let mut client = broker.connect()?;
        let mut violations = Vec::new();
        // Some files of the log are filled at one time, so that they are old by another.
        self.clock.set(0)?;
        load.run(usize::MAX, STEADY, |fact| self.note(fact, &mut violations));
        for _ in 0..random.usize(2..8) {
            self.clock.jump(random)?;
            counts.jumps += 1;
            for _ in 0..random.usize(..6) {
                self.send(&mut client, counts.life, random)?;
            }
            let time = Duration::from_millis(random.u64(10..250));
            load.run(usize::MAX, time, |fact| self.note(fact, &mut violations));
        }
        load.finish(|fact| self.note(fact, &mut violations))?;
        Ok(violations)
    }

    /// A start with a clock that is days ahead, when nothing waits any more: nothing may expire by that.
    fn start_far_ahead(&mut self, launch: &Launch, data: &Path, life: u64, random: &mut Rng) -> Result<Vec<String>, String> {
        self.clock.set(self.clock.farthest_ms + 10 * DAY_MS)?;
        let broker = Broker::start(launch, data)?;
        std::thread::sleep(HOUSEKEEPING);
        let looked = self.ledger.look(&mut broker.connect()?, life, MayLose::Nothing, true, random)?;
        broker.stop()?;
        Ok(looked.violations)
    }

    /// Sends a message that waits a second, or until a time.
    fn send(&mut self, client: &mut Client, life: u64, random: &mut Rng) -> Result<(), String> {
        let wait_ms = if random.bool() { 1000 } else { random.i64(300..2500) };
        let (writer, is_level) = if wait_ms == 1000 { (LATE_WRITER + 1, true) } else { (LATE_WRITER + 2, false) };
        let id = messages::id(life, writer, self.number);
        self.number += 1;
        let mut body = id.to_be_bytes().to_vec();
        body.push(b'L');
        let (at, now_ms) = (Instant::now(), self.clock.now_ms());
        let mark = match is_level {
            true => "DELAY\u{1}1\u{2}".to_owned(),
            false => format!("TIMER_DELIVER_MS\u{1}{}\u{2}", now_ms + wait_ms),
        };
        let (unique, key) = (messages::unique_key(id), messages::shared_key(id));
        let properties = format!("UNIQ_KEY\u{1}{unique}\u{2}KEYS\u{1}{key}\u{2}WAIT\u{1}true\u{2}{mark}");
        let queue = (random.usize(..TOPICS.len()), random.u32(..QUEUES));
        let mut frames = Vec::new();
        let send = Send { topic: TOPICS[queue.0], queue: queue.1, properties: &properties, body: &body, is_batch: false };
        client.put_send(&mut frames, &send);
        let answer = client.write(&frames).and_then(|()| client.next()).map_err(|error| format!("sending: {error}"))?;
        if answer.code != 0 {
            return Err(format!("a message that waits is refused with {} {}", answer.code, answer.remark));
        }
        self.ledger.learn(Fact::Comes { id, when: at }, &mut Vec::new());
        self.messages.insert(id, Sent { at, wait_ms, due_ms: now_ms + wait_ms, seen_after: None });
        Ok(())
    }

    fn note(&mut self, fact: Fact, violations: &mut Vec<String>) {
        match &fact {
            Fact::Refused { code, remark } => violations.push(format!("refused: {code} {remark}")),
            Fact::There { id, when, seen_only: true, .. } => {
                if let Some(sent) = self.messages.get_mut(id) {
                    sent.seen_after.get_or_insert(*when - sent.at);
                }
            }
            _ => {}
        }
        self.ledger.learn(fact, violations);
    }

    /// None came too early, and at the end all have come.
    fn check_times(&mut self, client: &mut Client, all_due: bool, violations: &mut Vec<String>) -> Result<(), String> {
        let mut there = HashSet::new();
        for queue in queues() {
            client.read_queue(TOPICS[queue.0], queue.1, |record| {
                let Some((id, _)) = messages::id_in(record.body) else { return };
                let Some(sent) = self.messages.get(&id) else { return };
                there.insert(id);
                let Some(after) = sent.seen_after else { return };
                let early_ms = sent.due_ms - self.clock.latest_ms(sent.at, sent.at + after);
                if early_ms > 0 && after < Duration::from_millis(sent.wait_ms as u64) {
                    violations.push(format!("a message that should wait {} ms came {early_ms} ms early, after {after:?}", sent.wait_ms));
                }
            })?;
        }
        for (id, sent) in self.messages.iter().filter(|(id, _)| all_due && !there.contains(id)) {
            violations.push(format!("message {id:x}, due at {} and sent {:?} ago, has not come", sent.due_ms, sent.at.elapsed()));
        }
        Ok(())
    }
}

/// Time is what matters here, not load.
const LIGHT: Shape = Shape { writers: 2, readers: 2, late: true, in_flight: 4 };
const DAY_MS: i64 = 86_400_000;
const LIVES_MAX: u64 = 5;
const HOUSEKEEPING: Duration = Duration::from_millis(700);
const STEADY: Duration = Duration::from_millis(400);
const ALL_ARE_DUE: Duration = Duration::from_millis(3000);
