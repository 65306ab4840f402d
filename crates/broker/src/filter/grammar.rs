//! What does an expression say? A parser by recursive descent, with the rules of Java's `SelectorParser.jj`.
//!
//! ```text
//!  or         = and { OR and }
//!  and        = equality { AND equality }
//!  equality   = comparison { = comparison | <> comparison | IS NULL | IS NOT NULL }
//!  comparison = unary { > unary | >= unary | < unary | <= unary | [NOT] BETWEEN unary AND unary | [NOT] IN ( text {, text} )
//!                     | [NOT] CONTAINS text | [NOT] STARTSWITH text | [NOT] ENDSWITH text }
//!  unary      = + unary | - unary | NOT unary | text | number | TRUE | FALSE | NULL | name | ( or )
//! ```
//!
//! The first token that no rule wants ends the expression; it has to be a token, and the text behind it is not read.

use super::node::{Comparison, Listed, Node, Search, Searched};
use super::tokens::{ParseError, Sign, Token, Tokens, Word};
use super::values::Number;
use std::cmp::Ordering;

/// Bytes of the longest expression. Java has no bound of its own.
pub const EXPRESSION_BYTES_MAX: usize = 64 * 1024;
/// How deep an expression may be nested. Java's bound is its stack, at some thousands.
pub const DEPTH_MAX: usize = 128;

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Node, ParseError> {
    whole(text).map_err(|error| *error)
}

fn whole(text: &str) -> Parsed<Node> {
    let mut tokens = Tokens::new(text);
    if text.len() > EXPRESSION_BYTES_MAX {
        let what = format!("the expression has {} bytes; at most {EXPRESSION_BYTES_MAX} are allowed", text.len());
        return Err(tokens.error(0, what));
    }
    let (token, at) = tokens.next()?;
    let mut parser = Parser { tokens, token, at, nesting: 0 };
    let whole = parser.or()?;
    Ok(parser.condition(whole)?.node)
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    /// The token that comes next.
    token: Token<'a>,
    /// Where it starts.
    at: usize,
    /// How many rules of `unary` are under way.
    nesting: usize,
}

/// A part of an expression.
struct Part {
    node: Node,
    /// The depth of its tree.
    depth: usize,
    /// Where it starts.
    from: usize,
}

/// Errors are boxed while they travel, because every rule on the stack has room for one.
type Parsed<T = Part> = Result<T, Box<ParseError>>;

