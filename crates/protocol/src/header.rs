//! What does a frame's header say? JSON and binary, read and written.
//!
//! Reading borrows from the frame: no field is copied, and none is unescaped before somebody asks for it. The leniency is what real
//! clients need (C++ and Node send numbers and booleans as field values, Elixir an integer language, Python no `serializeTypeCurrentRPC`).
//! Follows Java's `RemotingCommand`, `RemotingSerializable` and `RocketMQSerializable`.

mod binary;
mod json;

use crate::frame::{self, Encoding, Frame};
use std::borrow::Cow;
use thiserror::Error;

pub use json::write_json_string;

/// The version RoxMQ answers with: RocketMQ 5.5.0's ordinal in Java's `MQVersion`.
pub const OUR_VERSION: i32 = 513;

/// `flag` bit 0: the frame is an answer.
pub const FLAG_RESPONSE: i32 = 1;
/// `flag` bit 1: nobody waits for an answer.
pub const FLAG_ONEWAY: i32 = 2;

/// The language a client says it is written in (`LanguageCode`); its number is the binary header's byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub enum Language {
    #[default]
    Java = 0,
    Cpp = 1,
    Dotnet = 2,
    Python = 3,
    Delphi = 4,
    Erlang = 5,
    Ruby = 6,
    Other = 7,
    Http = 8,
    Go = 9,
    Php = 10,
    Oms = 11,
    Rust = 12,
    NodeJs = 13,
}

impl Language {
    const NAMES: [(&'static str, Language); 14] = [
        ("JAVA", Language::Java),
        ("CPP", Language::Cpp),
        ("DOTNET", Language::Dotnet),
        ("PYTHON", Language::Python),
        ("DELPHI", Language::Delphi),
        ("ERLANG", Language::Erlang),
        ("RUBY", Language::Ruby),
        ("OTHER", Language::Other),
        ("HTTP", Language::Http),
        ("GO", Language::Go),
        ("PHP", Language::Php),
        ("OMS", Language::Oms),
        ("RUST", Language::Rust),
        ("NODE_JS", Language::NodeJs),
    ];

    /// The name Java's enum has for it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    /// By binary code; unknown codes are [`Language::Other`].
    pub fn from_code(code: u8) -> Language {
        Self::NAMES.get(code as usize).map_or(Language::Other, |(_, language)| *language)
    }

    /// By name in any case, or by a number written as text; unknown ones are [`Language::Other`].
    pub fn from_text(text: &str) -> Language {
        match text.parse::<u8>() {
            Ok(code) => Self::from_code(code),
            Err(_) => {
                Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map_or(Language::Other, |(_, language)| *language)
            }
        }
    }
}

/// Text of a header as it stands in the frame: in JSON it may hold escapes that nobody has resolved yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawText<'a> {
    text: &'a str,
    escaped: bool,
}

impl<'a> RawText<'a> {
    /// Text without escapes.
    pub fn plain(text: &'a str) -> RawText<'a> {
        RawText { text, escaped: false }
    }

    /// The text itself; copied only when it holds escapes.
    pub fn unescape(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(json::unescape(self.text)) } else { Cow::Borrowed(self.text) }
    }

    /// The text itself, in `buffer` if it holds escapes.
    pub fn unescape_into<'b>(self, buffer: &'b mut String) -> &'b str
    where
        'a: 'b,
    {
        if !self.escaped {
            return self.text;
        }
        buffer.clear();
        json::unescape_into(self.text, buffer);
        buffer
    }

    #[inline]
    pub(crate) fn is(self, name: &str) -> bool {
        // Most names differ in their first letter, and a look at it is cheaper than a call that compares.
        match self.escaped {
            true => json::unescape(self.text) == name,
            false => self.text.as_bytes().first() == name.as_bytes().first() && self.text == name,
        }
    }

    /// The text, if it is one ASCII letter.
    #[inline]
    pub(crate) fn letter(self) -> Option<u8> {
        match self.text.as_bytes() {
            [letter] => Some(*letter),
            _ => None,
        }
    }
}

/// The ext fields of a header (Java's "custom header"), in the order they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    first: [(RawText<'a>, RawText<'a>); FIELDS_WITHOUT_MEMORY],
    count: usize,
    more: Vec<(RawText<'a>, RawText<'a>)>,
}

