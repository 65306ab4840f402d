//! Which attributes can topics and groups have, and how are they changed?
//!
//! A change names each with a sign: `+key=value` or `-key`. They are stored and shown without. Java: `AttributeUtil`, `TopicAttributes`,
//! `SubscriptionGroupAttributes`. An attribute that would be stored without an effect is refused by name.

use crate::error::Refusal;
use std::collections::{BTreeMap, BTreeSet};

/// The attributes of topics or of groups.
pub type Attributes = BTreeMap<String, String>;

/// An attribute that a topic or group can have.
pub struct Attribute {
    name: &'static str,
    values: Values,
    /// For an attribute that cannot change: the value that it has when it is not set.
    fixed: Option<&'static str>,
}

/// The values that an attribute may have.
enum Values {
    /// One of these; others that Java has are not served, each for its reason.
    OneOf(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// A whole number.
    Range(i64, i64),
    /// Only these, which have no effect; others are not served, for this reason.
    None(&'static [&'static str], &'static str),
}

const LITE: &str = "lite topics are not served";

/// The attributes of topics.
pub const OF_TOPICS: &[Attribute] = &[
    Attribute {
        name: "message.type",
        values: Values::OneOf(
            &["UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"],
            &[("LITE", LITE), ("PRIORITY", "priorities are not served")],
        ),
        fixed: None,
    },
    Attribute {
        name: "cleanup.policy",
        values: Values::OneOf(&["DELETE"], &[("COMPACTION", "compacted topics are not served")]),
        fixed: Some("DELETE"),
    },
    Attribute {
        name: "queue.type",
        values: Values::OneOf(&["SimpleCQ"], &[("BatchCQ", "queues of whole batches are not served")]),
        fixed: Some("SimpleCQ"),
    },
    Attribute {
        name: "reserve.time",
        values: Values::None(&["-1"], "messages of all topics are retained for `fileReservedTime`"),
        fixed: None,
    },
    Attribute { name: "lite.topic.expiration", values: Values::None(&["-1"], LITE), fixed: None },
];

/// The attributes of groups.
pub const OF_GROUPS: &[Attribute] = &[
    Attribute { name: "priority.factor", values: Values::Range(0, 100), fixed: None },
    Attribute { name: "lite.bind.topic", values: Values::None(&[], LITE), fixed: None },
    Attribute { name: "lite.sub.model", values: Values::None(&["Shared"], LITE), fixed: None },
    Attribute { name: "lite.sub.reset.offset.exclusive", values: Values::None(&["false"], LITE), fixed: None },
    Attribute { name: "lite.sub.reset.offset.unsubscribe", values: Values::None(&["false"], LITE), fixed: None },
    Attribute { name: "lite.sub.client.quota", values: Values::None(&["2000"], LITE), fixed: None },
    Attribute { name: "lite.sub.client.max.event.cnt", values: Values::None(&["400"], LITE), fixed: None },
    Attribute { name: "lite.sub.wildcard", values: Values::None(&[], LITE), fixed: None },
];

/// The changes in the text of a request: `+key1=value1,-key2`.
///
/// # Errors
/// When one of them has no sign, or is there twice.
pub fn parse(text: &str) -> Result<Attributes, Refusal> {
    let mut changes = Attributes::new();
    for change in text.split(',').map(str::trim).filter(|change| !change.is_empty()) {
        let (key, value) = change.split_once('=').unwrap_or((change, ""));
        if !key.starts_with(if change.contains('=') { '+' } else { '-' }) {
            return failed(format!("the attribute {change:?} is neither +key=value nor -key"));
        }
        if changes.insert(key.to_owned(), value.to_owned()).is_some() {
            return failed(format!("key duplication: {key}"));
        }
    }
    Ok(changes)
}

/// The attributes after the changes, of a topic or group that has these, or that is new.
///
/// # Errors
/// When a change makes no sense, or is not served. Then none of them is made.
pub fn changed(all: &[Attribute], known: Option<&Attributes>, changes: &Attributes) -> Result<Attributes, Refusal> {
    let mut attributes = known.cloned().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (change, value) in changes {
        let (sign, key) = change.split_at(if change.starts_with(['+', '-']) { 1 } else { 0 });
        if key.is_empty() || key.contains(['+', '-']) {
            return failed(format!("kv string format wrong: {change}"));
        }
        if !seen.insert(key) {
            return failed(format!("alter duplication key. key: {key}"));
        }
        let attribute = all.iter().find(|attribute| attribute.name == key);
        match (sign, known) {
            ("+", _) => {
                let attribute = attribute.ok_or_else(|| Refusal::Failed(format!("unsupported key: {key}")))?;
                attribute.check(value)?;
                attribute.check_fixed(known, Some(value))?;
                attributes.insert(key.to_owned(), value.clone());
            }
            ("-", Some(_)) => {
                attribute.map_or(Ok(()), |attribute| attribute.check_fixed(known, None))?;
                if attributes.remove(key).is_none() {
                    return failed(format!("attempt to delete a nonexistent key: {key}"));
                }
            }
            (_, None) => return failed(format!("only add attribute is supported while creating topic. key: {key}")),
            _ => return failed(format!("wrong format key: {change}")),
        }
    }
    Ok(attributes)
}

/// Why an attribute has no effect here. There can be such in tables from Java or older versions.
pub fn unserved(all: &[Attribute], attributes: &Attributes) -> Option<String> {
    let asks = |(key, value): (&String, &String)| {
        let attribute = all.iter().find(|attribute| attribute.name == key)?;
        attribute.check(value).err().map(|refusal| refusal.to_string())
    };
    attributes.iter().find_map(asks)
}

/// Attributes from an older version's table, where they still have the sign with which they were set.
pub fn without_signs(attributes: Attributes) -> Attributes {
    let (signed, mut plain): (Attributes, Attributes) = attributes.into_iter().partition(|(key, _)| key.starts_with('+'));
    for (key, value) in signed {
        plain.entry(key[1..].to_owned()).or_insert(value);
    }
    plain
}

impl Attribute {
    fn check(&self, value: &str) -> Result<(), Refusal> {
        let name = self.name;
        match self.values {
            Values::OneOf(served, _) if served.contains(&value) => Ok(()),
            Values::OneOf(served, others) => match others.iter().find(|(other, _)| *other == value) {
                Some((_, reason)) => failed(format!("{name}={value} is not supported: {reason}")),
                None => failed(format!("{name}: value is not in set: {value}, only [{}] are allowed", served.join(", "))),
            },
            Values::Range(min, max) => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(()),
                _ => failed(format!("{name}: value is not in range({min}, {max}): {value}")),
            },
            Values::None(nothing, _) if nothing.contains(&value) => Ok(()),
            Values::None(_, reason) => failed(format!("{name}={value} is not supported: {reason}")),
        }
    }

