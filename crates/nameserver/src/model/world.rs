//! What is there in a history, and what should a NameServer know of it?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fastrand::Rng;

use crate::testing::Direct;

pub(super) const TOPICS: [&str; 4] = ["T", "U", "V", "W"];
pub(super) const WAIT_MS: u64 = 45_000;
pub(super) const STRANGERS_MS: u64 = 2_000;
pub(super) const NOT_READY: &str = r#"< 1 | "name server not ready""#;

/// A broker as it is.
pub(super) struct Broker {
    pub(super) cluster: &'static str,
    pub(super) name: &'static str,
    pub(super) id: i64,
    pub(super) addr: String,
    /// When it started, of ours.
    pub(super) started: Option<i64>,
    pub(super) runs: bool,
    pub(super) connection: Option<String>,
    /// Older connections whose end has not been noticed.
    pub(super) left: Vec<String>,
    pub(super) topics: BTreeMap<&'static str, i32>,
    pub(super) counter: i64,
}

/// What a NameServer should know of one broker.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) cluster: &'static str,
    pub(super) addr: String,
    pub(super) started: Option<i64>,
    pub(super) connection: String,
    pub(super) superseded: Vec<String>,
    pub(super) seen_ms: u64,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Heard {
    Listed,
    Alone,
    Missed,
}

pub(super) struct Wiped {
    pub(super) started: Option<i64>,
    pub(super) addr: Option<String>,
    pub(super) away_since_ms: Option<u64>,
}

pub(super) struct World {
    pub(super) server: Direct,
    pub(super) rng: Rng,
    pub(super) now_ms: u64,
    pub(super) brokers: Vec<Broker>,
    pub(super) connections: usize,
    pub(super) known: BTreeMap<(&'static str, i64), Known>,
    pub(super) topics: BTreeMap<&'static str, BTreeMap<&'static str, (i32, Heard)>>,
    pub(super) wiped: BTreeMap<&'static str, Wiped>,
    pub(super) awaited: BTreeSet<(&'static str, &'static str, i64)>,
    pub(super) complete: bool,
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
    pub(super) steps: String,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
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

    pub(super) fn note(&mut self, step: String) {
        let _ = writeln!(self.steps, "{step}");
    }

    pub(super) fn forget_empty_groups(&mut self) {
        let known = &self.known;
        self.topics.retain(|name, _| known.keys().any(|(known, _)| known == name));
    }
}

impl Wiped {
    pub(super) fn ends_with(&self, master: &Known) -> bool {
        match (self.started, master.started) {
            (None, None) => self.addr.as_ref().is_some_and(|addr| *addr != master.addr),
            (before, now) => before != now,
        }
    }
}