impl Parser<'_> {
    fn or(&mut self) -> Parsed {
        self.chain(Word::Or, Parser::and, Node::Any)
    }

    fn and(&mut self) -> Parsed {
        self.chain(Word::And, Parser::equality, Node::All)
    }

    /// One `side`, or several with `word` between them, which then have to be conditions.
    fn chain(&mut self, word: Word, side: fn(&mut Self) -> Parsed, join: fn(Box<[Node]>) -> Node) -> Parsed {
        let first = side(self)?;
        if self.token != Token::Word(word) {
            return Ok(first);
        }
        let Part { node, mut depth, from } = self.condition(first)?;
        let mut conditions = vec![node];
        while self.take(Token::Word(word))? {
            let next = side(self)?;
            let next = self.condition(next)?;
            depth = depth.max(next.depth);
            conditions.push(next.node);
        }
        self.part(join(conditions.into()), depth, from)
    }

    fn equality(&mut self) -> Parsed {
        let mut left = self.comparison()?;
        loop {
            let from = left.from;
            left = if self.take(Token::Sign(Sign::Equal))? {
                self.equal(left, false)?
            } else if self.take(Token::Sign(Sign::NotEqual))? {
                self.equal(left, true)?
            } else if self.take(Token::Word(Word::Is))? {
                let negated = self.take(Token::Word(Word::Not))?;
                self.expect(Token::Word(Word::Null), "NULL")?;
                self.part(unless(negated, Node::Equal(Box::new((left.node, Node::Null)))), left.depth + usize::from(negated), from)?
            } else {
                return Ok(left);
            };
        }
    }

    fn equal(&mut self, left: Part, negated: bool) -> Parsed {
        let right = self.comparison()?;
        for side in [&left, &right] {
            if side.node == Node::Null {
                return Err(self.tokens.error(side.from, "nothing equals NULL; use IS NULL".to_owned()));
            }
        }
        if matches!((&left.node, &right.node), (Node::Truth(_), Node::Text(_) | Node::Number(_))) {
            return Err(self.tokens.error(right.from, "TRUE and FALSE can only be compared with conditions".to_owned()));
        }
        let depth = left.depth.max(right.depth) + usize::from(negated);
        self.part(unless(negated, Node::Equal(Box::new((left.node, right.node)))), depth, left.from)
    }

    fn comparison(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            left = match self.token {
                Token::Sign(Sign::Greater) => self.order(Comparison::Greater, left)?,
                Token::Sign(Sign::GreaterOrEqual) => self.order(Comparison::GreaterOrEqual, left)?,
                Token::Sign(Sign::Less) => self.order(Comparison::Less, left)?,
                Token::Sign(Sign::LessOrEqual) => self.order(Comparison::LessOrEqual, left)?,
                Token::Word(Word::Not) => {
                    self.advance()?;
                    self.test(left, true)?
                }
                Token::Word(Word::Contains | Word::StartsWith | Word::EndsWith | Word::Between | Word::In) => self.test(left, false)?,
                _ => return Ok(left),
            };
        }
    }

    fn order(&mut self, comparison: Comparison, left: Part) -> Parsed {
        self.advance()?;
        let right = self.unary()?;
        self.check_has_order(&left)?;
        self.check_has_order(&right)?;
        let depth = left.depth.max(right.depth);
        self.part(Node::Order(comparison, Box::new((left.node, right.node))), depth, left.from)
    }

    /// A test that may follow `NOT` in a comparison.
    fn test(&mut self, left: Part, negated: bool) -> Parsed {
        match self.token {
            Token::Word(Word::Contains) => self.search(Search::Contains, left, negated),
            Token::Word(Word::StartsWith) => self.search(Search::StartsWith, left, negated),
            Token::Word(Word::EndsWith) => self.search(Search::EndsWith, left, negated),
            Token::Word(Word::Between) => self.between(left, negated),
            Token::Word(Word::In) => self.one_of(left, negated),
            _ => Err(self.unexpected("CONTAINS, STARTSWITH, ENDSWITH, BETWEEN or IN")),
        }
    }

    fn search(&mut self, kind: Search, within: Part, negated: bool) -> Parsed {
        self.advance()?;
        let wanted = self.text()?.into();
        self.part(Node::Search(Box::new(Searched { kind, negated, within: within.node, wanted })), within.depth, within.from)
    }

    fn between(&mut self, value: Part, negated: bool) -> Parsed {
        self.advance()?;
        let low = self.unary()?;
        self.expect(Token::Word(Word::And), "AND")?;
        let high = self.unary()?;
        for part in [&value, &low, &high] {
            self.check_has_order(part)?;
        }
        if let (false, Node::Number(least), Node::Number(most)) = (negated, &low.node, &high.node)
            && most.order(*least) == Ordering::Less
        {
            return Err(self.tokens.error(high.from, "the second limit of BETWEEN is less than the first".to_owned()));
        }
        let depth = value.depth.max(low.depth).max(high.depth);
        let parts = Box::new([value.node, low.node, high.node]);
        self.part(if negated { Node::NotBetween(parts) } else { Node::Between(parts) }, depth, value.from)
    }

    fn one_of(&mut self, left: Part, negated: bool) -> Parsed {
        self.advance()?;
        self.expect(Token::Sign(Sign::Open), "(")?;
        let mut texts: Vec<Box<str>> = vec![self.text()?.into()];
        while self.take(Token::Sign(Sign::Comma))? {
            texts.push(self.text()?.into());
        }
        self.expect(Token::Sign(Sign::Close), ")")?;
        let Node::Property(property) = left.node else {
            return Err(self.tokens.error(left.from, "only a property can be IN a list".to_owned()));
        };
        texts.sort_unstable();
        self.part(Node::OneOf(Box::new(Listed { property, negated, sorted: texts.into() })), left.depth, left.from)
    }

    fn unary(&mut self) -> Parsed {
        if self.nesting == DEPTH_MAX {
            return Err(self.too_deep(self.at));
        }
        self.nesting += 1;
        let from = self.at;
        let part = match self.token {
            Token::Sign(Sign::Plus) => {
                self.advance()?;
                Part { from, ..self.unary()? }
            }
            Token::Sign(Sign::Minus) => {
                self.advance()?;
                let of = self.unary()?;
                self.part(Node::Negative(Box::new(of.node)), of.depth, from)?
            }
            Token::Word(Word::Not) => {
                self.advance()?;
                let of = self.unary()?;
                let of = self.condition(of)?;
                self.part(Node::Not(Box::new(of.node)), of.depth, from)?
            }
            Token::Sign(Sign::Open) => {
                self.advance()?;
                let inner = self.or()?;
                self.expect(Token::Sign(Sign::Close), ")")?;
                Part { from, ..inner }
            }
            _ => {
                let node = self.value()?;
                Part { node, depth: 1, from }
            }
        };
        self.nesting -= 1;
        Ok(part)
    }

    fn value(&mut self) -> Parsed<Node> {
        let node = match self.token {
            Token::Text(_) => return Ok(Node::Text(self.text()?.into())),
            Token::Decimal(digits) => Node::Number(self.whole_number(digits)?),
            Token::Floating(digits) => Node::Number(self.floating_number(digits)?),
            Token::Word(Word::True) => Node::Truth(true),
            Token::Word(Word::False) => Node::Truth(false),
            Token::Word(Word::Null) => Node::Null,
            Token::Name(name) => Node::Property(name.into()),
            Token::Word(_) | Token::Sign(_) | Token::End => return Err(self.unexpected("a value")),
        };
        self.advance()?;
        Ok(node)
    }

    fn text(&mut self) -> Parsed<String> {
        let Token::Text(text) = self.token else { return Err(self.unexpected("a text in single quotes")) };
        self.advance()?;
        Ok(text.replace("''", "'"))
    }

    /// Of 32 bits if it fits: that decides how a text that is compared with it is read.
    fn whole_number(&self, digits: &str) -> Parsed<Number> {
        let number: i64 = digits
            .trim_end_matches(['l', 'L'])
            .parse()
            .map_err(|_| self.tokens.error(self.at, format!("{digits} is greater than {}", i64::MAX)))?;
        Ok(i32::try_from(number).map_or(Number::Long(number), Number::Integer))
    }

    /// Java 5.5.0 refuses zero, and numbers so small that they are read as zero.
    fn floating_number(&self, digits: &str) -> Parsed<Number> {
        let number: f64 = digits.parse().map_err(|_| self.unexpected("a number"))?;
        if number.is_finite() {
            return Ok(Number::Double(number));
        }
        Err(self.tokens.error(self.at, format!("{digits} is greater than any number with a point")))
    }

    /// The part as a condition.
    fn condition(&self, part: Part) -> Parsed {
        let node = match part.node {
            Node::Property(name) => Node::IsTrue(name),
            Node::Text(_) | Node::Number(_) | Node::Negative(_) => {
                return Err(self.tokens.error(part.from, "expected a condition, found a value".to_owned()));
            }
            condition => condition,
        };
        Ok(Part { node, ..part })
    }

    /// Only numbers, and properties that may hold one, have an order.
    fn check_has_order(&self, part: &Part) -> Parsed<()> {
        match part.node {
            Node::Property(_) | Node::Number(_) | Node::Negative(_) => Ok(()),
            Node::Text(_) => Err(self.tokens.error(part.from, "a text has no order; only numbers have".to_owned())),
            _ => Err(self.tokens.error(part.from, "a condition has no order; only numbers have".to_owned())),
        }
    }

    /// A part whose own parts have this depth.
    fn part(&self, node: Node, depth: usize, from: usize) -> Parsed {
        if depth >= DEPTH_MAX { Err(self.too_deep(from)) } else { Ok(Part { node, depth: depth + 1, from }) }
    }

    fn too_deep(&self, at: usize) -> Box<ParseError> {
        self.tokens.error(at, format!("the expression is nested more than {DEPTH_MAX} deep"))
    }

    fn take(&mut self, wanted: Token<'_>) -> Parsed<bool> {
        let is_it = self.token == wanted;
        if is_it {
            self.advance()?;
        }
        Ok(is_it)
    }

    fn expect(&mut self, wanted: Token<'_>, name: &str) -> Parsed<()> {
        if self.take(wanted)? { Ok(()) } else { Err(self.unexpected(name)) }
    }

    fn advance(&mut self) -> Parsed<()> {
        (self.token, self.at) = self.tokens.next()?;
        Ok(())
    }

    fn unexpected(&self, wanted: &str) -> Box<ParseError> {
        let found = match self.token {
            Token::End => "the end".to_owned(),
            _ => self.tokens.since(self.at).chars().take(FOUND_CHARS_MAX).collect(),
        };
        self.tokens.error(self.at, format!("expected {wanted}, found {found}"))
    }
}

fn unless(negated: bool, node: Node) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}

/// How much of a token an error shows.
const FOUND_CHARS_MAX: usize = 40;
