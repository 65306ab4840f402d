//! Is every answer after its flush, also on a slow disk?
//!
//! Every sync takes up to half a second, at random: no answer comes before its flush, what waits too long is told so with the code that is
//! meant for it, and nothing acknowledged is lost, whether the process or the power goes.

use super::shim;
use crate::rig::broker::{Broker, verify};
use crate::torture::contract::{Options, Outcome};
use crate::torture::drive::Drive;
use crate::torture::ledger::{Fact, Ledger, MayLose};
use crate::torture::load::{Load, SHAPE};
use crate::torture::small_store::{launch, tail};
use fastrand::Rng;
use std::time::{Duration, Instant};

/// Cuts the power of brokers with slow disks.
pub fn slow_sync(options: &Options) -> Result<Outcome, String> {
    let shim = shim::build(options)?;
    let mut random = Rng::with_seed(options.seed);
    let mut launch = launch(options, "SYNC_FLUSH");
    launch.settings.push(format!("syncFlushTimeout={}", FLUSH_TIMEOUT.as_millis()));
    let sound = launch.clone();
    launch.environment.extend(shim::environment(&shim, &[("SLOW_MS_MAX", SYNC_MS_MAX.to_string())]));
    let mut outcome = Outcome::default();
    let (mut acknowledged, mut too_late, mut life) = (0, 0, 0);
    while outcome.cycles < options.cycles && outcome.violations.is_empty() {
        let drive = Drive::create(&options.folder, DRIVE_MEBIBYTES)?;
        let data = drive.path().join("data");
        let mut ledger = Ledger::default();
        let lives = random.u64(1..=LIVES_MAX).min(options.cycles - outcome.cycles);
        for n in 1..=lives {
            life += 1;
            let broker = Broker::start(&launch, &data)?;
            let load = Load::start(&broker, life, SHAPE, &mut random)?;
            let mut violations = Vec::new();
            let mut note = |fact: Fact, violations: &mut Vec<String>| {
                if let Fact::Refused { code, remark } = &fact {
                    match *code {
                        FLUSH_DISK_TIMEOUT => too_late += 1,
                        SYSTEM_ERROR if remark.contains("not known to be on the disk in time") => too_late += 1,
                        _ => violations.push(format!("a send is refused with {code} {remark}")),
                    }
                }
                ledger.learn(fact, violations);
            };
            load.run(usize::MAX, Duration::from_millis(random.u64(100..LOAD_MS_MAX)), |fact| note(fact, &mut violations));
            let harmed = Instant::now();
            if random.bool() {
                drive.cut_power()?;
            }
            let log = tail(&broker.logged());
            broker.kill();
            load.finish(|fact| note(fact, &mut violations))?;
            outcome.violations.extend(violations);
            ledger.harmed = Some(harmed);
            drive.remount()?;
            // Every other start is slow as well.
            let broker = Broker::start(if random.bool() { &launch } else { &sound }, &data)?;
            if n == lives {
                std::thread::sleep(DELAYED_ARE_DUE);
            }
            let looked = ledger.look(&mut broker.connect()?, life, MayLose::Nothing, n == lives, &mut random)?;
            outcome.violations.extend(looked.violations);
            if !outcome.violations.is_empty() {
                outcome.violations.push(format!("in cycle {}; before the harm the log ended with:\n{log}", outcome.cycles + 1));
                break;
            }
            outcome.cycles += 1;
            match n == lives {
                true => broker.stop()?,
                false => broker.kill(),
            }
        }
        acknowledged += ledger.acknowledged;
        if outcome.violations.is_empty() {
            let (is_sound, text) = verify(&options.binary, &data)?;
            if !is_sound {
                outcome.violations.push(format!("verify: {text}"));
            }
        }
    }
    outcome.figures = vec![("acknowledged", acknowledged.to_string()), ("told that the flush takes too long", too_late.to_string())];
    Ok(outcome)
}

const DRIVE_MEBIBYTES: u64 = 256;
const LIVES_MAX: u64 = 4;
const SYNC_MS_MAX: u64 = 500;
/// Below what a slow sync may take, so that some answers are that it takes too long.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(450);
const LOAD_MS_MAX: u64 = 3000;
const DELAYED_ARE_DUE: Duration = Duration::from_millis(3500);
const FLUSH_DISK_TIMEOUT: i32 = 10;
const SYSTEM_ERROR: i32 = 1;
