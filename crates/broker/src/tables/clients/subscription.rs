//! Which messages of a topic does a group want?

use crate::filter::{Expression, ParseError};
use roxmq_protocol::body::SubscriptionData;
use roxmq_protocol::properties::java_hash;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

/// A group's subscription to one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// As the client sent it.
    pub data: SubscriptionData,
    /// The meaning of its expression.
    pub wanted: Wanted,
}

/// Which messages are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// All.
    All,
    /// Those whose tag has one of these hashes. The client sorts out different tags of the same hash.
    Tagged(HashSet<i32>),
    /// Those whose properties satisfy an SQL92 expression.
    Sql(Expression),
    /// None, since the expression cannot be read.
    Unreadable(ParseError),
}

impl Subscription {
    /// Every message.
    pub fn everything() -> Arc<Subscription> {
        static EVERYTHING: LazyLock<Arc<Subscription>> = LazyLock::new(|| {
            Arc::new(Subscription::new(SubscriptionData { sub_string: SubscriptionData::ALL.to_owned(), ..SubscriptionData::default() }))
        });
        Arc::clone(&EVERYTHING)
    }

    /// The subscription that a client sent. Clients that send no `codeSet` (C++, Python) get it from their expression.
    pub fn new(data: SubscriptionData) -> Subscription {
        let wanted = if data.expression_type == SubscriptionData::SQL92 {
            Expression::parse(&data.sub_string).map_or_else(Wanted::Unreadable, Wanted::Sql)
        } else if is_everything(&data.sub_string) {
            Wanted::All
        } else if data.code_set.is_empty() {
            Wanted::Tagged(tags(&data.sub_string).map(java_hash).collect())
        } else {
            Wanted::Tagged(data.code_set.iter().copied().collect())
        };
        Subscription { data, wanted }
    }

    /// May a message with this tag hash be wanted?
    pub fn wants(&self, tags_code: i64) -> bool {
        match &self.wanted {
            Wanted::All | Wanted::Sql(_) => true,
            Wanted::Tagged(codes) => codes.contains(&(tags_code as i32)),
            Wanted::Unreadable(_) => false,
        }
    }
}

/// Is the expression one of tags? Old clients do not name the type.
pub fn is_tags(expression_type: &str) -> bool {
    expression_type.is_empty() || expression_type == SubscriptionData::TAG
}

/// Does the expression want every message?
pub fn is_everything(expression: &str) -> bool {
    let expression = expression.trim();
    expression.is_empty() || expression == SubscriptionData::ALL
}

/// The tags of an expression like `a || b`.
pub fn tags(expression: &str) -> impl Iterator<Item = &str> {
    expression.split("||").map(str::trim).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_hashes() {
        let of = |sub_string: &str| Subscription::new(SubscriptionData { sub_string: sub_string.into(), ..Default::default() });
        assert!(of("*").wants(1) && of("").wants(0) && of(" * ").wants(7));
        let tagged = of("a || TagB");
        assert!(tagged.wants(java_hash("a") as i64) && tagged.wants(java_hash("TagB") as i64));
        assert!(!tagged.wants(0) && !tagged.wants(java_hash("b") as i64));
    }

    #[test]
    fn sql_is_read_once() {
        let of = |sub_string: &str| {
            let expression_type = SubscriptionData::SQL92.to_owned();
            Subscription::new(SubscriptionData { sub_string: sub_string.into(), expression_type, ..Default::default() })
        };
        assert!(matches!(of("a > 1").wanted, Wanted::Sql(_)) && of("a > 1").wants(7));
        assert!(matches!(of("*").wanted, Wanted::Unreadable(ParseError { position: 1, .. })) && !of("*").wants(7));
    }
}
