//! What do operators do, and what does time do?

use std::collections::BTreeMap;

use super::world::{NOT_READY, STRANGERS_MS, WAIT_MS, Wiped, World};
use crate::table::SILENCE_MAX;

impl World {
    pub(super) fn wipe(&mut self, name: &'static str) {
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

    pub(super) fn allow(&mut self, name: &'static str) {
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

    pub(super) fn wait(&mut self, ms: u64) {
        self.note(format!("wait {ms}"));
        // Asked before as well: brokers that have come by then are known to have come.
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

    pub(super) fn restart(&mut self) {
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
}
