//! Which paths does a source file name, and which modules does it declare? Code that is compiled for tests alone does not count.

use super::tokens::Token;

/// A path as it is written, with the inline modules around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The inline modules, from the outermost.
    pub inside: Vec<String>,
    /// Its names; the first may be `crate`, `$crate`, `self`, `super`, a module or a crate.
    pub segments: Vec<String>,
    /// The name that a `use` gives to it, `*` for all that is in it; `None` for a path in an expression or type.
    pub alias: Option<String>,
    /// A `use` that others can see.
    pub is_public: bool,
}

/// Read from a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Modules in files of their own: the inline modules around the declaration, and the name.
    pub declared: Vec<(Vec<String>, String)>,
    /// Modules with a body in this file, by their whole path below the file.
    pub inline: Vec<Vec<String>>,
    /// Every path of two names or more, and every `use`.
    pub paths: Vec<Path>,
    /// Items, with the inline modules around them. Those that a macro makes are not seen.
    pub defined: Vec<(Vec<String>, String)>,
    /// `macro_rules!` that are exported, which paths name as if they were in `lib.rs`.
    pub exported_macros: Vec<String>,
}

/// Reads a file.
pub fn read(tokens: &[Token]) -> Source {
    Reader { tokens, at: 0, depth: 0, inside: Vec::new(), exports_macro: false, is_public: false, found: Source::default() }.read()
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Braces that are open.
    depth: usize,
    /// Inline modules that are open, with the depth of their braces.
    inside: Vec<(String, usize)>,
    exports_macro: bool,
    /// Is the `use` that is read a public one?
    is_public: bool,
    found: Source,
}

