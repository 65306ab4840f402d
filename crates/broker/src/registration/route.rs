//! What do the NameServers say about a topic on all brokers?

use parking_lot::Mutex;
use roxmq_protocol::body::{MessageQueue, TopicRouteData};
use roxmq_protocol::code;
use roxmq_protocol::json;
use roxmq_protocol::request::RouteByTopic;
use roxmq_remoting::CallError;
use roxmq_remoting::client::Client;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a NameServer may take.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(3);
/// Topics whose routes are kept; when there are more, all are read again.
const ROUTES_MAX: usize = 10_000;

/// What the NameServers say.
pub enum Found {
    /// It is there.
    Route(TopicRouteData),
    /// It is on no broker.
    Nowhere,
    /// None of them answers.
    NoAnswer,
}

/// Asks all these NameServers at once, so that one that is down costs no time.
pub async fn ask(client: &Client, name_servers: &[String], topic: &str) -> Found {
    let mut calls = JoinSet::new();
    for name_server in name_servers {
        let (client, name_server, topic) = (client.clone(), name_server.clone(), topic.to_owned());
        calls.spawn(async move {
            let request = RouteByTopic { topic: topic.into(), accept_standard_json_only: Some(true) };
            let answer = client.call(&name_server, &request, b"", ROUTE_TIMEOUT).await?;
            answer.fields::<()>()?;
            Ok(json::from_slice::<TopicRouteData>(answer.body()).ok())
        });
    }
    let mut said = Found::NoAnswer;
    while let Some(outcome) = calls.join_next().await {
        match outcome {
            Ok(Ok(Some(route))) => return Found::Route(route),
            Ok(Err(CallError::Refused { code: code::TOPIC_NOT_EXIST, .. })) => said = Found::Nowhere,
            _ => {}
        }
    }
    said
}

/// The routes that were read lately.
#[derive(Default)]
pub struct KnownRoutes(Mutex<HashMap<String, Route>>);

struct Route {
    queues: Vec<MessageQueue>,
    read_at: Duration,
}

impl KnownRoutes {
    /// The queues of a topic, if its route was read no longer ago.
    pub fn known(&self, topic: &str, not_before: Duration) -> Option<Vec<MessageQueue>> {
        self.0.lock().get(topic).filter(|route| route.read_at >= not_before).map(|route| route.queues.clone())
    }

    /// Notes the queues of a topic.
    pub fn note(&self, topic: &str, queues: Vec<MessageQueue>, read_at: Duration) {
        let mut routes = self.0.lock();
        if routes.len() >= ROUTES_MAX && !routes.contains_key(topic) {
            routes.clear();
        }
        routes.insert(topic.to_owned(), Route { queues, read_at });
    }

    /// There is no such topic any more.
    pub fn forget(&self, topic: &str) {
        self.0.lock().remove(topic);
    }
}
