//! A broker and everything around it, as scripts use it.
//!
//! ```text
//! # set key=value                    a setting of the broker
//! # file name text                   what a table's file begins with after the stop
//! # found address                    the broker listens everywhere and has found out this address; messages are shown with their broker
//! # show records                     messages are shown with their place, flags and properties
//! # needs IPv6                       passed over on machines that have none
//! + Orders 0 3                       three messages for queue 0 of the topic
//! + Orders 0 1 KEYS=k;TAGS=t;        the same, with these properties
//! * 5                                five ms pass
//! @ Orders 0 3                       waits until there are three messages in the queue: something is stored without a client's request
//! @ Orders 0 from 3 by 329           sends request 329 until the queue begins at offset 3
//! ~ cold                             no file is in memory any more, so that readers have to wait for the disk
//! ~ stuck                            every sync waits from now on, until `~ sound`
//! ~ full                             there is no room for more bytes than are there, until `~ sound`
//! ~ broken                           the next write or sync fails
//! ! restart                          the broker is stopped and started again; every connection is a new one
//! ```

use crate::common::{setup, small};
use crate::messages::{Shows, shown};
use roxmq_broker::settings::BrokerConfig;
use roxmq_broker::{RunningBroker, Setup};
use roxmq_config::{Origin, Setting, load};
use roxmq_env::clock::Clock;
use roxmq_env::disk::{Fault, SimDisk};
use roxmq_remoting::address::Advertised;
use roxmq_scripts::{Connections, Script, Step, World};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A broken test ends after this; nothing depends on it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
const NOW_MS: i64 = 1_800_000_000_000;
/// Answered on the shard, so after what came before it.
const PROBE: &str = "30 topic=Orders queueId=99";

/// A broker and everything around it.
pub struct Broker {
    /// `None` while it restarts.
    running: Option<RunningBroker>,
    config: BrokerConfig,
    disk: SimDisk,
    clock: Clock,
    clients: Connections,
    gate: Arc<Gate>,
    /// The address that the broker has found out.
    found: Option<String>,
    sent: usize,
}

/// What syncs of the disk wait at.
#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn set(&self, is_closed: bool) {
        *self.is_closed.lock().unwrap() = is_closed;
        self.moved.notify_all();
    }

    fn pass(&self) {
        drop(self.moved.wait_while(self.is_closed.lock().unwrap(), |is_closed| *is_closed).unwrap());
    }
}

impl World for Broker {
    fn is_possible(script: &Script) -> bool {
        script.noted("needs").all(|needed| needed == "IPv6" && TcpListener::bind("[::1]:0").is_ok())
    }

    fn start(script: &Script) -> Broker {
        let setting = |line: &str| {
            let (key, value) = line.split_once('=').unwrap();
            Setting { key: key.into(), value: value.into(), origin: Origin::Argument }
        };
        let settings: Vec<Setting> = script.noted("set").map(setting).collect();
        let found = script.noted("found").next();
        let mut config = small(load::<BrokerConfig>(&settings).unwrap().config);
        if found.is_some() {
            config.bind_address = [0, 0, 0, 0].into();
        }
        let (disk, clock) = (SimDisk::new(1), Clock::manual(NOW_MS));
        let gate = Arc::new(Gate::default());
        let passed = Arc::clone(&gate);
        disk.before_each_sync(move || passed.pass());
        let running = start(config.clone(), found, &disk, &clock);
        let shows = match (script.noted("show").next(), found) {
            (Some("records"), _) => Shows::Everything,
            (_, Some(_)) => Shows::Addresses,
            _ => Shows::Bodies,
        };
        let clients = Connections::new(address(&running), PROBE, Box::new(move |bytes| shown(bytes, shows)));
        Broker { running: Some(running), config, found: found.map(str::to_owned), disk, gate, clock, clients, sent: 0 }
    }