/// As many as requests usually have: for these no memory is asked for.
const FIELDS_WITHOUT_MEMORY: usize = 16;

/// The most ext fields a header may carry. Java's largest header has 15.
pub const FIELDS_MAX: usize = 256;

impl<'a> Fields<'a> {
    /// The value of the last field called `name`, as Java's map would keep it.
    pub fn find(&self, name: &str) -> Option<RawText<'a>> {
        // Two plain loops: walked as one chain, each field costs a call.
        let among = |fields: &[(RawText<'a>, RawText<'a>)]| fields.iter().rev().find(|(key, _)| key.is(name)).map(|(_, value)| *value);
        among(&self.more).or_else(|| among(&self.first[..self.count]))
    }

    /// The unescaped value of `name`.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.find(name).map(RawText::unescape)
    }

    /// All fields as they stand in the frame.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (RawText<'a>, RawText<'a>)> + '_ {
        self.all()
    }

    /// All fields, unescaped.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + '_ {
        self.all().map(|(key, value)| (key.unescape(), value.unescape()))
    }

    #[inline]
    fn all(&self) -> impl Iterator<Item = (RawText<'a>, RawText<'a>)> + '_ {
        self.first[..self.count].iter().chain(&self.more).copied()
    }

    #[inline]
    fn push(&mut self, key: RawText<'a>, value: RawText<'a>) -> Result<(), HeaderError> {
        if let Some(place) = self.first.get_mut(self.count) {
            *place = (key, value);
            self.count += 1;
        } else if self.count + self.more.len() < FIELDS_MAX {
            self.more.push((key, value));
        } else {
            return Err(HeaderError::TooManyFields);
        }
        Ok(())
    }
}

/// A decoded header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// Request code, or response code in an answer.
    pub code: i32,
    /// The sender's language.
    pub language: Language,
    /// The sender's version, an ordinal of `MQVersion`.
    pub version: i32,
    /// The sender's number for this request, echoed by its answer.
    pub opaque: i32,
    /// [`FLAG_RESPONSE`] and [`FLAG_ONEWAY`].
    pub flag: i32,
    /// Text for people.
    pub remark: Option<RawText<'a>>,
    /// The ext fields.
    pub fields: Fields<'a>,
}

impl Header<'_> {
    /// Is this an answer to a request of ours?
    pub fn is_response(&self) -> bool {
        self.flag & FLAG_RESPONSE != 0
    }

    /// Does the sender wait for no answer?
    pub fn is_oneway(&self) -> bool {
        self.flag & FLAG_ONEWAY != 0
    }
}

/// Why a header cannot be read. The connection is closed, as Java does.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not UTF-8.
    #[error("header is not UTF-8")]
    NotUtf8,
    /// Not JSON, at this byte.
    #[error("header is not JSON at byte {0}")]
    NotJson(usize),
    /// A number that does not fit 32 bits.
    #[error("header member {0} is not a 32-bit number")]
    NotANumber(&'static str),
    /// The binary header ends too early, or a length in it is negative or points behind its end.
    #[error("binary header is cut short")]
    CutShort,
    /// More than [`FIELDS_MAX`] ext fields.
    #[error("header has more than {FIELDS_MAX} fields")]
    TooManyFields,
}

/// Reads the header of `frame`.
///
/// # Errors
/// When the bytes are no header; unknown members and fields are not an error.
pub fn read<'a>(frame: &Frame<'a>) -> Result<Header<'a>, HeaderError> {
    match frame.encoding {
        Encoding::Json => json::read(frame.header),
        Encoding::Binary => binary::read(frame.header),
    }
}

/// Receives the ext fields while a header is written.
pub struct FieldSink<'o> {
    out: &'o mut Vec<u8>,
    encoding: Encoding,
    first: bool,
}

impl FieldSink<'_> {
    /// Writes one field. Its name is an identifier: nothing in it is escaped.
    pub fn text(&mut self, name: &str, value: &str) {
        match self.encoding {
            Encoding::Json => json::field(self.out, &mut self.first, name, value),
            Encoding::Binary => binary::field(self.out, name, value.as_bytes()),
        }
    }

    /// Writes one number as text.
    pub fn number(&mut self, name: &str, value: impl itoa::Integer) {
        self.text(name, itoa::Buffer::new().format(value));
    }
}

