//! What happens when the disk is full, and when it has room again?
//!
//! The disk is filled, from outside up to its last byte or by the messages themselves, and drained again.
//!
//! While it is full, sends are refused with a code of their own, reads and commits go on, and no process dies. Within a second after there is
//! space, sends are taken again, without a restart.

use crate::rig::broker::{Broker, verify};
use crate::rig::client::{CONSUMERS, Client};
use crate::torture::contract::{Options, Outcome};
use crate::torture::drive::Drive;
use crate::torture::ledger::{Fact, Ledger, MayLose};
use crate::torture::messages::{QUEUES, TOPICS};
use crate::torture::single::{self, Sent};
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use roxmq_protocol::request::UpdateConsumerOffset;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

/// Fills and drains.
pub fn fill_and_drain(options: &Options) -> Result<Outcome, String> {
    let mut random = Rng::with_seed(options.seed);
    let mut outcome = Outcome::default();
    let (mut resumed_ms, mut refusals, mut acknowledged, mut compared) = (Vec::new(), 0, 0, 0);
    while outcome.cycles < options.cycles && outcome.violations.is_empty() {
        let flush = if random.bool() { "SYNC_FLUSH" } else { "ASYNC_FLUSH" };
        let mut launch = launch(options, flush);
        launch.settings.push("diskReserveBytes=4194304".to_owned());
        let drive = Drive::create(&options.folder, DRIVE_MEBIBYTES)?;
        let data = drive.path().join("data");
        let ballast = drive.path().join("ballast");
        let mut broker = Broker::start(&launch, &data)?;
        let mut filling =
            Filling { client: broker.connect()?, ledger: Ledger::default(), random: random.fork(), number: 0, violations: Vec::new() };
        for _ in 0..FOLDER_CYCLES.min(options.cycles - outcome.cycles) {
            filling.send_for(Duration::from_millis(20))?;
            // To the last byte, or so that only the reserve is touched.
            let left = if random.bool() { 0 } else { random.u64(0..4 << 20) };
            fill(&ballast, left)?;
            let refused = filling.send_until_refused()?;
            refusals += refused;
            filling.check_reads_go_on()?;
            if let Some(status) = broker.ended() {
                filling.violations.push(format!("the broker ended with {status}"));
            }
            std::fs::remove_file(&ballast).map_err(|error| error.to_string())?;
            if free_in(drive.path())? < ROOM_FOR_A_CYCLE {
                break;
            }
            resumed_ms.push(filling.resumed()?);
            outcome.cycles += 1;
            if !filling.violations.is_empty() {
                filling.violations.push(format!("in cycle {}; {}", outcome.cycles, tail(&broker.logged())));
                break;
            }
        }
        outcome.violations.append(&mut filling.violations);
        let Filling { mut ledger, mut client, .. } = filling;
        let looked = ledger.look(&mut client, 1, MayLose::Nothing, true, &mut random)?;
        outcome.violations.extend(looked.violations);
        drop(client);
        broker.stop()?;
        let (is_sound, text) = verify(&options.binary, &data)?;
        if !is_sound {
            outcome.violations.push(format!("verify: {text}"));
        }
        acknowledged += ledger.acknowledged;
        compared += ledger.compared;
    }
    resumed_ms.sort_unstable();
    outcome.figures = vec![
        ("acknowledged", acknowledged.to_string()),
        ("compared", compared.to_string()),
        ("refusals", refusals.to_string()),
        (
            "sends resumed after ms median/max",
            format!("{}/{}", resumed_ms.get(resumed_ms.len() / 2).unwrap_or(&0), resumed_ms.last().unwrap_or(&0)),
        ),
    ];
    Ok(outcome)
}

/// Bytes that can still be written.
fn free_in(folder: &Path) -> Result<u64, String> {
    rustix::fs::statvfs(folder).map(|stat| stat.f_bavail * stat.f_frsize).map_err(|error| error.to_string())
}