impl Reader<'_> {
    fn read(mut self) -> Source {
        while self.at < self.tokens.len() {
            if self.punct(0, '#') && (self.punct(1, '[') || (self.punct(1, '!') && self.punct(2, '['))) {
                if !self.attribute() {
                    break;
                }
            } else {
                self.item_or_token();
            }
        }
        self.found
    }

    /// Takes an attribute, and the item behind it if that is for tests alone. False if the whole file is.
    fn attribute(&mut self) -> bool {
        let is_inner = self.punct(1, '!');
        let open = self.at + 1 + usize::from(is_inner);
        let end = self.closing(open);
        let words = &self.tokens[open + 1..end.saturating_sub(1).max(open + 1)];
        let for_tests = is_for_tests(words);
        self.exports_macro |= words.first().is_some_and(|word| word.is("macro_export"));
        self.at = end;
        if for_tests && !is_inner {
            self.skip_item();
        }
        !(for_tests && is_inner && self.inside.is_empty())
    }

    fn item_or_token(&mut self) {
        match &self.tokens[self.at] {
            Token::Ident(word) if word == "mod" && self.ident(1).is_some() && (self.punct(2, ';') || self.punct(2, '{')) => self.module(),
            Token::Ident(word) if word == "use" && !self.after_path_or_dot() => {
                self.is_public = self.after_pub();
                self.at += 1;
                if self.punct(0, ':') {
                    self.at += 2;
                }
                self.use_tree(Vec::new());
                self.is_public = false;
            }
            Token::Ident(word) if word == "macro_rules" && self.punct(1, '!') => {
                if let (true, Some(name)) = (std::mem::take(&mut self.exports_macro), self.ident(2)) {
                    self.found.exported_macros.push(name);
                }
                self.at += 3;
            }
            Token::Ident(word) if is_item(word) && self.ident(1).is_some() => {
                let name = self.ident(1).unwrap_or_default();
                self.found.defined.push((self.inside(), name));
                self.at += 2;
            }
            Token::Ident(_) if self.is_path() && !self.after_path_or_dot() => self.path(),
            Token::Punct('{') => {
                self.depth += 1;
                self.at += 1;
            }
            Token::Punct('}') => {
                self.depth = self.depth.saturating_sub(1);
                if self.inside.last().is_some_and(|(_, depth)| *depth == self.depth) {
                    self.inside.pop();
                }
                self.at += 1;
            }
            Token::Ident(_) | Token::Punct(_) | Token::Literal => self.at += 1,
        }
    }

    fn module(&mut self) {
        let name = self.ident(1).unwrap_or_default();
        if self.punct(2, ';') {
            self.found.declared.push((self.inside(), name));
        } else {
            self.inside.push((name, self.depth));
            self.depth += 1;
            self.found.inline.push(self.inside());
        }
        self.at += 3;
    }

    /// Takes `a::b::{c, d as e, *}`, behind `prefix`, up to a comma, a closing brace or a semicolon.
    fn use_tree(&mut self, prefix: Vec<String>) {
        let mut segments = prefix;
        while self.at < self.tokens.len() {
            if self.punct(0, '{') {
                self.at += 1;
                while self.at < self.tokens.len() && !self.punct(0, '}') {
                    self.use_tree(segments.clone());
                    if self.punct(0, ',') {
                        self.at += 1;
                    }
                }
                self.at += 1;
                return;
            }
            if self.punct(0, '*') {
                self.at += 1;
                return self.push(segments, Some("*".to_owned()));
            }
            let Some(name) = self.ident(0) else { return };
            self.at += 1;
            if name != "self" || segments.is_empty() {
                segments.push(name);
            }
            if self.punct(0, ':') && self.punct(1, ':') {
                self.at += 2;
                continue;
            }
            let mut alias = segments.last().cloned();
            if self.tokens.get(self.at).is_some_and(|token| token.is("as")) {
                alias = self.ident(1);
                self.at += 2;
            }
            return self.push(segments, alias);
        }
    }

    fn path(&mut self) {
        let mut segments = Vec::new();
        // In a macro: a path of its expansion in another crate, or below an argument.
        if self.at > 0 && self.tokens[self.at - 1].is_punct('$') {
            let first = self.ident(0).unwrap_or_default();
            segments.push(format!("${first}"));
            self.at += 3;
        }
        while let Some(name) = self.ident(0) {
            segments.push(name);
            self.at += 1;
            if !(self.punct(0, ':') && self.punct(1, ':')) {
                break;
            }
            self.at += 2;
        }
        self.push(segments, None);
    }

    fn push(&mut self, segments: Vec<String>, alias: Option<String>) {
        self.found.paths.push(Path { inside: self.inside(), segments, alias, is_public: self.is_public });
    }

    /// Passes over the item, arm, field or statement that follows, and over its other attributes.
    fn skip_item(&mut self) {
        while self.punct(0, '#') && self.punct(1, '[') {
            self.at = self.closing(self.at + 1);
        }
        let ends_at_brace = self.item_has_body();
        while self.at < self.tokens.len() {
            match &self.tokens[self.at] {
                Token::Punct('{') if ends_at_brace => return self.at = self.closing(self.at),
                Token::Punct('{' | '(' | '[') => self.at = self.closing(self.at),
                Token::Punct('}') => return,
                Token::Punct(';') => return self.at += 1,
                Token::Punct(',') if !ends_at_brace => return self.at += 1,
                Token::Ident(_) | Token::Punct(_) | Token::Literal => self.at += 1,
            }
        }
    }

    /// Does the item that follows end with the first brace that closes?
    fn item_has_body(&self) -> bool {
        let mut ahead = 0;
        while let Some(word) = self.ident(ahead) {
            match word.as_str() {
                "fn" | "mod" | "impl" | "struct" | "enum" | "trait" | "union" | "macro_rules" => return true,
                "pub" if self.punct(ahead + 1, '(') => ahead = self.closing(self.at + ahead + 1) - self.at,
                "pub" | "async" | "unsafe" | "extern" | "const" => ahead += 1,
                _ => return false,
            }
        }
        false
    }

    /// Behind the bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token {
                Token::Punct('(' | '[' | '{') => depth += 1,
                Token::Punct(')' | ']' | '}') => depth -= 1,
                Token::Ident(_) | Token::Punct(_) | Token::Literal => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.tokens.len()
    }

    fn is_path(&self) -> bool {
        self.punct(1, ':') && self.punct(2, ':') && self.ident(3).is_some()
    }

    /// Is `pub` or `pub(...)` before this?
    fn after_pub(&self) -> bool {
        let before =
            self.tokens[..self.at].iter().rev().take_while(|token| !token.is_punct(';') && !token.is_punct('}') && !token.is_punct(']'));
        before.into_iter().any(|token| token.is("pub"))
    }

    fn after_path_or_dot(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map(|at| &self.tokens[at]);
        let is = |back, punct| before(back).is_some_and(|token| token.is_punct(punct));
        is(1, '.') && !is(2, '.') || is(1, ':') && is(2, ':')
    }

    fn inside(&self) -> Vec<String> {
        self.inside.iter().map(|(name, _)| name.clone()).collect()
    }

    fn ident(&self, ahead: usize) -> Option<String> {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Ident(name)) => Some(name.clone()),
            _ => None,
        }
    }

    fn punct(&self, ahead: usize, punct: char) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.is_punct(punct))
    }
}

