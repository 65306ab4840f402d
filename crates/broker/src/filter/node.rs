//! Is an expression true for a message's properties? Follows Java's classes of the package `expression`.

use super::values::{Number, Unevaluable, Value};
use roxmq_protocol::properties::Properties;
use std::cmp::Ordering;

/// An operation of an expression. Conditions have the truth values true, false and unknown; the others have values or none.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Property(Box<str>),
    Text(Box<str>),
    Number(Number),
    /// `-`: negates a number; anything else gets no value.
    Negative(Box<Node>),
    /// `TRUE` and `FALSE`.
    Truth(bool),
    /// `NULL`, an unknown condition.
    Null,
    /// A property as a condition: false if it is there, since properties are text, unknown if not.
    IsTrue(Box<str>),
    Not(Box<Node>),
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Equal(Box<(Node, Node)>),
    Order(Comparison, Box<(Node, Node)>),
    Between(Box<[Node; 3]>),
    NotBetween(Box<[Node; 3]>),
    Search(Box<Searched>),
    OneOf(Box<Listed>),
}

/// Expressions are nested, so their parts have to be small.
const _: () = assert!(size_of::<Node>() <= 24);

/// A text that is searched for another.
#[derive(Clone, Debug, PartialEq)]
pub struct Searched {
    pub kind: Search,
    pub negated: bool,
    pub within: Node,
    pub wanted: Box<str>,
}

/// A property whose value is looked up in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub property: Box<str>,
    pub negated: bool,
    pub sorted: Box<[Box<str>]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    Contains,
    StartsWith,
    EndsWith,
}

/// True, false or unknown.
pub type Truth = Result<Option<bool>, Unevaluable>;

impl Node {
    pub fn truth(&self, properties: &Properties<'_>) -> Truth {
        Ok(self.value(properties)?.and_then(|value| match value {
            Value::Truth(truth) => Some(truth),
            Value::Number(_) | Value::Text(_) => None,
        }))
    }

    fn value<'a>(&'a self, properties: &Properties<'a>) -> Result<Option<Value<'a>>, Unevaluable> {
        let truth = match self {
            Node::Property(name) => return Ok(properties.find(name).map(Value::Text)),
            Node::Text(text) => return Ok(Some(Value::Text(text))),
            Node::Number(number) => return Ok(Some(Value::Number(*number))),
            Node::Negative(of) => return Ok(negative(of.value(properties)?)),
            Node::Truth(truth) => Some(*truth),
            Node::Null => None,
            Node::IsTrue(name) => properties.find(name).map(|_| false),
            Node::Not(of) => of.truth(properties)?.map(|truth| !truth),
            Node::All(conditions) => until(false, conditions, properties)?,
            Node::Any(conditions) => until(true, conditions, properties)?,
            Node::Equal(sides) => equal(sides.0.value(properties)?, sides.1.value(properties)?)?,
            Node::Order(comparison, sides) => compared(*comparison, sides.0.value(properties)?, || sides.1.value(properties))?,
            Node::Between(of) => between(of, properties)?,
            Node::NotBetween(of) => outside(of, properties)?,
            Node::Search(searched) => Some(searched.is_found(properties)?),
            Node::OneOf(listed) => properties.find(&listed.property).map(|value| listed.has(value) != listed.negated),
        };
        Ok(truth.map(Value::Truth))
    }
}

fn negative(value: Option<Value<'_>>) -> Option<Value<'_>> {
    match value? {
        Value::Number(number) => Some(Value::Number(number.negated())),
        Value::Text(_) | Value::Truth(_) => None,
    }
}

/// `AND` (until one is false) and `OR` (until one is true); if none decides, an unknown one makes the whole unknown.
fn until(decides: bool, conditions: &[Node], properties: &Properties<'_>) -> Truth {
    let mut whole = Some(!decides);
    for condition in conditions {
        match condition.truth(properties)? {
            Some(truth) if truth == decides => return Ok(Some(decides)),
            Some(_) => {}
            None => whole = None,
        }
    }
    Ok(whole)
}

/// `=`, and `IS NULL` with nothing on the right. Two missing values are equal.
fn equal(left: Option<Value<'_>>, right: Option<Value<'_>>) -> Truth {
    Ok(match (left, right) {
        (None, None) => Some(true),
        (None, Some(_)) => None,
        (Some(_), None) => Some(false),
        (Some(left), Some(right)) => Some(left.order(right)? == Ordering::Equal),
    })
}

/// The right side is only evaluated if there is a left one.
fn compared<'a>(comparison: Comparison, left: Option<Value<'a>>, right: impl FnOnce() -> Result<Option<Value<'a>>, Unevaluable>) -> Truth {
    let Some(left) = left else { return Ok(None) };
    let Some(right) = right()? else { return Ok(None) };
    let order = match (left, right) {
        // Text has no order: both have to be numbers.
        (Value::Text(left), Value::Text(right)) => Number::double(left)?.order(Number::double(right)?),
        (left, right) => left.order(right)?,
    };
    Ok(Some(match comparison {
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
    }))
}

/// `low <= value AND value <= high`.
fn between([value, low, high]: &[Node; 3], properties: &Properties<'_>) -> Truth {
    let value = value.value(properties)?;
    let above = compared(Comparison::GreaterOrEqual, value, || low.value(properties))?;
    if above == Some(false) {
        return Ok(above);
    }
    let below = compared(Comparison::LessOrEqual, value, || high.value(properties))?;
    Ok(if below == Some(false) { below } else { above.and(below) })
}

/// `value < low OR value > high`.
fn outside([value, low, high]: &[Node; 3], properties: &Properties<'_>) -> Truth {
    let value = value.value(properties)?;
    let below = compared(Comparison::Less, value, || low.value(properties))?;
    if below == Some(true) {
        return Ok(below);
    }
    let above = compared(Comparison::Greater, value, || high.value(properties))?;
    Ok(if above == Some(true) { above } else { below.and(above) })
}

impl Searched {
    /// False, never unknown, if the value is not a text, or the wanted text is empty; `NOT` does not change that.
    fn is_found(&self, properties: &Properties<'_>) -> Result<bool, Unevaluable> {
        if self.wanted.is_empty() {
            return Ok(false);
        }
        let Some(Value::Text(text)) = self.within.value(properties)? else { return Ok(false) };
        let found = match self.kind {
            Search::Contains => text.contains(&*self.wanted),
            Search::StartsWith => text.starts_with(&*self.wanted),
            Search::EndsWith => text.ends_with(&*self.wanted),
        };
        Ok(found != self.negated)
    }
}

impl Listed {
    fn has(&self, value: &str) -> bool {
        self.sorted.binary_search_by(|one| (**one).cmp(value)).is_ok()
    }
}
