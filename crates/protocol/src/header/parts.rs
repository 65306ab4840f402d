//! What does a header hold besides its ext fields?

use super::fields::{FIELDS_MAX, Fields, RawText};
use super::language::Language;
use thiserror::Error;

/// The version in RoxMQ's answers: RocketMQ 5.5.0's ordinal in Java's `MQVersion`.
pub const OUR_VERSION: i32 = 513;

/// `flag` bit 0: the frame is an answer.
pub const FLAG_RESPONSE: i32 = 1;
/// `flag` bit 1: the sender waits for no answer.
pub const FLAG_ONEWAY: i32 = 2;

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
    /// Text for humans.
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

/// A header that is written, without its ext fields.
#[derive(Clone, Copy, Debug)]
pub struct Top<'a> {
    /// Request or response code.
    pub code: i32,
    /// The language to announce.
    pub language: Language,
    /// The version to announce.
    pub version: i32,
    /// The request's number.
    pub opaque: i32,
    /// Flag bits.
    pub flag: i32,
    /// Text for humans.
    pub remark: Option<&'a str>,
}

impl<'a> Top<'a> {
    /// The top of one of our answers.
    pub fn answer(opaque: i32, code: i32, remark: Option<&'a str>) -> Top<'a> {
        Top { code, language: Language::Java, version: OUR_VERSION, opaque, flag: FLAG_RESPONSE, remark }
    }

    /// The top of one of our requests.
    pub fn request(opaque: i32, code: i32, oneway: bool) -> Top<'a> {
        let flag = if oneway { FLAG_ONEWAY } else { 0 };
        Top { code, language: Language::Java, version: OUR_VERSION, opaque, flag, remark: None }
    }
}

/// Why a header cannot be read. As in Java, the connection is closed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not UTF-8.
    #[error("header is not UTF-8")]
    NotUtf8,
    /// Not JSON, at this byte.
    #[error("header is not JSON at byte {0}")]
    NotJson(usize),
    /// A member that should be a 32-bit number and is not.
    #[error("header member {0} is not a 32-bit number")]
    NotANumber(&'static str),
    /// The binary header ends too early, or a length in it is negative or exceeds it.
    #[error("binary header is cut short")]
    CutShort,
    /// More than [`FIELDS_MAX`] ext fields.
    #[error("header has more than {FIELDS_MAX} fields")]
    TooManyFields,
}
