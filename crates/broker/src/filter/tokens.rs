//! Which token comes next? Follows the token definitions of Java's `SelectorParser.jj`: the longest one wins.

use thiserror::Error;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}, at character {position}")]
pub struct ParseError {
    /// The first character in error, counted from 1.
    pub position: usize,
    /// The error.
    pub what: String,
}

/// A token, with its text where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Reserved, in any case.
    Word(Word),
    /// Of a property; its case counts.
    Name(&'a str),
    /// The text between the quotes, with quotes in it still doubled.
    Text(&'a str),
    /// Digits, perhaps with an `L` behind them.
    Decimal(&'a str),
    /// With a point or an exponent.
    Floating(&'a str),
    /// `=` and the like.
    Sign(Sign),
    /// Nothing follows.
    End,
}

/// A reserved word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the word itself")]
pub enum Word {
    Not,
    And,
    Or,
    Between,
    In,
    True,
    False,
    Null,
    Is,
    Contains,
    StartsWith,
    EndsWith,
}

/// A token made of signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after what it means")]
pub enum Sign {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Open,
    Comma,
    Close,
    Plus,
    Minus,
}

/// The tokens of a text, one after the other. They are read on demand: text behind the last token used is never read.
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// No line ends behind `at`; saves looking for one again and again.
    is_last_line: bool,
}

impl<'a> Tokens<'a> {
    /// The tokens of `text`.
    pub fn new(text: &'a str) -> Tokens<'a> {
        Tokens { text, at: 0, is_last_line: false }
    }

    /// The next token and where it starts, in bytes.
    ///
    /// # Errors
    /// When no token starts there.
    pub fn next(&mut self) -> Result<(Token<'a>, usize), Box<ParseError>> {
        self.skip_blanks_and_comments();
        let from = self.at;
        let rest = &self.text[from..];
        let Some((token, len)) = token(rest) else {
            let what = match rest.chars().next() {
                Some('\'') => "an unterminated text".to_owned(),
                Some(char) => format!("unexpected {char:?}"),
                None => "nothing".to_owned(),
            };
            return Err(self.error(from, what));
        };
        self.at += len;
        Ok((token, from))
    }

    /// An error at a byte of the text.
    pub fn error(&self, at: usize, what: String) -> Box<ParseError> {
        Box::new(ParseError { position: self.text[..at].chars().count() + 1, what })
    }

    /// The text itself from one byte to the last token's end.
    pub fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            self.at += match rest.as_bytes() {
                [b' ' | b'\t' | b'\n' | b'\r' | b'\x0c', ..] => 1,
                // Without an end of its line it is not a comment but two minus signs.
                [b'-', b'-', ..] if !self.is_last_line => match rest.find(['\n', '\r']) {
                    Some(end) => end + 1,
                    None => {
                        self.is_last_line = true;
                        return;
                    }
                },
                [b'/', b'*', ..] => match rest[2..].find("*/") {
                    Some(end) => end + 4,
                    None => return,
                },
                _ => return,
            }
        }
    }
}

fn token(rest: &str) -> Option<(Token<'_>, usize)> {
    let sign = |sign, len| Some((Token::Sign(sign), len));
    match rest.as_bytes() {
        [] => Some((Token::End, 0)),
        [b'=', ..] => sign(Sign::Equal, 1),
        [b'<', b'>', ..] => sign(Sign::NotEqual, 2),
        [b'<', b'=', ..] => sign(Sign::LessOrEqual, 2),
        [b'<', ..] => sign(Sign::Less, 1),
        [b'>', b'=', ..] => sign(Sign::GreaterOrEqual, 2),
        [b'>', ..] => sign(Sign::Greater, 1),
        [b'(', ..] => sign(Sign::Open, 1),
        [b',', ..] => sign(Sign::Comma, 1),
        [b')', ..] => sign(Sign::Close, 1),
        [b'+', ..] => sign(Sign::Plus, 1),
        [b'-', ..] => sign(Sign::Minus, 1),
        [b'\'', ..] => {
            let len = text_len(rest)?;
            Some((Token::Text(&rest[1..len - 1]), len))
        }
        [b'0'..=b'9' | b'.', ..] => number(rest),
        [b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$', ..] => {
            let len = count(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$');
            let name = &rest[..len];
            Some((word(name).map_or(Token::Name(name), Token::Word), len))
        }
        _ => None,
    }
}

fn word(name: &str) -> Option<Word> {
    WORDS.iter().find(|(text, _)| text.eq_ignore_ascii_case(name)).map(|(_, word)| *word)
}

/// Bytes of a text with its quotes. If the last quote is missing, a text ends at the last doubled one, as the longest that is one.
fn text_len(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut longest = None;
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] != b'\'' {
            at += 1;
        } else if bytes.get(at + 1) == Some(&b'\'') {
            longest = Some(at + 1);
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
    longest
}

fn number(rest: &str) -> Option<(Token<'_>, usize)> {
    let digits = digits(rest);
    let has_point = rest.as_bytes().get(digits) == Some(&b'.');
    let fraction = if has_point { self::digits(&rest[digits + 1..]) } else { 0 };
    if has_point && digits + fraction == 0 {
        return None;
    }
    let mantissa = digits + usize::from(has_point) + fraction;
    let exponent = exponent_len(&rest[mantissa..]);
    if has_point || exponent > 0 {
        let len = mantissa + exponent;
        return Some((Token::Floating(&rest[..len]), len));
    }
    // A zero stands alone: in `007` there are three numbers.
    let len = match rest.as_bytes() {
        [b'0', ..] => 1,
        bytes => digits + usize::from(matches!(bytes.get(digits), Some(b'l' | b'L'))),
    };
    Some((Token::Decimal(&rest[..len]), len))
}

/// Bytes of an exponent, 0 if there is none.
fn exponent_len(rest: &str) -> usize {
    let sign = match rest.as_bytes() {
        [b'e' | b'E', b'+' | b'-', ..] => 1,
        [b'e' | b'E', ..] => 0,
        _ => return 0,
    };
    match digits(&rest[1 + sign..]) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

fn digits(rest: &str) -> usize {
    count(rest, |byte| byte.is_ascii_digit())
}

fn count(rest: &str, belongs: impl Fn(u8) -> bool) -> usize {
    rest.bytes().take_while(|byte| belongs(*byte)).count()
}

const WORDS: [(&str, Word); 12] = [
    ("NOT", Word::Not),
    ("AND", Word::And),
    ("OR", Word::Or),
    ("BETWEEN", Word::Between),
    ("IN", Word::In),
    ("TRUE", Word::True),
    ("FALSE", Word::False),
    ("NULL", Word::Null),
    ("IS", Word::Is),
    ("CONTAINS", Word::Contains),
    ("STARTSWITH", Word::StartsWith),
    ("ENDSWITH", Word::EndsWith),
];
