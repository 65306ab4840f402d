//! Rust source as tokens: identifiers and punctuation, without comments, text and lifetimes.

/// A piece of source that can be part of a path, an attribute or a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name or keyword.
    Ident(String),
    /// One character of punctuation.
    Punct(char),
    /// A text, character or number.
    Literal,
}

impl Token {
    /// Is it this name or keyword?
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Token::Ident(ident) if ident == name)
    }

    /// Is it this character?
    pub fn is_punct(&self, punct: char) -> bool {
        *self == Token::Punct(punct)
    }
}

/// The tokens of a file.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&char) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        match char {
            '/' if next == Some('/') => at = line_end(&chars, at),
            '/' if next == Some('*') => at = comment_end(&chars, at),
            '"' => {
                at = text_end(&chars, at + 1);
                found.push(Token::Literal);
            }
            '\'' => match quoted_end(&chars, at) {
                Some(end) => {
                    at = end;
                    found.push(Token::Literal);
                }
                None => at = ident_end(&chars, at + 1),
            },
            _ if is_ident_start(char) => {
                let end = ident_end(&chars, at);
                let ident: String = chars[at..end].iter().collect();
                at = prefixed_end(&chars, &ident, end, &mut found);
            }
            _ if char.is_ascii_digit() => {
                at = ident_end(&chars, at);
                found.push(Token::Literal);
            }
            _ => {
                at += 1;
                if !char.is_whitespace() {
                    found.push(Token::Punct(char));
                }
            }
        }
    }
    found
}

/// Takes an identifier, or the text that it is a prefix of (`r"..."`, `b'x'`, `r#type`). Where does the next token begin?
fn prefixed_end(chars: &[char], ident: &str, end: usize, found: &mut Vec<Token>) -> usize {
    let is_raw = matches!(ident, "r" | "br" | "cr");
    let hashes = chars[end..].iter().take_while(|&&char| char == '#').count();
    match chars.get(end + hashes) {
        Some('"') if is_raw => {
            found.push(Token::Literal);
            raw_end(chars, end + hashes + 1, hashes)
        }
        Some(&char) if ident == "r" && hashes == 1 && is_ident_start(char) => {
            let name_end = ident_end(chars, end + 1);
            found.push(Token::Ident(chars[end + 1..name_end].iter().collect()));
            name_end
        }
        Some('"') if hashes == 0 && matches!(ident, "b" | "c") => {
            found.push(Token::Literal);
            text_end(chars, end + 1)
        }
        Some('\'') if hashes == 0 && ident == "b" => {
            found.push(Token::Literal);
            quoted_end(chars, end).unwrap_or(end + 1)
        }
        _ => {
            found.push(Token::Ident(ident.to_owned()));
            end
        }
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&char| char == '\n').map_or(chars.len(), |length| at + length)
}

/// Comments nest.
fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Behind the closing quotation mark.
fn text_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn raw_end(chars: &[char], mut at: usize, hashes: usize) -> usize {
    while at < chars.len() {
        at += 1;
        if chars[at - 1] == '"' && chars[at..].iter().take(hashes).filter(|&&char| char == '#').count() == hashes {
            return at + hashes;
        }
    }
    at
}

/// The end of a character literal; `None` for a lifetime.
fn quoted_end(chars: &[char], at: usize) -> Option<usize> {
    if chars.get(at + 1) == Some(&'\\') {
        let length = chars[at + 3..].iter().position(|&char| char == '\'')?;
        return Some(at + 3 + length + 1);
    }
    (chars.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

fn is_ident_start(char: char) -> bool {
    char.is_alphabetic() || char == '_'
}

fn ident_end(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().take_while(|&&char| char.is_alphanumeric() || char == '_').count();
    at + length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idents(source: &str) -> String {
        let names = tokens(source).into_iter().filter_map(|token| match token {
            Token::Ident(name) => Some(name),
            Token::Punct(_) | Token::Literal => None,
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_texts_have_no_names() {
        assert_eq!(idents("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(idents(r#"a "b \" c" d b"e" r"f\" g"#), "a d g");
        assert_eq!(idents(r###"a r#"b " c"# d br##"e "# f"## g c"h" i"###), "a d g i");
    }

    #[test]
    fn characters_are_no_lifetimes() {
        assert_eq!(idents(r"a 'b' c '\'' d '\u{41}' e b'\\' f"), "a c d e f");
        assert_eq!(idents("fn a<'b>(c: &'static d) where 'b: 'c {}"), "fn a c d where");
    }

    #[test]
    fn raw_names_and_numbers() {
        assert_eq!(idents("r#type 0xffu64 1_000 r b"), "type r b");
    }
}
