//! A small reference model of what brokers and operators say to NameServers, and random histories that compare the NameServer with it.
//!
//! The brokers of a history are actors: they know their topics and connections, and speak as ours or as Java's do. The model keeps what a
//! NameServer should know of them. After every step all that can be asked of the NameServer is asked.
//!
//! A history that fails prints its number and its steps, and does the same when it is run again: `ROXMQ_MODEL_SEED=N` runs that one alone,
//! `ROXMQ_MODEL_CASES` says how many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fastrand::Rng;

use crate::table::SILENCE_MAX;
use crate::testing::Direct;

const CASES: u64 = 300;
const STEPS: usize = 60;
const TOPICS: [&str; 4] = ["T", "U", "V", "W"];
const WAIT_MS: u64 = 45_000;
const STRANGERS_MS: u64 = 2_000;

/// A broker as it is.
struct Broker {
    cluster: &'static str,
    name: &'static str,
    id: i64,
    addr: String,
    /// When it started, of ours.
    started: Option<i64>,
    runs: bool,
    connection: Option<String>,
    /// Older connections whose end has not been noticed.
    left: Vec<String>,
    topics: BTreeMap<&'static str, i32>,
    counter: i64,
}

/// What a NameServer should know of one broker.
#[derive(Clone)]
struct Known {
    cluster: &'static str,
    addr: String,
    started: Option<i64>,
    connection: String,
    superseded: Vec<String>,
    seen_ms: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Told {
    Listed,
    Alone,
    Missed,
}

struct Wiped {
    started: Option<i64>,
    addr: Option<String>,
    away_since_ms: Option<u64>,
}

struct World {
    server: Direct,
    rng: Rng,
    now_ms: u64,
    brokers: Vec<Broker>,
    connections: usize,
    known: BTreeMap<(&'static str, i64), Known>,
    topics: BTreeMap<&'static str, BTreeMap<&'static str, (i32, Told)>>,
    wiped: BTreeMap<&'static str, Wiped>,
    awaited: BTreeSet<(&'static str, &'static str, i64)>,
    complete: bool,
    from_ms: u64,
    until_ms: u64,
    steps: String,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::with_seed(seed);
        // a and b were given one address; so were both brokers of c.
        let of = [("x", "a", 0, 1), ("x", "b", 0, 1), ("y", "c", 0, 2), ("y", "c", 1, 2), ("x", "d", 0, 3)];
        let brokers = of.map(|(cluster, name, id, host)| Broker {
            cluster,
            name,
            id,
            addr: format!("10.0.0.{host}:1"),
            started: (id == 0 && rng.bool()).then_some(1),
            runs: false,
            connection: None,
            left: Vec::new(),
            topics: BTreeMap::new(),
            counter: 1,
        });
        World {
            server: Direct::new(&[("needWaitForService", "true")]),
            rng,
            now_ms: 0,
            brokers: brokers.into(),
            connections: 0,
            known: BTreeMap::new(),
            topics: BTreeMap::new(),
            wiped: BTreeMap::new(),
            awaited: BTreeSet::new(),
            complete: false,
            from_ms: STRANGERS_MS,
            until_ms: WAIT_MS,
            steps: String::new(),
        }
    }

    fn note(&mut self, step: String) {
        let _ = writeln!(self.steps, "{step}");
    }

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
        self.server.server.save_roster().unwrap();
    }

    fn header(&self, number: usize) -> String {
        let Broker { cluster, name, id, addr, started, .. } = &self.brokers[number];
        let started = started.map(|started| format!(" roxmqStarted={started}")).unwrap_or_default();
        format!("clusterName={cluster} brokerName={name} brokerId={id} brokerAddr={addr}{started}")
    }