/// Does an item of a name begin with this word?
fn is_item(word: &str) -> bool {
    matches!(word, "struct" | "enum" | "union" | "trait" | "fn" | "type" | "const" | "static")
}

/// Is this the inside of `#[cfg(test)]`, or of one that asks for more beside?
fn is_for_tests(words: &[Token]) -> bool {
    let text: Vec<String> = words
        .iter()
        .map(|word| match word {
            Token::Ident(name) => name.clone(),
            Token::Punct(punct) => punct.to_string(),
            Token::Literal => "_".to_owned(),
        })
        .collect();
    let text = text.concat();
    text == "cfg(test)" || text.starts_with("cfg(all(test,") || text == "test"
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn shown(source: &str) -> Vec<String> {
        let source = read(&tokens(source));
        let mut shown: Vec<String> = source
            .declared
            .iter()
            .map(|(inside, name)| format!("mod {}", [inside.as_slice(), std::slice::from_ref(name)].concat().join("::")))
            .collect();
        shown.extend(source.paths.iter().map(|path| {
            let inside = if path.inside.is_empty() { String::new() } else { format!("{}: ", path.inside.join("::")) };
            let alias = path.alias.as_ref().map(|alias| format!(" as {alias}")).unwrap_or_default();
            let public = if path.is_public { "pub " } else { "" };
            format!("{public}{inside}{}{alias}", path.segments.join("::"))
        }));
        shown
    }

    #[test]
    fn uses_are_unfolded() {
        assert_eq!(
            shown("use crate::{a::{self, B}, c as d, e::*}; pub use super::f;"),
            ["crate::a as a", "crate::a::B as B", "crate::c as d", "crate::e as *", "pub super::f as f"]
        );
        assert_eq!(shown("#[x] pub(in a) use b::c; use ::d::e;"), ["pub b::c as c", "d::e as e"]);
    }

    #[test]
    fn paths_in_code_count_once() {
        assert_eq!(
            shown("fn a(b: crate::c::D) -> E { f::g::<crate::h::I>(1).j(); $crate::k::l!(); $m::n(); x.y }"),
            ["crate::c::D", "f::g", "crate::h::I", "$crate::k::l", "$m::n"]
        );
        assert_eq!(shown("let a = [..crate::b::C, 1..super::d::E];"), ["crate::b::C", "super::d::E"]);
    }

    #[test]
    fn modules_in_files_and_in_braces() {
        assert_eq!(
            shown("mod a; pub(crate) mod b { mod c; use super::d; } use e::f;"),
            ["mod a", "mod b::c", "b: super::d as d", "e::f as f"]
        );
    }

    #[test]
    fn code_of_tests_is_passed_over() {
        assert_eq!(shown("#[cfg(test)] mod a; #[cfg(test)] #[path] mod b { use crate::c; } use d::e;"), ["d::e as e"]);
        assert_eq!(shown("#[cfg(test)] use crate::{a, b}; #[cfg(test)] fn f<A, B>(x: [u8; 2]) { crate::c::d } use g::h;"), ["g::h as h"]);
        assert_eq!(shown("match x { #[cfg(test)] ..0 => crate::a::b(c, d)?, 1 => e::f() }"), ["e::f"]);
        assert_eq!(shown("#[cfg(not(test))] use a::b; #[cfg(any(test, feature = \"x\"))] use c::d;"), ["a::b as b", "c::d as d"]);
        assert_eq!(shown("use a::b; #![cfg(test)] use c::d;"), ["a::b as b"]);
    }
}
