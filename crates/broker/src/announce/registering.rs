//! How does each NameServer hear which topics this broker has (103, 104, 217)? Follows Java's `BrokerOuterAPI.registerBrokerAll` and
//! `registerSingleTopicAsync`.
//!
//! Each NameServer of the settings has a task of its own and hears at its own pace: one that is slow, mute or away holds up none of the
//! others. The task keeps its connection and notices when it ends. Then it retries at once, and every second at the latest, so that a
//! NameServer that comes back knows the broker within about a second.
//!
//! A registration has all topics. A new topic does not wait for one: it is announced by itself, and a registration follows within a
//! second, one for all topics that changed meanwhile.

#![expect(clippy::disallowed_methods, reason = "what sleeps in the runtime's time asks for that time")]

use crate::announce::changing;
use crate::announce::topics;
use crate::broker::Broker;
use crate::registration::name_servers::{Announcer, Contact, NameServer, Outcome, PATIENCE};
use crate::settings::BrokerConfig;
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
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::info;

/// How soon a NameServer that does not answer is retried: at first, and at the latest.
const RETRY: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How soon a registration of all topics follows one topic that was announced by itself.
const FOLLOWS: Duration = Duration::from_secs(1);
/// How long leaving may take: a NameServer that answers, and one that does not.
const LEAVE_TIMEOUT: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(100)];

/// Runs a task for each NameServer of the settings for as long as the broker lives.
pub async fn run(broker: Arc<Broker>) {
    let mut leaving: Vec<Announcer> = Vec::new();
    let mut contact = Contact::Starting;
    loop {
        {
            let registration = &broker.announcements.registration;
            let mut name_servers = registration.name_servers.lock();
            if registration.stops.load(Ordering::SeqCst) {
                return;
            }
            let wanted = broker.config().namesrv_addr.clone();
            let (stay, leave) = std::mem::take(&mut *name_servers).into_iter().partition(|one| wanted.contains(&one.name_server.address));
            *name_servers = stay;
            leaving.extend::<Vec<Announcer>>(leave);
            leaving.retain(|one| {
                one.name_server.leave.notify_one();
                !one.task.is_finished()
            });
            for address in wanted {
                if name_servers.iter().any(|one| one.name_server.address == address) {
                    continue;
                }
                // An unregistration that is under way must not come after the new registration.
                let before = leaving.iter().position(|one| one.name_server.address == address).map(|at| leaving.swap_remove(at));
                let name_server = Arc::new(NameServer::new(address, contact));
                let task = tokio::spawn(serve(Arc::clone(&broker), Arc::clone(&name_server), before));
                name_servers.push(Announcer { name_server, task });
            }
            contact = Contact::Added;
            registration.update_announced(&name_servers);
        }
        wake(&broker);
        broker.announcements.registration.list_changed.notified().await;
    }
}

/// Gives the answers that waited for what is announced now.
fn wake(broker: &Broker) {
    broker.shards.wake_all();
    changing::give_announced(broker);
}

/// Announces to one NameServer until it is left.
async fn serve(broker: Arc<Broker>, name_server: Arc<NameServer>, before: Option<Announcer>) {
    if let Some(before) = before {
        let _ = before.task.await;
    }
    tokio::select! {
        () = keep_announcing(&broker, &name_server) => {}
        () = name_server.leave.notified() => {}
    }
    unregister(&broker, &name_server).await;
    if name_server.contact().is_registered() {
        info!(name_server = name_server.address, "unregistered");
    }
    broker.announcements.registration.client.disconnect(&name_server.address);
}

async fn keep_announcing(broker: &Arc<Broker>, name_server: &Arc<NameServer>) {
    let registration = &broker.announcements.registration;
    let client = &registration.client;
    // The connection on which it knows the broker, and when all topics are registered the next time.
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
        match within_patience(broker, name_server, announce(broker, name_server, &news.topics, known_on)).await {
            Ok((link, extent)) => {
                registered_on = Some(link);
                retry = RETRY[0];
                match extent {
                    Extent::All => next = Instant::now() + Duration::from_millis(broker.config().register_period_ms),
                    Extent::TheseTopics if news.topics.is_empty() => {}
                    Extent::TheseTopics => next = next.min(Instant::now() + FOLLOWS),
                }
                record(broker, name_server, Outcome::Announced(changes));
            }
            Err(error) => {
                registered_on = None;
                name_server.news.lock().all = true;
                next = Instant::now() + retry;
                retry = (retry * 2).min(RETRY[1]);
                record(broker, name_server, Outcome::Failed(error));
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            // A NameServer that does not answer is retried at its own pace, however much changes.
            () = name_server.changed.notified(), if registered_on.is_some() => {}
            () = client.closed(&name_server.address, registered_on), if registered_on.is_some() => {}
        }
    }
}

