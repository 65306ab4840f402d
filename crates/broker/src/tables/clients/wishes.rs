//! Do the members of a group agree on what they subscribe to?
//!
//! They have to: the broker keeps one subscription per group and topic, the newest, so members that differ take messages from each other.
//! Java's broker says nothing about it.

use super::{is_everything, is_tags, tags};
use roxmq_protocol::body::{ConsumeType, SubscriptionData};
use std::collections::{BTreeMap, BTreeSet};

/// What each member of a group wants, by client id.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    members: BTreeMap<String, BTreeMap<String, Wish>>,
}

/// What a member wants of a topic, so that equal wishes are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    Tags(BTreeSet<String>),
    Other { kind: String, expression: String },
}

/// Two members of a group that want different messages of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The topic.
    pub topic: String,
    /// Whose wish is new.
    pub client_id: String,
    /// What it wants.
    pub expression: String,
    /// One that wants something else.
    pub other_client_id: String,
    /// What that one wants.
    pub other_expression: String,
}

impl Wishes {
    /// A member says what it wants. Where that is news, and another one wants something else, they disagree; it is said once.
    pub fn heard(&mut self, client_id: &str, subscriptions: &[SubscriptionData], consume_type: ConsumeType) -> Vec<Disagreement> {
        let news: BTreeMap<String, Wish> = subscriptions.iter().map(|data| (data.topic.clone(), Wish::new(data))).collect();
        let before = self.members.insert(client_id.to_owned(), news.clone());
        let known = before.unwrap_or_default();
        let topics: BTreeSet<&String> = news.keys().chain(known.keys()).filter(|topic| news.get(*topic) != known.get(*topic)).collect();
        topics.into_iter().filter_map(|topic| self.disagreement(client_id, topic, news.get(topic), consume_type)).collect()
    }

    /// A member is gone.
    pub fn left(&mut self, client_id: &str) {
        self.members.remove(client_id);
    }

    /// Do all members want the same, as long as it lasts?
    pub fn agree(&self, consume_type: ConsumeType) -> bool {
        let topics: BTreeSet<&String> = self.members.values().flat_map(BTreeMap::keys).collect();
        topics.into_iter().all(|topic| {
            let of_topic = self.members.values().map(|wishes| wishes.get(topic));
            let mut wishes = of_topic.filter(|wish| consume_type != ConsumeType::ConsumeActively || wish.is_some());
            let first = wishes.next();
            wishes.all(|wish| Some(wish) == first)
        })
    }

    fn disagreement(&self, client_id: &str, topic: &str, wish: Option<&Wish>, consume_type: ConsumeType) -> Option<Disagreement> {
        // Members that pull what they like may well read different topics.
        let same_topics = consume_type != ConsumeType::ConsumeActively;
        let mut others = self.members.iter().filter(|(other, _)| *other != client_id).map(|(other, wishes)| (other, wishes.get(topic)));
        let differs = |other: Option<&Wish>| other != wish && (same_topics || (other.is_some() && wish.is_some()));
        let (other_client_id, other) = others.find(|(_, other)| differs(*other))?;
        Some(Disagreement {
            topic: topic.to_owned(),
            client_id: client_id.to_owned(),
            expression: shown(wish),
            other_client_id: other_client_id.clone(),
            other_expression: shown(other),
        })
    }
}

impl Wish {
    fn new(data: &SubscriptionData) -> Wish {
        if !is_tags(&data.expression_type) {
            Wish::Other { kind: data.expression_type.clone(), expression: data.sub_string.clone() }
        } else if is_everything(&data.sub_string) {
            // Every tag is no tag in particular.
            Wish::Tags(BTreeSet::new())
        } else {
            Wish::Tags(tags(&data.sub_string).map(str::to_owned).collect())
        }
    }
}

fn shown(wish: Option<&Wish>) -> String {
    match wish {
        None => "nothing".to_owned(),
        Some(Wish::Tags(tags)) if tags.is_empty() => SubscriptionData::ALL.to_owned(),
        Some(Wish::Tags(tags)) => tags.iter().map(String::as_str).collect::<Vec<_>>().join(" || "),
        Some(Wish::Other { kind, expression }) => format!("{kind}: {expression}"),
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
    fn members_agree_again_when_the_other_one_is_gone_or_has_changed_its_mind() {
        let mut wishes = Wishes::default();
        let push = ConsumeType::ConsumePassively;
        wishes.heard("first", &[wants("t", "TAG", "a || b")], push);
        wishes.heard("second", &[wants("t", "TAG", "b||a")], push);
        assert!(wishes.agree(push));
        wishes.heard("second", &[wants("t", "TAG", "a")], push);
        assert!(!wishes.agree(push));
        wishes.heard("second", &[wants("t", "TAG", "a || b"), wants("u", "TAG", "*")], push);
        assert!(!wishes.agree(push) && wishes.agree(ConsumeType::ConsumeActively));
        wishes.left("second");
        assert!(wishes.agree(push));
    }

    #[test]
    fn disagreements_are_said_once_per_change() {
        let mut wishes = Wishes::default();
        let mut heard = |client: &str, topic: &str, kind: &str, expression: &str| -> Vec<String> {
            let found = wishes.heard(client, &[wants(topic, kind, expression)], ConsumeType::ConsumePassively);
            found
                .iter()
                .map(|d| format!("{} {}={} {}={}", d.topic, d.client_id, d.expression, d.other_client_id, d.other_expression))
                .collect()
        };
        let none: [&str; 0] = [];
        assert_eq!(heard("one", "T", "TAG", "a || b"), none);
        assert_eq!(heard("two", "T", "", "b||a"), none);
        assert_eq!(heard("two", "T", "TAG", "b"), ["T two=b one=a || b"]);
        assert_eq!(heard("two", "T", "TAG", "b"), none);
        assert_eq!(heard("one", "T", "TAG", "a||b"), none);
        assert_eq!(heard("two", "T", "SQL92", "a > 1"), ["T two=SQL92: a > 1 one=a || b"]);
        assert_eq!(heard("two", "T", "TAG", "a || b"), none);
        assert_eq!(heard("two", "U", "TAG", "*"), ["T two=nothing one=a || b", "U two=* one=nothing"]);
        wishes.left("one");
        assert!(wishes.heard("two", &[wants("T", "TAG", "c")], ConsumeType::ConsumePassively).is_empty());
        // Pullers may read different topics.
        assert!(wishes.heard("three", &[wants("V", "TAG", "c")], ConsumeType::ConsumeActively).is_empty());
        assert_eq!(wishes.heard("four", &[wants("T", "TAG", "d")], ConsumeType::ConsumeActively).len(), 1);
    }
}
