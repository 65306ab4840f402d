//! Telling the NameServers which topics this broker has (103, 104, 217). Follows Java's `BrokerOuterAPI.registerBrokerAll` and
//! `registerSingleTopicAsync`.
//!
//! Each NameServer of the settings has a task of its own and is told at its own pace: one that is slow, mute or away holds up nothing for the
//! others. The task keeps its connection, and notices when it ends: then it tries again, at once and every second at the latest, so that
//! a NameServer that comes back knows the broker within about a second.
//!
//! A registration has all topics. Whoever makes a topic does not wait for one: NameServers are told of the few that changed by
//! themselves, and the registration follows within a second, one for all that changed meanwhile.

#![expect(clippy::disallowed_methods, reason = "what sleeps in the runtime's time asks for that time")]

use super::changing;
use super::registration::{NameServer, PATIENCE, Told};
use crate::broker::Broker;
use crate::settings::BrokerConfig;
use parking_lot::Mutex;
use roxmq_protocol::body::{
    KVTable, QueueData, RegisterBrokerBody, TopicConfig, TopicConfigAndMappingSerializeWrapper, TopicRouteData, body_crc32,
};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::permission::Permission;
use roxmq_protocol::request::{RegisterBroker, RegisterBrokerReply, RegisterTopic, UnregisterBroker};
use roxmq_remoting::CallError;
use roxmq_remoting::address::MetAs;
use roxmq_remoting::client::LinkNumber;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

/// How soon a NameServer that does not answer is tried again: at first, and at the latest.
const RETRY: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How soon after a topic was told by itself all of them are.
const FOLLOWS: Duration = Duration::from_secs(1);
/// How long leaving a NameServer may take that answers, and one that does not.
const LEAVE_TIMEOUT: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(100)];

/// Has a task for each NameServer of the settings for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    let mut leaving: Vec<Told> = Vec::new();
    let mut are_first = true;
    loop {
        {
            let registration = &broker.announce.registration;
            let mut name_servers = registration.name_servers.lock();
            if registration.stops.load(Ordering::SeqCst) {
                return;
            }
            let wanted = broker.config().namesrv_addr.clone();
            let (stay, leave) = std::mem::take(&mut *name_servers).into_iter().partition(|told| wanted.contains(&told.name_server.address));
            *name_servers = stay;
            leaving.extend::<Vec<Told>>(leave);
            leaving.retain(|told| {
                told.name_server.leave.notify_one();
                !told.task.is_finished()
            });
            for address in wanted {
                if name_servers.iter().any(|told| told.name_server.address == address) {
                    continue;
                }
                // A goodbye that is under way must not come after the new registration.
                let before = leaving.iter().position(|told| told.name_server.address == address).map(|at| leaving.swap_remove(at));
                let name_server = Arc::new(NameServer {
                    address,
                    news: Mutex::default(),
                    changed: Notify::new(),
                    told: AtomicU64::new(0),
                    // At the start nobody has answered yet; later there are others.
                    answers: AtomicBool::new(are_first),
                    is_registered: AtomicBool::new(false),
                    fails: AtomicBool::new(false),
                    leave: Notify::new(),
                });
                let task = tokio::spawn(serve(Arc::clone(&broker), Arc::clone(&name_server), before));
                name_servers.push(Told { name_server, task });
            }
            are_first = false;
            registration.settle(&name_servers);
        }
        wake(&broker);
        broker.announce.registration.listed_anew.notified().await;
    }
}

/// Gives the answers that waited for what was told now.
fn wake(broker: &Broker) {
    broker.shards.wake_all();
    changing::answer_told(broker);
}

/// Keeps one NameServer told until it is left.
async fn serve(broker: Arc<Broker>, name_server: Arc<NameServer>, before: Option<Told>) {
    if let Some(before) = before {
        let _ = before.task.await;
    }
    tokio::select! {
        () = keep_told(&broker, &name_server) => {}
        () = name_server.leave.notified() => {}
    }
    say_goodbye(&broker, &name_server).await;
    if name_server.is_registered.load(Ordering::SeqCst) {
        info!(name_server = name_server.address, "left the NameServer");
    }
    broker.announce.registration.client.disconnect(&name_server.address);
}

