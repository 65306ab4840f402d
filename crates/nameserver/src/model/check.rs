//! Does the NameServer answer as the model says?

use super::world::{NOT_READY, TOPICS, World};

impl World {
    /// Is the NameServer complete? Asking makes it so.
    pub(super) fn look(&mut self) {
        let known = &self.known;
        self.awaited.retain(|(cluster, name, id)| known.get(&(*name, *id)).is_none_or(|known| known.cluster != *cluster));
        if !self.complete && (self.now_ms >= self.until_ms || (self.now_ms >= self.from_ms && self.awaited.is_empty())) {
            self.complete = true;
            self.awaited.clear();
        }
        let answer = self.server.ask("tool 106", "");
        assert_eq!(answer == NOT_READY, !self.complete, "{answer}");
    }

    pub(super) fn check(&mut self) {
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