    /// An attribute that decides how a topic is stored cannot change.
    fn check_fixed(&self, known: Option<&Attributes>, value: Option<&str>) -> Result<(), Refusal> {
        let (Some(known), Some(unset)) = (known, self.fixed) else { return Ok(()) };
        if known.get(self.name).map_or(unset, String::as_str) == value.unwrap_or(unset) {
            return Ok(());
        }
        failed(format!("attempt to update an unchangeable attribute. key: {}", self.name))
    }
}

fn failed<T>(what: String) -> Result<T, Refusal> {
    Err(Refusal::Failed(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_fixed_attribute_stays() {
        let change = |known: Option<&Attributes>, text: &str| {
            changed(OF_TOPICS, known, &parse(text).unwrap()).map_err(|refusal| refusal.to_string())
        };
        let old = of(&[("cleanup.policy", "COMPACTION"), ("message.type", "FIFO")]);
        let fixed = || Err("attempt to update an unchangeable attribute. key: cleanup.policy".into());
        assert_eq!(change(None, "+cleanup.policy=DELETE"), Ok(of(&[("cleanup.policy", "DELETE")])));
        assert_eq!(change(Some(&Attributes::new()), "+cleanup.policy=DELETE"), Ok(of(&[("cleanup.policy", "DELETE")])));
        // An attribute from another broker stays as it is.
        assert_eq!(change(Some(&old), "+cleanup.policy=DELETE"), fixed());
        assert_eq!(change(Some(&old), "-cleanup.policy"), fixed());
        assert_eq!(change(Some(&old), "-message.type"), Ok(of(&[("cleanup.policy", "COMPACTION")])));
        assert_eq!(unserved(OF_TOPICS, &old).unwrap(), "cleanup.policy=COMPACTION is not supported: compacted topics are not served");
        assert_eq!(unserved(OF_TOPICS, &of(&[("cleanup.policy", "DELETE"), ("other", "x")])), None);
    }

    #[test]
    fn signs_of_older_tables_go() {
        let old = of(&[("+priority.factor", "50"), ("+bogus", "1"), ("bogus", "2")]);
        let clean = without_signs(old);
        assert_eq!(clean, of(&[("priority.factor", "50"), ("bogus", "2")]));
        // An unknown attribute can be removed, but not set.
        assert_eq!(changed(OF_GROUPS, Some(&clean), &of(&[("-bogus", "")])), Ok(of(&[("priority.factor", "50")])));
        assert!(changed(OF_GROUPS, Some(&clean), &of(&[("+bogus", "1")])).is_err());
    }
}