/// What stands at the top of a header that is written.
#[derive(Clone, Copy, Debug)]
pub struct Top<'a> {
    /// Request or response code.
    pub code: i32,
    /// Language to claim.
    pub language: Language,
    /// Version to claim.
    pub version: i32,
    /// Number of the request.
    pub opaque: i32,
    /// Flag bits.
    pub flag: i32,
    /// Text for people.
    pub remark: Option<&'a str>,
}

impl<'a> Top<'a> {
    /// The top of an answer of ours.
    pub fn answer(opaque: i32, code: i32, remark: Option<&'a str>) -> Top<'a> {
        Top { code, language: Language::Java, version: OUR_VERSION, opaque, flag: FLAG_RESPONSE, remark }
    }

    /// The top of a request of ours.
    pub fn request(opaque: i32, code: i32, oneway: bool) -> Top<'a> {
        let flag = if oneway { FLAG_ONEWAY } else { 0 };
        Top { code, language: Language::Java, version: OUR_VERSION, opaque, flag, remark: None }
    }
}

/// Appends a whole frame to `out`: header from `top` and what `fields` writes, then `body`.
pub fn write_frame(out: &mut Vec<u8>, encoding: Encoding, top: Top<'_>, fields: impl FnOnce(&mut FieldSink<'_>), body: &[u8]) {
    write_head(out, encoding, top, fields, body.len());
    out.extend_from_slice(body);
}

