//! Does a message's property set satisfy an SQL92 expression?
//!
//! ```text
//!  text --tokens.rs--> tokens --grammar.rs--> tree of conditions --node.rs--> yes or no for a message's properties
//! ```
//!
//! The language is that of Java's `rocketmq-filter`, odd corners included, because consumers move between brokers: three-valued logic,
//! text that is read as a number where it meets one, `NOT` that binds tighter than `=`, and a parser that stops at the first token that
//! cannot go on and ignores the rest. `tests/sql92` holds what Java answered, and where it is wrong.

mod grammar;
mod node;
#[cfg(test)]
mod tests;
mod tokens;
mod values;

use node::Node;
use roxmq_protocol::properties::Properties;

pub use tokens::ParseError;

/// An expression that was read and can be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    root: Node,
}

impl Expression {
    /// Reads an expression. Accepts and refuses the same texts as Java's `SelectorParser.parse`.
    ///
    /// # Errors
    /// When the text is no expression, has no truth value, is longer than [`grammar::EXPRESSION_BYTES_MAX`] or deeper than [`grammar::DEPTH_MAX`].
    pub fn parse(text: &str) -> Result<Expression, ParseError> {
        grammar::parse(text).map(|root| Expression { root })
    }

    /// Is the expression true for these properties? Not if it is unknown or cannot be evaluated
    /// (`ExpressionMessageFilter.isMatchedByCommitLog`).
    pub fn matches(&self, properties: &Properties<'_>) -> bool {
        self.root.truth(properties) == Ok(Some(true))
    }
}