/// Takes all the room but this many bytes.
fn fill(ballast: &Path, left: u64) -> Result<(), String> {
    let file = File::create(ballast).map_err(|error| error.to_string())?;
    let folder = ballast.parent().unwrap_or(ballast);
    let mut taken = 0;
    loop {
        let free = free_in(folder)?;
        let take = free.saturating_sub(left).min(8 << 20) & !4095;
        if take == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), taken, take) {
            Ok(()) => taken += take,
            // What little is left is the file system's own.
            Err(rustix::io::Errno::NOSPC) if take > 4096 => {
                let _ = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), taken, 4096);
                return Ok(());
            }
            Err(rustix::io::Errno::NOSPC) => return Ok(()),
            Err(error) => return Err(format!("filling the disk: {error}")),
        }
    }
}

struct Filling {
    client: Client,
    ledger: Ledger,
    random: Rng,
    number: u64,
    violations: Vec<String>,
}

impl Filling {
    /// Sends one message.
    fn send(&mut self) -> Result<Sent, String> {
        self.number += 1;
        let queue = (self.random.usize(..TOPICS.len()), self.random.u32(..QUEUES));
        let bytes = self.random.usize(20..30_000);
        single::send(&mut self.client, &mut self.ledger, &mut self.violations, self.number - 1, queue, bytes)
    }

    fn send_for(&mut self, time: Duration) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < time {
            if let Sent::Refused(code, remark) = self.send()? {
                self.violations.push(format!("refused although there is room: {code} {remark}"));
                break;
            }
        }
        Ok(())
    }

    /// Sends until the disk is full, and some more; how many were refused.
    fn send_until_refused(&mut self) -> Result<u64, String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut refused = 0;
        while refused < 20 {
            match self.send()? {
                Sent::Acknowledged if Instant::now() > deadline => {
                    self.violations.push("sends are taken although the reserve is touched".to_owned());
                    return Ok(refused);
                }
                Sent::Acknowledged => {}
                Sent::Refused(SERVICE_NOT_AVAILABLE, remark) if remark.contains("disk is full") => refused += 1,
                Sent::Refused(code, remark) => {
                    self.violations.push(format!("a full disk is answered with {code} {remark}"));
                    return Ok(refused);
                }
            }
        }
        Ok(refused)
    }

    fn check_reads_go_on(&mut self) -> Result<(), String> {
        let queue = (self.random.usize(..TOPICS.len()), self.random.u32(..QUEUES));
        let end = self.client.read_queue(TOPICS[queue.0], queue.1, |_| ())?;
        let commit = UpdateConsumerOffset {
            consumer_group: CONSUMERS.into(),
            topic: TOPICS[queue.0].into(),
            queue_id: queue.1 as i32,
            commit_offset: end,
        };
        self.ledger.learn(Fact::Committed { queue, offset: end }, &mut self.violations);
        let answer = self.client.call(&commit, b"").map_err(|error| format!("committing: {error}"))?;
        if answer.code != 0 {
            self.violations.push(format!("a commit on a full disk is answered {} {}", answer.code, answer.remark));
        }
        Ok(())
    }

    /// How long sends are still refused now that there is room, in ms.
    fn resumed(&mut self) -> Result<u64, String> {
        let freed = Instant::now();
        loop {
            match self.send()? {
                Sent::Acknowledged => break,
                Sent::Refused(code, remark) if freed.elapsed() > Duration::from_secs(10) => {
                    self.violations.push(format!("sends do not go on: {code} {remark}"));
                    break;
                }
                Sent::Refused(..) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        let took = freed.elapsed();
        if took > RESUMES_WITHIN {
            self.violations.push(format!("sends went on {took:?} after there was room"));
        }
        Ok(took.as_millis() as u64)
    }
}

const DRIVE_MEBIBYTES: u64 = 256;
/// The log has taken the rest: the next cycle begins on an empty drive.
const ROOM_FOR_A_CYCLE: u64 = 96 << 20;
const FOLDER_CYCLES: u64 = 20;
const SERVICE_NOT_AVAILABLE: i32 = 14;
const RESUMES_WITHIN: Duration = Duration::from_secs(1);
