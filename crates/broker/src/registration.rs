//! Telling the NameServers which topics this broker has (103, 104, 217). Follows Java's `BrokerOuterAPI.registerBrokerAll` and
//! `registerSingleTopicAsync`.
//!
//! A registration has all topics. Whoever makes a topic does not wait for one: NameServers are told of the few that changed by
//! themselves, and the registration follows within a second, one for all that changed meanwhile.

use crate::Broker;
use crate::tables::topics::PERM_WRITE;
use parking_lot::{Condvar, Mutex};
use roxmq_env::config::BrokerConfig;
use roxmq_protocol::body::{
    KVTable, QueueData, RegisterBrokerBody, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicRouteData, body_crc32,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{RegisterBroker, RegisterBrokerReply, RegisterTopic, UnregisterBroker};
use roxmq_remoting::CallError;
use roxmq_remoting::client::Client;
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{info, warn};

/// How soon a NameServer that did not answer is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How soon after a topic was told by itself all of them are.
const FOLLOWS: Duration = Duration::from_secs(1);
/// Changed topics that are told one by one; for more of them there is a registration at once.
const SINGLE_MAX: usize = 16;
/// How long leaving may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an answer about a new topic waits for the NameServers: one that is down must not hold up the others' clients.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// State of the registration.
#[derive(Default)]
pub struct Registration {
    changed: Notify,
    /// Which topics changed since the NameServers were told last.
    news: Mutex<News>,
    /// How many changes there were, and how many of them every NameServer that answers was told.
    changes: AtomicU64,
    told: AtomicU64,
    client: Client,
    known_by: Mutex<HashSet<String>>,
    answered: Condvar,
}

/// What NameServers are to be told.
#[derive(Default)]
struct News {
    topics: Vec<String>,
    /// More than these topics: everything.
    all: bool,
}

impl Registration {
    /// Permissions changed, or topics are gone: register now. The number of the change, for [`Registration::is_told`].
    pub fn changed(&self) -> u64 {
        self.news.lock().all = true;
        self.number()
    }

    /// A topic is new or another: tell of it now. The number of the change, for [`Registration::is_told`].
    pub fn topic_changed(&self, topic: &str) -> u64 {
        let mut news = self.news.lock();
        news.all |= news.topics.len() >= SINGLE_MAX;
        if !news.all {
            news.topics.push(topic.to_owned());
        }
        drop(news);
        self.number()
    }

    fn number(&self) -> u64 {
        let change = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.changed.notify_one();
        change
    }

    /// Were the NameServers told of the change?
    pub fn is_told(&self, change: u64) -> bool {
        self.told.load(Ordering::SeqCst) >= change
    }

    /// Calls NameServers.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until `count` NameServers know the broker, or `patience` is over. How many of how many know it.
    pub fn wait(&self, patience: Duration, count: usize) -> (usize, usize) {
        let mut known_by = self.known_by.lock();
        self.answered.wait_while_for(&mut known_by, |known_by| known_by.len() < count, patience);
        (known_by.len(), count)
    }
}

/// Registers for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    // When all topics are told the next time.
    let mut next = Instant::now();
    let mut all_answered = false;
    loop {
        // The changes that are counted are in the news that are taken.
        let changes = broker.registration.changes.load(Ordering::SeqCst);
        let news = std::mem::take(&mut *broker.registration.news.lock());
        let all_told_by = |pause| Instant::now() + pause;
        if news.all || !all_answered || next <= Instant::now() || !tell(&broker, &news.topics).await {
            all_answered = register(&broker).await;
            next = all_told_by(if all_answered { Duration::from_millis(broker.config().register_period_ms) } else { RETRY });
        } else if !news.topics.is_empty() {
            next = next.min(all_told_by(FOLLOWS));
        }
        broker.registration.told.store(changes, Ordering::SeqCst);
        broker.wake_shards();
        broker.promises.answer_told(&broker);
        tokio::select! {
            () = broker.registration.changed.notified() => {}
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

/// Tells every NameServer of these topics alone, at the same time. Did all of them take note? One of before 5.0 does not.
async fn tell(broker: &Arc<Broker>, topics: &[String]) -> bool {
    let config = broker.config();
    let permission = permission(broker, &config);
    let mut calls = JoinSet::new();
    for topic in topics.iter().filter_map(|topic| broker.topics.find(topic)) {
        let data = QueueData {
            broker_name: config.broker_name.clone(),
            perm: limited(topic.perm, permission),
            read_queue_nums: topic.read_queue_nums,
            write_queue_nums: topic.write_queue_nums,
            topic_sys_flag: topic.topic_sys_flag,
        };
        let route = TopicRouteData { queue_datas: vec![data], ..TopicRouteData::default() };
        let body: Arc<[u8]> = json::to_vec(&route, Dialect::Fastjson).into();
        for name_server in config.namesrv_addr.clone() {
            let (broker, topic, body) = (Arc::clone(broker), Arc::clone(&topic), Arc::clone(&body));
            let timeout = Duration::from_millis(config.register_timeout_ms);
            calls.spawn(async move {
                let request = RegisterTopic { topic: topic.topic_name.as_str().into() };
                broker.registration.client.call(&name_server, &request, &body, timeout).await.is_ok()
            });
        }
    }
    all_answered(calls).await
}

/// What the broker allows of a topic's permission: what it is set to, and no writing with a fenced store, which takes no messages at all.
fn permission(broker: &Broker, config: &BrokerConfig) -> i32 {
    config.broker_permission as i32 & if broker.store.fenced().is_some() { !PERM_WRITE } else { !0 }
}

fn limited(perm: i32, permission: i32) -> i32 {
    if permission & 6 == 6 { perm } else { perm & permission }
}

/// Tells every NameServer, at the same time. Did all of them answer?
async fn register(broker: &Arc<Broker>) -> bool {
    let config = broker.config();
    let body = body(broker, &config);
    let mut calls = JoinSet::new();
    for name_server in config.namesrv_addr.clone() {
        let (broker, config, body) = (Arc::clone(broker), Arc::clone(&config), body.clone());
        calls.spawn(async move {
            let outcome = register_with(&broker, &config, &name_server, &body).await;
            note(&broker, &name_server, outcome)
        });
    }
    all_answered(calls).await
}

/// Whether every call was answered. One that panics was not, and is tried again like any other.
async fn all_answered(mut calls: JoinSet<bool>) -> bool {
    let mut all = true;
    while let Some(answered) = calls.join_next().await {
        all &= answered.unwrap_or(false);
    }
    all
}

fn note(broker: &Broker, name_server: &str, outcome: Result<(), CallError>) -> bool {
    let mut known_by = broker.registration.known_by.lock();
    match outcome {
        Ok(()) => {
            if known_by.insert(name_server.to_owned()) {
                info!(name_server, "registered");
            }
            broker.registration.answered.notify_all();
            true
        }
        Err(error) => {
            if known_by.remove(name_server) {
                warn!(name_server, %error, "the NameServer does not answer; trying on");
            }
            false
        }
    }
}

async fn register_with(broker: &Broker, config: &BrokerConfig, name_server: &str, body: &[u8]) -> Result<(), CallError> {
    let request = RegisterBroker {
        broker_name: config.broker_name.as_str().into(),
        broker_addr: broker.address.as_str().into(),
        cluster_name: config.broker_cluster_name.as_str().into(),
        ha_server_addr: Some(SocketAddr::new(broker.advertised.ip(), broker.advertised.port().saturating_add(1)).to_string().into()),
        broker_id: config.broker_id as i64,
        heartbeat_timeout_ms: None,
        enable_acting_master: None,
        compressed: false,
        body_crc32: body_crc32(body),
        zone_name: None,
        auto_address: broker.address_is_chosen.then_some(true),
    };
    let timeout = Duration::from_millis(config.register_timeout_ms);
    let answer = broker.registration.client.call(name_server, &request, body, timeout).await?;
    answer.fields::<RegisterBrokerReply<'_>>()?;
    if let Ok(table) = json::from_slice::<KVTable>(answer.body()) {
        crate::topics::keep_order_configuration(broker, &table);
    }
    Ok(())
}

/// The topics as NameServers are told: the broker's own permission limits each topic's.
fn body(broker: &Broker, config: &BrokerConfig) -> Vec<u8> {
    let is_fenced = broker.store.fenced().is_some();
    let permission = permission(broker, config);
    let version = broker.topics.version();
    let table: BTreeMap<String, TopicConfig> = broker
        .topics
        .all()
        .into_iter()
        .map(|(name, topic)| (name, TopicConfig { perm: limited(topic.perm, permission), ..topic }))
        .collect();
    let body = RegisterBrokerBody {
        filter_server_list: Vec::new(),
        topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper {
            // NameServers look only at what has another version. The table itself did not change, and cannot be written either.
            data_version: if is_fenced { version.next(broker.clock.now_ms(), 0) } else { version },
            topic_config_table: table,
            ..Default::default()
        },
    };
    body.encode()
}

/// Tells every NameServer that the broker goes away.
pub async fn leave(broker: &Arc<Broker>) {
    let config = broker.config();
    let mut calls = JoinSet::new();
    for name_server in config.namesrv_addr.clone() {
        let (broker, config) = (Arc::clone(broker), Arc::clone(&config));
        calls.spawn(async move {
            let request = UnregisterBroker {
                broker_name: config.broker_name.as_str().into(),
                broker_addr: broker.address.as_str().into(),
                cluster_name: config.broker_cluster_name.as_str().into(),
                broker_id: config.broker_id as i64,
            };
            // A NameServer that is gone finds out by itself.
            broker.registration.client.call(&name_server, &request, b"", LEAVE_TIMEOUT).await.is_ok()
        });
    }
    all_answered(calls).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_panics_is_one_that_was_not_answered() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answered = |calls: &[Option<bool>]| {
            runtime.block_on(async {
                let mut all = JoinSet::new();
                calls.iter().copied().for_each(|call| drop(all.spawn(async move { call.expect("planted") })));
                all_answered(all).await
            })
        };
        assert!(answered(&[]) && answered(&[Some(true), Some(true)]));
        assert!(!answered(&[Some(true), Some(false)]) && !answered(&[Some(true), None]));
    }
}
