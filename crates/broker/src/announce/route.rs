//! What do the NameServers say about a topic on all brokers?

use crate::broker::Broker;
use roxmq_protocol::body::TopicRouteData;
use roxmq_protocol::code;
use roxmq_protocol::json;
use roxmq_protocol::request::RouteByTopic;
use roxmq_remoting::CallError;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a NameServer may take.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(3);

/// What the NameServers say.
pub enum Found {
    /// It is there.
    Route(TopicRouteData),
    /// It is on no broker.
    Nowhere,
    /// None of them answers.
    NoAnswer,
}

/// Asks all NameServers that answer, at once, so that one that is down costs no time.
pub async fn ask(broker: &Broker, topic: &str) -> Found {
    let mut calls = JoinSet::new();
    for name_server in broker.announcements.registration.reachable() {
        let (client, topic) = (broker.announcements.registration.client.clone(), topic.to_owned());
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