/// A NameServer that takes longer than that is not waited for from then on.
async fn within_patience<T>(broker: &Broker, name_server: &NameServer, announcing: impl Future<Output = T>) -> T {
    let mut announcing = std::pin::pin!(announcing);
    match tokio::time::timeout(PATIENCE, &mut announcing).await {
        Ok(outcome) => outcome,
        Err(_) => {
            record(broker, name_server, Outcome::Late);
            announcing.await
        }
    }
}

/// How much was announced.
enum Extent {
    TheseTopics,
    All,
}

/// Announces these topics to a NameServer that knows the broker on `known_on`, all topics to any other. On which connection it knows
/// the broker now.
async fn announce(
    broker: &Arc<Broker>,
    name_server: &NameServer,
    topics: &[String],
    known_on: Option<LinkNumber>,
) -> Result<(LinkNumber, Extent), CallError> {
    if let Some(link) = known_on
        && announce_topics(broker, name_server, topics).await
        && broker.announcements.registration.client.link_to(&name_server.address) == Some(link)
    {
        return Ok((link, Extent::TheseTopics));
    }
    register(broker, name_server).await.map(|link| (link, Extent::All))
}

fn record(broker: &Broker, name_server: &NameServer, outcome: Outcome) {
    if broker.announcements.registration.record(name_server, outcome) {
        wake(broker);
    }
}

/// Announces these topics alone. Whether the NameServer took them: one before 5.0 does not.
async fn announce_topics(broker: &Arc<Broker>, name_server: &NameServer, topics: &[String]) -> bool {
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
        let (client, address) = (broker.announcements.registration.client.clone(), name_server.address.clone());
        let timeout = Duration::from_millis(config.register_timeout_ms);
        calls.spawn(async move {
            let request = RegisterTopic { topic: topic.topic_name.as_str().into() };
            client.call(&address, &request, &body, timeout).await.is_ok_and(|answer| answer.fields::<()>().is_ok())
        });
    }
    let mut all = true;
    while let Some(taken) = calls.join_next().await {
        all &= taken.unwrap_or(false);
    }
    all
}

/// What the broker allows of a topic's permission: what the settings say, and no writing with a fenced store, which takes no messages.
fn permission(broker: &Broker, config: &BrokerConfig) -> Permission {
    let configured = Permission(config.broker_permission as i32);
    if broker.store.fenced().is_some() { configured.without(Permission::WRITE) } else { configured }
}

fn limited(perm: Permission, permission: Permission) -> Permission {
    if permission.has(Permission::READ_WRITE) { perm } else { perm.limited_to(permission) }
}

/// Registers all topics. On which connection the NameServer knows the broker now.
async fn register(broker: &Arc<Broker>, name_server: &NameServer) -> Result<LinkNumber, CallError> {
    let address = &name_server.address;
    let client = &broker.announcements.registration.client;
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
        started_ms: Some(broker.identity.started.0),
    };
    let answer = client.call(address, &request, &body, Duration::from_millis(config.register_timeout_ms)).await?;
    answer.fields::<RegisterBrokerReply<'_>>()?;
    if let Ok(table) = json::from_slice::<KVTable>(answer.body()) {
        topics::adopt_order_configuration(broker, &table);
    }
    Ok(link)
}

/// All topics, each with no more permission than the broker has.
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
            // A NameServer reads only a table of another version. The table itself did not change, and cannot be written either.
            data_version: if is_fenced { version.next(broker.clock.now_ms(), 0) } else { version },
            topic_config_table: table,
            ..Default::default()
        },
    };
    body.encode()
}

/// Unregisters from every NameServer.
pub async fn leave(broker: &Arc<Broker>) {
    let all = {
        let mut name_servers = broker.announcements.registration.name_servers.lock();
        broker.announcements.registration.about_to_stop();
        std::mem::take(&mut *name_servers)
    };
    broker.announcements.registration.list_changed.notify_one();
    all.iter().for_each(|one| one.name_server.leave.notify_one());
    for one in all {
        let _ = one.task.await;
    }
}

async fn unregister(broker: &Broker, name_server: &NameServer) {
    let config = broker.config();
    let request = UnregisterBroker {
        broker_name: config.broker_name.as_str().into(),
        broker_addr: broker.identity.address.as_str().into(),
        cluster_name: config.broker_cluster_name.as_str().into(),
        broker_id: config.broker_id as i64,
    };
    let [if_it_answers, otherwise] = LEAVE_TIMEOUT;
    let timeout = if name_server.contact().is_waited_for() { if_it_answers } else { otherwise };
    // A NameServer that does not hear of it notices the closed connection.
    let _ = broker.announcements.registration.client.call(&name_server.address, &request, b"", timeout).await;
}