/// Appends what stands before the body of a frame to `out`. A body of `body_len` bytes has to follow.
pub fn write_head(out: &mut Vec<u8>, encoding: Encoding, top: Top<'_>, fields: impl FnOnce(&mut FieldSink<'_>), body_len: usize) {
    let header = |out: &mut Vec<u8>| match encoding {
        Encoding::Json => json::write(out, top, fields),
        Encoding::Binary => binary::write(out, top, fields),
    };
    frame::write_head(out, encoding, header, body_len);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(encoding: Encoding, bytes: &[u8]) -> Result<Header<'_>, HeaderError> {
        read(&Frame { encoding, header: bytes, body: b"", len: 0 })
    }

    type Shown = (i32, i32, i32, i32, Language, Option<String>, Vec<(String, String)>);

    fn shown(text: &str) -> Shown {
        let h = header(Encoding::Json, text.as_bytes()).unwrap();
        let fields = h.fields.iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        (h.code, h.version, h.opaque, h.flag, h.language, h.remark.map(|r| r.unescape().into_owned()), fields)
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn json_of_real_clients() {
        let java = r#"{"code":105,"extFields":{"acceptStandardJsonOnly":"true","topic":"T1"},"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":479}"#;
        assert_eq!(shown(java), (105, 479, 1, 0, Language::Java, None, pairs(&[("acceptStandardJsonOnly", "true"), ("topic", "T1")])));
        let cpp = r#"{"code":310,"extFields":{"a":"g","d":4,"k":false,"x":null,"y":[1,{"z":"}"}]},"flag":0,"language":"CPP","opaque":-5,"remark":"","version":333}"#;
        assert_eq!(shown(cpp), (310, 333, -5, 0, Language::Cpp, Some(String::new()), pairs(&[("a", "g"), ("d", "4"), ("k", "false")])));
        let elixir = " {\"language\":5 , \"code\" : \"34\", \"version\":317,\"extra\":{}, \"remark\":null}\n";
        assert_eq!(shown(elixir), (34, 317, 0, 0, Language::Erlang, None, vec![]));
        let lua = r#"{"language":"other","extFields":{"i":"A\u0001b\u0002\"\\\/\n\u4e2d\ud83d\ude00"}}"#;
        assert_eq!(shown(lua).6, pairs(&[("i", "A\u{1}b\u{2}\"\\/\n中😀")]));
    }

    #[test]
    fn json_that_is_refused() {
        for bad in [
            "",
            "[]",
            "{",
            "{\"code\"}",
            "{\"code\":}",
            "{\"code\":1,",
            "{\"code\":99999999999}",
            "{\"a\":\"",
            "{\"a\":\"\\u12\"}",
            "nonsense",
        ] {
            assert!(header(Encoding::Json, bad.as_bytes()).is_err(), "{bad}");
        }
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        assert!(header(Encoding::Json, deep.as_bytes()).is_err());
        assert_eq!(header(Encoding::Json, b"{\"a\xff\":1}"), Err(HeaderError::NotUtf8));
    }

    #[test]
    fn binary_empty_answer_is_21_bytes() {
        let mut out = Vec::new();
        let top = Top { code: 0, language: Language::Java, version: 479, opaque: 1, flag: 1, remark: None };
        write_frame(&mut out, Encoding::Binary, top, |_| (), b"");
        assert_eq!(out[8..], [0, 0, 0, 1, 0xDF, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn written_headers_are_read_back(code in 0..30000i32, opaque in any::<i32>(), flag in 0..4i32, version in 0..600i32, remark in prop::option::of(".{1,40}"),
            fields in prop::collection::vec(("[a-zA-Z_]{1,12}", ".{0,40}"), 0..8), binary in any::<bool>()) {
            let encoding = if binary { Encoding::Binary } else { Encoding::Json };
            let mut out = Vec::new();
            let top = Top { code, language: Language::Go, version, opaque, flag, remark: remark.as_deref() };
            write_frame(&mut out, encoding, top, |sink| for (k, v) in &fields { sink.text(k, v) }, b"body");
            let frame = frame::split(&out).unwrap().unwrap();
            prop_assert_eq!(frame.body, b"body");
            let read = read(&frame).unwrap();
            prop_assert_eq!((read.code, read.opaque, read.flag, read.version, read.language), (code, opaque, flag, version, Language::Go));
            prop_assert_eq!(read.remark.map(|r| r.unescape().into_owned()), remark);
            prop_assert_eq!(read.fields.iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect::<Vec<_>>(), fields);
        }

        #[test]
        fn json_agrees_with_serde(fields in prop::collection::vec(("[a-zA-Z_]{1,12}", ".{0,40}"), 0..8)) {
            let mut out = Vec::new();
            write_frame(&mut out, Encoding::Json, Top::answer(7, 0, Some("ok")), |sink| for (k, v) in &fields { sink.text(k, v) }, b"");
            let value: serde_json::Value = serde_json::from_slice(&out[8..]).unwrap();
            for (key, _) in &fields {
                let last = fields.iter().rev().find(|(k, _)| k == key).unwrap();
                prop_assert_eq!(value["extFields"][key].as_str(), Some(last.1.as_str()));
            }
            let ascii = serde_json::to_string(&value).unwrap();
            prop_assert!(header(Encoding::Json, ascii.as_bytes()).is_ok());
        }

        #[test]
        fn a_field_is_found_by_its_name_and_the_last_one_counts(
            fields in prop::collection::vec(("[ab\u{1}]{0,2}", "[0-9]{1,3}"), 0..40), binary in any::<bool>()) {
            let encoding = if binary { Encoding::Binary } else { Encoding::Json };
            let mut out = Vec::new();
            // The name with an escape, as no client writes it, is put in by hand.
            let name = |name: &str| if binary { name.to_owned() } else { name.replace('\u{1}', "\\u0001") };
            write_frame(&mut out, encoding, Top::answer(7, 0, None), |sink| for (k, v) in &fields { sink.text(&name(k), v) }, b"");
            let frame = frame::split(&out).unwrap().unwrap();
            let read = read(&frame).unwrap();
            for wanted in ["", "a", "b", "\u{1}", "ab", "ba", "aa", "bb", "a\u{1}", "\u{1}a", "abc"] {
                let expected = fields.iter().rev().find(|(k, _)| k == wanted).map(|(_, v)| v.as_str());
                let found = read.fields.text(wanted);
                prop_assert_eq!(found.as_deref(), expected, "{:?}", wanted);
            }
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), text in r#"[{}\[\]:,"\\u0-9a-z ]{0,60}"#) {
            let _ = header(Encoding::Binary, &bytes);
            let _ = header(Encoding::Json, &bytes);
            let _ = header(Encoding::Json, text.as_bytes());
        }
    }
}