    fn list(topics: &BTreeMap<&str, i32>, counter: i64) -> String {
        let topics = topics.iter().map(|(topic, perm)| format!(r#""{topic}":{{"topicName":"{topic}","perm":{perm}}}"#));
        let topics = topics.collect::<Vec<_>>().join(",");
        let version = format!(r#""dataVersion":{{"counter":{counter},"stateVersion":0,"timestamp":1}}"#);
        format!(r#"{{"topicConfigSerializeWrapper":{{"topicConfigTable":{{{topics}}},{version}}}}}"#)
    }

    fn all_topics(&self, number: usize) -> BTreeMap<&'static str, i32> {
        let broker = &self.brokers[number];
        let system = ["SELF_TEST_TOPIC", "BenchmarkTest", broker.name, broker.cluster].map(|topic| (topic, 6));
        broker.topics.iter().map(|(topic, perm)| (*topic, *perm)).chain(system).collect()
    }

    fn register(&mut self, number: usize) {
        self.connect(number);
        let list = self.all_topics(number);
        self.send_list(number, &list);
    }

    /// It runs and has a connection.
    fn connect(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        if !broker.runs {
            broker.runs = true;
            broker.started = broker.started.map(|started| started + 1);
            if self.rng.u8(..4) == 0 {
                broker.addr = format!("10.0.1.{}:1", self.connections);
            }
        }
        if broker.connection.is_none() {
            self.connections += 1;
            broker.connection = Some(format!("n{}", self.connections));
        }
    }

    fn send_list(&mut self, number: usize, list: &BTreeMap<&'static str, i32>) {
        let broker = &self.brokers[number];
        let connection = broker.connection.clone().unwrap();
        let (name, id, counter) = (broker.name, broker.id, broker.counter);
        let known = Known {
            cluster: broker.cluster,
            addr: broker.addr.clone(),
            started: broker.started,
            connection: connection.clone(),
            superseded: Vec::new(),
            seen_ms: self.now_ms,
        };
        self.note(format!("register {connection} {} {:?} {counter}", self.header(number), list.keys()));
        let request = format!("{connection} 103 {}", self.header(number));
        let answer = self.server.ask(&request, World::list(list, counter));
        assert!(answer.starts_with("< 0"), "{answer}");

        if id == 0 && self.wiped.get(name).is_some_and(|wiped| wiped.ends_with(&known)) {
            self.wiped.remove(name);
        }
        self.take(name, id, known);
        if id == 0 {
            let is_ours = self.brokers[number].started.is_some();
            let told = self.topics.entry(name).or_default();
            if list.contains_key("SELF_TEST_TOPIC") {
                told.retain(|topic, (_, told)| match told {
                    _ if list.contains_key(topic) => true,
                    Told::Alone if !is_ours => {
                        *told = Told::Missed;
                        true
                    }
                    _ => false,
                });
            }
            told.extend(list.iter().map(|(topic, perm)| (*topic, (*perm, Told::Listed))));
        }
    }

    fn take(&mut self, name: &'static str, id: i64, known: Known) {
        let before = self.known.get(&(name, id)).filter(|before| before.addr == known.addr);
        let mut superseded = before.map(|before| before.superseded.clone()).unwrap_or_default();
        superseded.extend(before.map(|before| before.connection.clone()));
        superseded.retain(|connection| *connection != known.connection);
        self.known.insert((name, id), Known { superseded, ..known });
    }

    /// The connection breaks, and the NameServer hears of it later, perhaps much later.
    fn reconnect(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        let Some(connection) = broker.connection.take() else { return };
        broker.left.push(connection.clone());
        self.note(format!("{connection} breaks"));
        match self.rng.bool() {
            true => self.register(number),
            false => self.lose_old_connection(number),
        }
    }

    fn stop(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        let Some(connection) = broker.connection.take() else { return };
        broker.runs = false;
        broker.left.push(connection.clone());
        let request = format!("{connection} 104 {}", self.header(number));
        self.goodbye(number, &connection, &request);
    }

    fn goodbye(&mut self, number: usize, connection: &str, request: &str) {
        self.note(request.to_owned());
        assert_eq!(self.server.ask(request, ""), "< 0");
        let Broker { cluster, name, id, addr, .. } = &self.brokers[number];
        let (name, id) = (*name, *id);
        let is_meant = |known: &Known| {
            known.cluster == *cluster && known.addr == *addr && !known.superseded.iter().any(|superseded| superseded == connection)
        };
        if self.known.get(&(name, id)).is_some_and(is_meant) {
            self.known.remove(&(name, id));
            if id == 0 && self.wiped.get(name).is_some_and(|wiped| wiped.started.is_none()) {
                self.wiped.remove(name);
            }
        }
        self.forget_empty_groups();
    }

    /// It ends without a goodbye; its connection is seen to end at once, or later.
    fn kill(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        let Some(connection) = broker.connection.take() else { return };
        broker.runs = false;
        broker.left.push(connection.clone());
        self.note(format!("{connection} is left by a killed broker"));
        if self.rng.bool() {
            self.lose_old_connection(number);
        }
    }

    fn lose_old_connection(&mut self, number: usize) {
        let Some(connection) = self.brokers[number].left.pop() else { return };
        self.note(format!("close {connection}"));
        self.server.close(&connection);
        self.known.retain(|_, known| known.connection != connection);
        self.forget_empty_groups();
    }

    fn late_goodbye(&mut self, number: usize) {
        let Some(connection) = self.brokers[number].left.last().cloned() else { return };
        let request = format!("{connection} 104 {}", self.header(number));
        self.goodbye(number, &connection, &request);
    }

    fn make_topic(&mut self, number: usize) {
        let (topic, perm) = (TOPICS[self.rng.usize(..TOPICS.len())], [6, 6, 4, 2][self.rng.usize(..4)]);
        let broker = &mut self.brokers[number];
        if broker.id != 0 || !broker.runs || broker.topics.get(topic) == Some(&perm) {
            return;
        }
        broker.topics.insert(topic, perm);
        broker.counter += 1;
        let (name, is_ours) = (broker.name, broker.started.is_some());
        let is_known = self.known.get(&(name, 0)).is_some_and(|known| Some(&known.connection) == broker.connection.as_ref());
        // Not every change is announced by itself.
        if !is_known || self.rng.u8(..4) == 0 {
            return;
        }
        let connection = broker.connection.clone().unwrap();
        if !is_ours && self.rng.bool() {
            // As Java's did before 5.0; of several topics at once where several changed.
            let mut some = self.brokers[number].topics.clone();
            some.retain(|other, _| *other == topic || self.rng.bool());
            return self.send_list(number, &some);
        }
        self.note(format!("{connection} announces {topic} alone on {name}, {perm}"));
        let body = format!(
            r#"{{"queueDatas":[{{"brokerName":"{name}","readQueueNums":16,"writeQueueNums":16,"perm":{perm},"topicSysFlag":0}}]}}"#
        );
        assert_eq!(self.server.ask(&format!("{connection} 217 topic={topic}"), &body), "< 0");
        let told = self.topics.entry(name).or_default();
        let how = told.get(topic).map_or(Told::Alone, |(_, how)| *how);
        told.insert(topic, (perm, how));
    }

    /// Ours tell of it at once, Java's with their next list.
    fn delete_topic(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        let topic = TOPICS[self.rng.usize(..TOPICS.len())];
        if !broker.runs || broker.topics.remove(topic).is_none() {
            return;
        }
        broker.counter += 1;
        let is_ours = broker.started.is_some();
        self.note(format!("delete {topic} on {}", self.brokers[number].name));
        if is_ours && self.brokers[number].connection.is_some() {
            self.register(number);
        }
    }

    /// A list that was made before the one that is known comes after it, on the same connection.
    fn overtaken_list(&mut self, number: usize) {
        let broker = &self.brokers[number];
        let known = self.known.get(&(broker.name, broker.id));
        let Some(connection) = broker.connection.clone().filter(|connection| known.is_some_and(|known| known.connection == *connection))
        else {
            return;
        };
        // The NameServer knows the counter of the last list; this is from before all of them.
        let list = [("SELF_TEST_TOPIC", 6), ("BenchmarkTest", 6), (broker.name, 6), (broker.cluster, 6), ("OLD", 6)].into();
        self.note(format!("overtaken list on {connection}"));
        let request = format!("{connection} 103 {}", self.header(number));
        assert!(self.server.ask(&request, World::list(&list, 0)).starts_with("< 0"));
        let key = (self.brokers[number].name, self.brokers[number].id);
        let now_ms = self.now_ms;
        self.known.entry(key).and_modify(|known| known.seen_ms = now_ms);
    }

    fn wipe(&mut self, name: &'static str) {
        self.look();
        self.note(format!("wipe {name}"));
        let is_there = self.known.keys().any(|(known, _)| *known == name);
        let topics = self.topics.get(name).map_or(0, BTreeMap::len);
        let expected = match (is_there, self.complete) {
            (true, _) => format!("< 0 wipeTopicCount={topics}"),
            (false, true) => "< 0 wipeTopicCount=0".to_owned(),
            (false, false) => NOT_READY.to_owned(),
        };
        assert_eq!(self.server.ask(&format!("tool 205 brokerName={name}"), ""), expected);
        if is_there {
            let master = self.known.get(&(name, 0));
            let (started, addr) = (master.and_then(|master| master.started), master.map(|master| master.addr.clone()));
            self.wiped.insert(name, Wiped { started, addr, away_since_ms: None });
        }
    }

    fn allow(&mut self, name: &'static str) {
        self.look();
        self.note(format!("allow {name}"));
        let is_there = self.known.keys().any(|(known, _)| *known == name);
        let answer = self.server.ask(&format!("tool 327 brokerName={name}"), "");
        if !is_there && !self.complete {
            return assert_eq!(answer, NOT_READY);
        }
        assert_eq!(answer, format!("< 0 addTopicCount={}", self.topics.get(name).map_or(0, BTreeMap::len)));
        self.wiped.remove(name);
    }

    fn heartbeat(&mut self, number: usize) {
        let broker = &self.brokers[number];
        let Some(connection) = &broker.connection else { return };
        let Broker { cluster, name, addr, id, .. } = broker;
        let request = format!("{connection} 904 clusterName={cluster} brokerName={name} brokerAddr={addr} brokerId={id}");
        let (key, addr, now_ms) = ((*name, *id), addr.clone(), self.now_ms);
        assert_eq!(self.server.ask(&request, ""), "< 0");
        self.note(request);
        self.known.entry(key).and_modify(|known| known.seen_ms = if known.addr == addr { now_ms } else { known.seen_ms });
    }

    fn wait(&mut self, ms: u64) {
        self.note(format!("wait {ms}"));
        // Direct before as well: who has come by then is known to have come.
        self.look();
        self.server.wait(ms);
        self.now_ms += ms;
        let (now_ms, silence_ms) = (self.now_ms, SILENCE_MAX.as_millis() as u64);
        self.known.retain(|_, known| known.seen_ms + silence_ms >= now_ms);
        self.forget_empty_groups();
        let known = &self.known;
        self.wiped.retain(|name, wiped| {
            if known.contains_key(&(name, 0)) {
                wiped.away_since_ms = None;
                return true;
            }
            let since = *wiped.away_since_ms.get_or_insert(now_ms);
            wiped.started.is_some() || now_ms - since <= silence_ms
        });
    }

    /// Goodbyes of brokers that are not registered so.
    fn strays(&mut self, number: usize) {
        let Broker { cluster, name, id, addr, .. } = &self.brokers[number];
        let strays = [
            format!("clusterName=z brokerName={name} brokerId={id} brokerAddr={addr}"),
            format!("clusterName={cluster} brokerName=z brokerId={id} brokerAddr={addr}"),
            format!("clusterName={cluster} brokerName={name} brokerId=7 brokerAddr={addr}"),
            format!("clusterName={cluster} brokerName={name} brokerId={id} brokerAddr=10.9.9.9:1"),
        ];
        for stray in strays {
            assert_eq!(self.server.ask(&format!("tool 104 {stray}"), ""), "< 0");
            self.note(format!("stray goodbye {stray}"));
        }
    }

    fn restart(&mut self) {
        self.note("restart".into());
        self.look();
        let known = self.known.iter().map(|((name, id), known)| (known.cluster, *name, *id));
        self.awaited.extend(known);
        self.server.restart();
        self.known.clear();
        self.topics.clear();
        self.wiped.values_mut().for_each(|wiped| wiped.away_since_ms = None);
        for broker in &mut self.brokers {
            broker.connection = None;
            broker.left.clear();
        }
        self.complete = false;
        self.from_ms = self.now_ms + if self.awaited.is_empty() { STRANGERS_MS } else { 0 };
        self.until_ms = self.now_ms + WAIT_MS;
    }

    fn forget_empty_groups(&mut self) {
        let known = &self.known;
        self.topics.retain(|name, _| known.keys().any(|(known, _)| known == name));
    }

    /// Is the NameServer complete? Asking makes it so.
    fn look(&mut self) {
        let known = &self.known;
        self.awaited.retain(|(cluster, name, id)| known.get(&(*name, *id)).is_none_or(|known| known.cluster != *cluster));
        if !self.complete && (self.now_ms >= self.until_ms || (self.now_ms >= self.from_ms && self.awaited.is_empty())) {
            self.complete = true;
            self.awaited.clear();
        }
        let answer = self.server.ask("tool 106", "");
        assert_eq!(answer == NOT_READY, !self.complete, "{answer}");
    }

    fn check(&mut self) {
        self.look();
        if !self.complete {
            assert_eq!(self.server.ask("tool 206", ""), NOT_READY);
            assert_eq!(self.server.ask("tool 105 topic=T", ""), NOT_READY);
            return;
        }
        let answer = self.server.ask("tool 106", "");
        for name in ["a", "b", "c", "d"] {
            let addrs = self.known.range((name, 0)..=(name, i64::MAX)).map(|((_, id), known)| format!(r#"{id}:"{}""#, known.addr));
            let addrs = addrs.collect::<Vec<_>>().join(",");
            let shown = format!(r#""{name}":{{"brokerAddrs":{{{addrs}}}"#);
            assert_eq!(answer.contains(&shown), !addrs.is_empty(), "{shown} in {answer}");
        }
        for topic in TOPICS.into_iter().chain(["OLD", "SELF_TEST_TOPIC", "a"]) {
            let answer = self.server.ask(&format!("tool 105 topic={topic}"), "");
            let holders = self.topics.iter().filter_map(|(name, topics)| Some((*name, topics.get(topic)?.0)));
            let holders: Vec<String> = holders
                .map(|(name, perm)| (name, if self.wiped.contains_key(name) { perm & !2 } else { perm }))
                .map(|(name, perm)| {
                    format!(r#"{{"brokerName":"{name}","perm":{perm},"readQueueNums":16,"topicSysFlag":0,"writeQueueNums":16}}"#)
                })
                .collect();
            match holders.is_empty() {
                true => assert!(answer.starts_with("< 17 "), "{topic}: {answer}"),
                false => assert!(answer.contains(&format!(r#""queueDatas":[{}]"#, holders.join(","))), "{topic}: {answer} {holders:?}"),
            }
        }
    }
}

impl Wiped {
    fn ends_with(&self, master: &Known) -> bool {
        match (self.started, master.started) {
            (None, None) => self.addr.as_ref().is_some_and(|addr| *addr != master.addr),
            (before, now) => before != now,
        }
    }
}

const NOT_READY: &str = r#"< 1 | "name server not ready""#;

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
