//! A small reference model of what brokers and operators say to NameServers, and random histories that compare the NameServer with it.
//!
//! The brokers of a history are actors: they know their topics and connections, and speak as ours or as Java's do. The model keeps what a
//! NameServer should know of them. After every step all that can be asked of the NameServer is asked.
//!
//! A history that fails prints its number and its steps, and does the same when it is run again: `ROXMQ_MODEL_SEED=N` runs that one alone,
//! `ROXMQ_MODEL_CASES` says how many there are.

mod brokers;
mod check;
mod operators;
mod world;

use world::World;

const CASES: u64 = 300;
const STEPS: usize = 60;

impl World {
    /// Something happens.
    fn step(&mut self) {
        let number = self.rng.usize(..self.brokers.len());
        let name = self.brokers[number].name;
        match self.rng.u8(..26) {
            0..=4 => self.register(number),
            5 => self.reconnect(number),
            6 => self.stop(number),
            7 => self.kill(number),
            8 => self.lose_old_connection(number),
            9..=11 => self.make_topic(number),
            12..=13 => self.delete_topic(number),
            14 => self.overtaken_list(number),
            15..=16 => self.wipe(name),
            17 => self.allow(name),
            18..=19 => self.wait(1_000),
            20 => self.wait(31_000),
            21 => self.wait(61_000),
            22 => self.strays(number),
            23 => self.heartbeat(number),
            24 => self.late_goodbye(number),
            _ => self.restart(),
        }
        self.server.server.save_brokers().unwrap();
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..STEPS {
            world.step();
            world.check();
        }
    }));
    if let Err(panic) = outcome {
        println!("{}ROXMQ_MODEL_SEED={seed}", world.steps);
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn random_histories_of_brokers_and_operators() {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    match number("ROXMQ_MODEL_SEED") {
        Some(seed) => run(seed),
        None => {
            let first = fastrand::u64(..1 << 40);
            (first..first + number("ROXMQ_MODEL_CASES").unwrap_or(CASES)).for_each(run);
        }
    }
}
