//! What do brokers do, and what should the NameServer make of it?

use std::collections::BTreeMap;

use super::world::{Broker, Heard, Known, TOPICS, World};

impl World {
    pub(super) fn header(&self, number: usize) -> String {
        let Broker { cluster, name, id, addr, started, .. } = &self.brokers[number];
        let started = started.map(|started| format!(" roxmqStarted={started}")).unwrap_or_default();
        format!("clusterName={cluster} brokerName={name} brokerId={id} brokerAddr={addr}{started}")
    }

    pub(super) fn list(topics: &BTreeMap<&str, i32>, counter: i64) -> String {
        let topics = topics.iter().map(|(topic, perm)| format!(r#""{topic}":{{"topicName":"{topic}","perm":{perm}}}"#));
        let topics = topics.collect::<Vec<_>>().join(",");
        let version = format!(r#""dataVersion":{{"counter":{counter},"stateVersion":0,"timestamp":1}}"#);
        format!(r#"{{"topicConfigSerializeWrapper":{{"topicConfigTable":{{{topics}}},{version}}}}}"#)
    }

    pub(super) fn all_topics(&self, number: usize) -> BTreeMap<&'static str, i32> {
        let broker = &self.brokers[number];
        let system = ["SELF_TEST_TOPIC", "BenchmarkTest", broker.name, broker.cluster].map(|topic| (topic, 6));
        broker.topics.iter().map(|(topic, perm)| (*topic, *perm)).chain(system).collect()
    }

    pub(super) fn register(&mut self, number: usize) {
        self.connect(number);
        let list = self.all_topics(number);
        self.send_list(number, &list);
    }

    /// It runs and has a connection.
    pub(super) fn connect(&mut self, number: usize) {
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

    pub(super) fn send_list(&mut self, number: usize, list: &BTreeMap<&'static str, i32>) {
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
                    Heard::Alone if !is_ours => {
                        *told = Heard::Missed;
                        true
                    }
                    _ => false,
                });
            }
            told.extend(list.iter().map(|(topic, perm)| (*topic, (*perm, Heard::Listed))));
        }
    }

    pub(super) fn take(&mut self, name: &'static str, id: i64, known: Known) {
        let before = self.known.get(&(name, id)).filter(|before| before.addr == known.addr);
        let mut superseded = before.map(|before| before.superseded.clone()).unwrap_or_default();
        superseded.extend(before.map(|before| before.connection.clone()));
        superseded.retain(|connection| *connection != known.connection);
        self.known.insert((name, id), Known { superseded, ..known });
    }

    /// The connection breaks, and the NameServer hears of it later, perhaps much later.
    pub(super) fn reconnect(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        let Some(connection) = broker.connection.take() else { return };
        broker.left.push(connection.clone());
        self.note(format!("{connection} breaks"));
        match self.rng.bool() {
            true => self.register(number),
            false => self.lose_old_connection(number),
        }
    }

    pub(super) fn stop(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        let Some(connection) = broker.connection.take() else { return };
        broker.runs = false;
        broker.left.push(connection.clone());
        let request = format!("{connection} 104 {}", self.header(number));
        self.goodbye(number, &connection, &request);
    }

    pub(super) fn goodbye(&mut self, number: usize, connection: &str, request: &str) {
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
    pub(super) fn kill(&mut self, number: usize) {
        let broker = &mut self.brokers[number];
        let Some(connection) = broker.connection.take() else { return };
        broker.runs = false;
        broker.left.push(connection.clone());
        self.note(format!("{connection} is left by a killed broker"));
        if self.rng.bool() {
            self.lose_old_connection(number);
        }
    }

    pub(super) fn lose_old_connection(&mut self, number: usize) {
        let Some(connection) = self.brokers[number].left.pop() else { return };
        self.note(format!("close {connection}"));
        self.server.close(&connection);
        self.known.retain(|_, known| known.connection != connection);
        self.forget_empty_groups();
    }

    pub(super) fn late_goodbye(&mut self, number: usize) {
        let Some(connection) = self.brokers[number].left.last().cloned() else { return };
        let request = format!("{connection} 104 {}", self.header(number));
        self.goodbye(number, &connection, &request);
    }

    pub(super) fn make_topic(&mut self, number: usize) {
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
        let how = told.get(topic).map_or(Heard::Alone, |(_, how)| *how);
        told.insert(topic, (perm, how));
    }

    /// Ours tell of it at once, Java's with their next list.
    pub(super) fn delete_topic(&mut self, number: usize) {
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
    pub(super) fn overtaken_list(&mut self, number: usize) {
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

    pub(super) fn heartbeat(&mut self, number: usize) {
        let broker = &self.brokers[number];
        let Some(connection) = &broker.connection else { return };
        let Broker { cluster, name, addr, id, .. } = broker;
        let request = format!("{connection} 904 clusterName={cluster} brokerName={name} brokerAddr={addr} brokerId={id}");
        let (key, addr, now_ms) = ((*name, *id), addr.clone(), self.now_ms);
        assert_eq!(self.server.ask(&request, ""), "< 0");
        self.note(request);
        self.known.entry(key).and_modify(|known| known.seen_ms = if known.addr == addr { now_ms } else { known.seen_ms });
    }

    /// Goodbyes of brokers that are not registered so.
    pub(super) fn strays(&mut self, number: usize) {
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
}
