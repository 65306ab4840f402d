//! Do the members of a group agree on what they subscribe to?
//!
//! They have to: the broker has one subscription per group and topic, the newest, so members that differ take messages from each other.
//! Java's broker does not report it.

use super::subscription::{is_everything, is_tags, tags};
use roxmq_protocol::body::{ConsumeType, SubscriptionData};
use std::collections::{BTreeMap, BTreeSet};

/// What each member of a group subscribes to, by client id.
#[derive(Clone, Debug, Default)]
pub struct Interests {
    members: BTreeMap<String, BTreeMap<String, Interest>>,
}

/// What a member wants of a topic, in a form in which equal interests are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Interest {
    Tags(BTreeSet<String>),
    Other { kind: String, expression: String },
}

/// Two members of a group that want different messages of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The topic.
    pub topic: String,
    /// The member that has just subscribed.
    pub client_id: String,
    /// What it wants.
    pub expression: String,
    /// A member that wants something else.
    pub other_client_id: String,
    /// What that one wants.
    pub other_expression: String,
}

impl Interests {
    /// A member subscribes. Each difference that is new is reported once.
    pub fn update(&mut self, client_id: &str, subscriptions: &[SubscriptionData], consume_type: ConsumeType) -> Vec<Disagreement> {
        let wanted: BTreeMap<String, Interest> = subscriptions.iter().map(|data| (data.topic.clone(), Interest::new(data))).collect();
        let before = self.members.insert(client_id.to_owned(), wanted.clone());
        let known = before.unwrap_or_default();
        let topics: BTreeSet<&String> = wanted.keys().chain(known.keys()).filter(|topic| wanted.get(*topic) != known.get(*topic)).collect();
        topics.into_iter().filter_map(|topic| self.disagreement(client_id, topic, wanted.get(topic), consume_type)).collect()
    }

    /// A member is gone.
    pub fn remove(&mut self, client_id: &str) {
        self.members.remove(client_id);
    }

    /// Do all members want the same?
    pub fn agree(&self, consume_type: ConsumeType) -> bool {
        let topics: BTreeSet<&String> = self.members.values().flat_map(BTreeMap::keys).collect();
        topics.into_iter().all(|topic| {
            let of_topic = self.members.values().map(|interests| interests.get(topic));
            let mut interests = of_topic.filter(|interest| consume_type != ConsumeType::ConsumeActively || interest.is_some());
            let first = interests.next();
            interests.all(|interest| Some(interest) == first)
        })
    }

    fn disagreement(&self, client_id: &str, topic: &str, interest: Option<&Interest>, consume_type: ConsumeType) -> Option<Disagreement> {
        // Members that pull by themselves may read different topics.
        let same_topics = consume_type != ConsumeType::ConsumeActively;
        let mut others =
            self.members.iter().filter(|(other, _)| *other != client_id).map(|(other, interests)| (other, interests.get(topic)));
        let differs = |other: Option<&Interest>| other != interest && (same_topics || (other.is_some() && interest.is_some()));
        let (other_client_id, other) = others.find(|(_, other)| differs(*other))?;
        Some(Disagreement {
            topic: topic.to_owned(),
            client_id: client_id.to_owned(),
            expression: shown(interest),
            other_client_id: other_client_id.clone(),
            other_expression: shown(other),
        })
    }
}

impl Interest {
    fn new(data: &SubscriptionData) -> Interest {
        if !is_tags(&data.expression_type) {
            Interest::Other { kind: data.expression_type.clone(), expression: data.sub_string.clone() }
        } else if is_everything(&data.sub_string) {
            // Every tag is no tag in particular.
            Interest::Tags(BTreeSet::new())
        } else {
            Interest::Tags(tags(&data.sub_string).map(str::to_owned).collect())
        }
    }
}

fn shown(interest: Option<&Interest>) -> String {
    match interest {
        None => "nothing".to_owned(),
        Some(Interest::Tags(tags)) if tags.is_empty() => SubscriptionData::ALL.to_owned(),
        Some(Interest::Tags(tags)) => tags.iter().map(String::as_str).collect::<Vec<_>>().join(" || "),
        Some(Interest::Other { kind, expression }) => format!("{kind}: {expression}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(topic: &str, kind: &str, expression: &str) -> SubscriptionData {
        let (topic, sub_string, expression_type) = (topic.to_owned(), expression.to_owned(), kind.to_owned());
        SubscriptionData { topic, sub_string, expression_type, ..SubscriptionData::default() }
    }

    #[test]
    fn members_agree_again_after_the_other_one_leaves_or_subscribes_alike() {
        let mut interests = Interests::default();
        let push = ConsumeType::ConsumePassively;
        interests.update("first", &[wants("t", "TAG", "a || b")], push);
        interests.update("second", &[wants("t", "TAG", "b||a")], push);
        assert!(interests.agree(push));
        interests.update("second", &[wants("t", "TAG", "a")], push);
        assert!(!interests.agree(push));
        interests.update("second", &[wants("t", "TAG", "a || b"), wants("u", "TAG", "*")], push);
        assert!(!interests.agree(push) && interests.agree(ConsumeType::ConsumeActively));
        interests.remove("second");
        assert!(interests.agree(push));
    }

    #[test]
    fn disagreements_are_reported_once_per_change() {
        let mut interests = Interests::default();
        let mut found = |client: &str, topic: &str, kind: &str, expression: &str| -> Vec<String> {
            let new = interests.update(client, &[wants(topic, kind, expression)], ConsumeType::ConsumePassively);
            new.iter()
                .map(|d| format!("{} {}={} {}={}", d.topic, d.client_id, d.expression, d.other_client_id, d.other_expression))
                .collect()
        };
        let none: [&str; 0] = [];
        assert_eq!(found("one", "T", "TAG", "a || b"), none);
        assert_eq!(found("two", "T", "", "b||a"), none);
        assert_eq!(found("two", "T", "TAG", "b"), ["T two=b one=a || b"]);
        assert_eq!(found("two", "T", "TAG", "b"), none);
        assert_eq!(found("one", "T", "TAG", "a||b"), none);
        assert_eq!(found("two", "T", "SQL92", "a > 1"), ["T two=SQL92: a > 1 one=a || b"]);
        assert_eq!(found("two", "T", "TAG", "a || b"), none);
        assert_eq!(found("two", "U", "TAG", "*"), ["T two=nothing one=a || b", "U two=* one=nothing"]);
        interests.remove("one");
        assert!(interests.update("two", &[wants("T", "TAG", "c")], ConsumeType::ConsumePassively).is_empty());
        // Pullers may read different topics.
        assert!(interests.update("three", &[wants("V", "TAG", "c")], ConsumeType::ConsumeActively).is_empty());
        assert_eq!(interests.update("four", &[wants("T", "TAG", "d")], ConsumeType::ConsumeActively).len(), 1);
    }
}