async fn keep_told(broker: &Arc<Broker>, name_server: &Arc<NameServer>) {
    let registration = &broker.announce.registration;
    let client = &registration.client;
    // The connection on which it knows of the broker, and when it is told of all topics the next time.
    let mut registered_on: Option<LinkNumber> = None;
    let mut next = Instant::now();
    let mut retry = RETRY[0];
    loop {
        // The changes that are counted are in the news that are taken.
        let changes = registration.changes.load(Ordering::SeqCst);
        let news = std::mem::take(&mut *name_server.news.lock());
        let is_known = registered_on.is_some() && registered_on == client.link_to(&name_server.address);
        let is_due = news.all || !is_known || next <= Instant::now();
        let known_on = registered_on.filter(|_| !is_due);
        match within_patience(broker, name_server, tell_or_register(broker, name_server, &news.topics, known_on)).await {
            Ok((link, all)) => {
                registered_on = Some(link);
                retry = RETRY[0];
                if all {
                    next = Instant::now() + Duration::from_millis(broker.config().register_period_ms);
                } else if !news.topics.is_empty() {
                    next = next.min(Instant::now() + FOLLOWS);
                }
                note(broker, name_server, Some(Ok(changes)));
            }
            Err(error) => {
                registered_on = None;
                name_server.news.lock().all = true;
                next = Instant::now() + retry;
                retry = (retry * 2).min(RETRY[1]);
                note(broker, name_server, Some(Err(error)));
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            // While it does not answer it is tried at its pace, however much changes.
            () = name_server.changed.notified(), if registered_on.is_some() => {}
            () = client.closed(&name_server.address, registered_on), if registered_on.is_some() => {}
        }
    }
}

/// A NameServer that needs longer than that is not waited for from then on.
async fn within_patience<T>(broker: &Broker, name_server: &NameServer, telling: impl Future<Output = T>) -> T {
    let mut telling = std::pin::pin!(telling);
    match tokio::time::timeout(PATIENCE, &mut telling).await {
        Ok(outcome) => outcome,
        Err(_) => {
            note(broker, name_server, None);
            telling.await
        }
    }
}

/// Tells a NameServer of these topics where it knows the broker on `known_on`, of all topics else. On which connection it knows it now, and whether of
/// all topics.
async fn tell_or_register(
    broker: &Arc<Broker>,
    name_server: &NameServer,
    topics: &[String],
    known_on: Option<LinkNumber>,
) -> Result<(LinkNumber, bool), CallError> {
    if let Some(link) = known_on
        && tell(broker, name_server, topics).await
        && broker.announce.registration.client.link_to(&name_server.address) == Some(link)
    {
        return Ok((link, false));
    }
    register(broker, name_server).await.map(|link| (link, true))
}

/// It was told of so many changes, or was not, or keeps us waiting.
fn note(broker: &Broker, name_server: &NameServer, outcome: Option<Result<u64, CallError>>) {
    let registration = &broker.announce.registration;
    let is_more_told = {
        let name_servers = registration.name_servers.lock();
        match outcome {
            Some(Ok(changes)) => {
                name_server.told.store(changes, Ordering::SeqCst);
                name_server.answers.store(true, Ordering::SeqCst);
                name_server.fails.store(false, Ordering::SeqCst);
                if !name_server.is_registered.swap(true, Ordering::SeqCst) {
                    info!(name_server = name_server.address, "registered");
                }
                registration.answered.notify_all();
            }
            Some(Err(error)) => {
                name_server.answers.store(false, Ordering::SeqCst);
                name_server.is_registered.store(false, Ordering::SeqCst);
                if !name_server.fails.swap(true, Ordering::SeqCst) && !registration.stops.load(Ordering::SeqCst) {
                    warn!(name_server = name_server.address, %error, "the NameServer does not answer; retrying");
                }
            }
            None => name_server.answers.store(false, Ordering::SeqCst),
        }
        registration.settle(&name_servers)
    };
    if is_more_told {
        wake(broker);
    }
}

/// Tells a NameServer of these topics alone. Did it take note? One of before 5.0 does not.
async fn tell(broker: &Arc<Broker>, name_server: &NameServer, topics: &[String]) -> bool {
    let config = broker.config();
    let permission = permission(broker, &config);
    let mut calls = JoinSet::new();
    for topic in topics.iter().filter_map(|topic| broker.tables.topics.find(topic)) {
        let data = QueueData {
            broker_name: config.broker_name.clone(),
            perm: limited(topic.perm, permission),
            read_queue_nums: topic.read_queue_nums,
            write_queue_nums: topic.write_queue_nums,
            topic_sys_flag: topic.topic_sys_flag,
        };
        let route = TopicRouteData { queue_datas: vec![data], ..TopicRouteData::default() };
        let body = json::to_vec(&route, Dialect::Fastjson);
        let (client, address) = (broker.announce.registration.client.clone(), name_server.address.clone());
        let timeout = Duration::from_millis(config.register_timeout_ms);
        calls.spawn(async move {
            let request = RegisterTopic { topic: topic.topic_name.as_str().into() };
            client.call(&address, &request, &body, timeout).await.is_ok_and(|answer| answer.fields::<()>().is_ok())
        });
    }
    let mut all = true;
    while let Some(told) = calls.join_next().await {
        all &= told.unwrap_or(false);
    }
    all
}

/// What the broker allows of a topic's permission: what it is set to, and no writing with a fenced store, which takes no messages at all.
fn permission(broker: &Broker, config: &BrokerConfig) -> Permission {
    let configured = Permission(config.broker_permission as i32);
    if broker.store.fenced().is_some() { configured.without(Permission::WRITE) } else { configured }
}

fn limited(perm: Permission, permission: Permission) -> Permission {
    if permission.has(Permission::READ_WRITE) { perm } else { perm.limited_to(permission) }
}

/// Tells a NameServer of all topics, and on which connection it knows the broker now.
async fn register(broker: &Arc<Broker>, name_server: &NameServer) -> Result<LinkNumber, CallError> {
    let address = &name_server.address;
    let client = &broker.announce.registration.client;
    let link = client.connect(address, CONNECT_TIMEOUT).await?;
    let config = broker.config();
    let body = body(broker, &config);
    let request = RegisterBroker {
        broker_name: config.broker_name.as_str().into(),
        broker_addr: broker.identity.address.as_str().into(),
        cluster_name: config.broker_cluster_name.as_str().into(),
        ha_server_addr: Some(
            SocketAddr::new(broker.identity.advertised.ip(), broker.identity.advertised.port().saturating_add(1)).to_string().into(),
        ),
        broker_id: config.broker_id as i64,
        heartbeat_timeout_ms: None,
        enable_acting_master: None,
        compressed: false,
        body_crc32: body_crc32(&body),
        zone_name: None,
        auto_address: matches!(broker.identity.met_as, MetAs::Dialled(_)).then_some(true),
        started_ms: Some(broker.identity.started_ms),
    };
    let answer = client.call(address, &request, &body, Duration::from_millis(config.register_timeout_ms)).await?;
    answer.fields::<RegisterBrokerReply<'_>>()?;
    if let Ok(table) = json::from_slice::<KVTable>(answer.body()) {
        crate::announce::topics::keep_order_configuration(broker, &table);
    }
    Ok(link)
}

/// The topics as NameServers are told: the broker's own permission limits each topic's.
fn body(broker: &Broker, config: &BrokerConfig) -> Vec<u8> {
    let is_fenced = broker.store.fenced().is_some();
    let permission = permission(broker, config);
    let version = broker.tables.topics.version();
    let table: BTreeMap<String, TopicConfig> = broker
        .tables
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
    let all = {
        let mut name_servers = broker.announce.registration.name_servers.lock();
        broker.announce.registration.about_to_stop();
        std::mem::take(&mut *name_servers)
    };
    broker.announce.registration.listed_anew.notify_one();
    all.iter().for_each(|told| told.name_server.leave.notify_one());
    for told in all {
        let _ = told.task.await;
    }
}

async fn say_goodbye(broker: &Broker, name_server: &NameServer) {
    let config = broker.config();
    let request = UnregisterBroker {
        broker_name: config.broker_name.as_str().into(),
        broker_addr: broker.identity.address.as_str().into(),
        cluster_name: config.broker_cluster_name.as_str().into(),
        broker_id: config.broker_id as i64,
    };
    let [if_it_answers, else_then] = LEAVE_TIMEOUT;
    let timeout = if name_server.answers.load(Ordering::SeqCst) { if_it_answers } else { else_then };
    // A NameServer that is gone finds out by itself.
    let _ = broker.announce.registration.client.call(&name_server.address, &request, b"", timeout).await;
}