    fn step(&mut self, step: &Step) -> String {
        match (step.sign.as_str(), step.rest.as_str()) {
            ("+", what) => self.store(what),
            ("@", what) => self.wait_for(what),
            ("!", "restart") => self.restart(),
            ("~", "cold") => self.disk.forget_cached(),
            ("~", "stuck") => self.gate.set(true),
            ("~", "full") => self.disk.set_capacity(Some(self.disk.used())),
            ("~", "broken") => self.disk.fail_at(self.disk.operations(), Fault::Io),
            ("~", "sound") => {
                self.gate.set(false);
                self.disk.set_capacity(None);
            }
            ("*", ms) => self.clock.advance(Duration::from_millis(ms.parse().unwrap())),
            (sign, rest) => return self.clients.step(step).unwrap_or_else(|| panic!("no step of a script: {sign} {rest}")),
        }
        String::new()
    }

    fn end(self, script: &Script) {
        drop(self.clients);
        // A stop syncs.
        self.gate.set(false);
        self.running.unwrap().stop();
        for line in script.noted("file") {
            let (file, content) = line.split_once(' ').unwrap();
            let bytes = self.disk.disk().read(&PathBuf::from("roxmq-data/config").join(file)).unwrap().unwrap();
            let seen = String::from_utf8(bytes).unwrap();
            assert!(seen.starts_with(content), "{file}: {seen}");
        }
    }
}

impl Broker {
    fn restart(&mut self) {
        self.clients.restart(SocketAddr::from(([127, 0, 0, 1], 0)));
        self.running.take().unwrap().stop();
        let running = start(self.config.clone(), self.found.as_deref(), &self.disk, &self.clock);
        self.clients.restart(address(&running));
        self.running = Some(running);
    }

    /// `topic queue end`, or `topic queue from beginning by code`.
    fn wait_for(&mut self, what: &str) {
        let words: Vec<&str> = what.split(' ').collect();
        let (code, offset, by) = match words[2..] {
            [offset] => (30, offset, None),
            ["from", offset, "by", code] => (31, offset, Some(code)),
            _ => panic!("not a place in a queue"),
        };
        let request = format!("waits {code} topic={} queueId={}", words[0], words[1]);
        let deadline = Instant::now() + PATIENCE;
        while self.clients.ask(&request, b"") != format!("< 0 offset={offset}\n") {
            assert!(Instant::now() < deadline, "it does not come");
            by.map(|code| self.clients.ask(&format!("waits {code}"), b""));
            std::thread::yield_now();
        }
    }

    /// `topic queue count`, and the properties if there is a fourth word.
    fn store(&mut self, what: &str) {
        let words: Vec<&str> = what.split(' ').collect();
        for _ in 0..words[2].parse().unwrap() {
            self.sent += 1;
            let properties = words.get(3).unwrap_or(&"").replace('=', "\\u0001").replace(';', "\\u0002");
            let fields = format!("a=p b={} c=TBW102 d=4 e={} f=0 g=0 h=0 i={properties} j=0 k=false m=false", words[0], words[1]);
            let answer = self.clients.ask(&format!("store 310 {fields}"), format!("body {}", self.sent).as_bytes());
            assert!(answer.starts_with("< 0"), "{answer}");
        }
    }
}

fn address(running: &RunningBroker) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], running.addresses()[0].port()))
}

/// `found` is an address that the broker has found out, if none is configured.
fn start(config: BrokerConfig, found: Option<&str>, disk: &SimDisk, clock: &Clock) -> RunningBroker {
    let setup = Setup {
        advertised: match (&config.broker_ip1, found) {
            (Some(host), _) => Advertised::Configured(host.clone()),
            (None, Some(host)) => Advertised::Found(host.into()),
            (None, None) => Advertised::Configured("127.0.0.1".into()),
        },
        ..setup(config, clock, disk.disk())
    };
    RunningBroker::start(setup).unwrap()
}
