//! Requests, answers and errors, as they pass between a connection and the server or a caller.

use roxmq_protocol::frame::{self, Encoding, Frame};
use roxmq_protocol::header::{self, FieldSink, Header, Top};
use roxmq_protocol::request::{FieldError, HeaderFields};
use std::borrow::Cow;
use std::net::SocketAddr;
use thiserror::Error;

/// A request as it lies in the receive buffer.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The decoded header.
    pub header: Header<'a>,
    /// The frame it came in.
    pub frame: Frame<'a>,
}

impl Incoming<'_> {
    /// The means to answer later. An answer is encoded as its request was.
    pub fn ticket(&self) -> Ticket {
        Ticket { opaque: self.header.opaque, encoding: self.frame.encoding, oneway: self.header.is_oneway() }
    }

    /// A copy that outlives the receive buffer.
    pub fn copy(&self) -> Received {
        Received::copy_of(&self.frame)
    }
}

/// Which request an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The sender's number for the request.
    pub opaque: i32,
    /// How the answer's header is written.
    pub encoding: Encoding,
    /// An answer is not waited for: it is dropped.
    pub oneway: bool,
}

type WriteFields = Box<dyn FnOnce(&mut FieldSink<'_>) + Send>;

/// An answer that is not written yet.
pub struct Answer {
    /// Response code.
    pub code: i32,
    /// Text for people.
    pub remark: Option<Cow<'static, str>>,
    /// The body.
    pub body: Vec<u8>,
    fields: Option<WriteFields>,
}

impl Answer {
    /// Success without anything else.
    pub fn ok() -> Answer {
        Answer { code: 0, remark: None, body: Vec::new(), fields: None }
    }

    /// Success with fields.
    pub fn with(fields: impl HeaderFields<'static> + Send + 'static) -> Answer {
        Answer::ok().fields(fields)
    }

    /// Success with a body.
    pub fn body(body: Vec<u8>) -> Answer {
        Answer { body, ..Answer::ok() }
    }

    /// Another code than success.
    pub fn refused(code: i32, remark: impl Into<Cow<'static, str>>) -> Answer {
        Answer { code, remark: Some(remark.into()), ..Answer::ok() }
    }

    /// The same answer with these fields.
    pub fn fields(mut self, fields: impl HeaderFields<'static> + Send + 'static) -> Answer {
        self.fields = Some(Box::new(move |sink| fields.write(sink)));
        self
    }

    /// Appends the answer as a frame to `out`.
    pub fn write(self, ticket: Ticket, out: &mut Vec<u8>) {
        let top = Top::answer(ticket.opaque, self.code, self.remark.as_deref());
        let fields = self.fields;
        header::write_frame(out, ticket.encoding, top, |sink| fields.into_iter().for_each(|write| write(sink)), &self.body);
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {:?}, {} body bytes)", self.code, self.remark, self.body.len())
    }
}

/// A whole frame, copied as it came: the answer to a call of ours, or a request that is handled on another thread.
#[derive(Clone, Debug)]
pub struct Received {
    frame: Vec<u8>,
}

impl Received {
    /// Copies a frame whose header has been read without error.
    pub(crate) fn copy_of(frame: &Frame<'_>) -> Received {
        let mut bytes = Vec::with_capacity(frame.len);
        frame::write(&mut bytes, frame.encoding, |out| out.extend_from_slice(frame.header), frame.body);
        Received { frame: bytes }
    }

    fn split(&self) -> Frame<'_> {
        match frame::split(&self.frame) {
            Ok(Some(frame)) => frame,
            _ => unreachable!("`copy_of` wrote a whole frame"),
        }
    }

    /// The header.
    pub fn header(&self) -> Header<'_> {
        header::read(&self.split()).unwrap_or_default()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.split().body
    }

    /// The typed fields of a successful answer; any other code is an error.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the peer's code and remark, or [`CallError::Fields`].
    pub fn fields<'a, T: HeaderFields<'a>>(&'a self) -> Result<T, CallError> {
        let header = self.header();
        if header.code != 0 {
            let remark = header.remark.map(|remark| remark.unescape().into_owned()).unwrap_or_default();
            return Err(CallError::Refused { code: header.code, remark });
        }
        Ok(T::read(&header.fields)?)
    }
}

/// Why a call has no answer, or not a good one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// No connection could be made.
    #[error("cannot connect to {address}: {why}")]
    Connect {
        /// Where to.
        address: String,
        /// The system's reason.
        why: String,
    },
    /// The connection closed before the answer.
    #[error("the connection closed before the answer came")]
    Closed,
    /// No answer within the time given.
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// Too many calls wait already.
    #[error("too many calls are waiting")]
    Busy,
    /// The peer refused.
    #[error("refused with code {code}: {remark}")]
    Refused {
        /// Response code.
        code: i32,
        /// The peer's words.
        remark: String,
    },
    /// The answer's fields are not those of such an answer.
    #[error(transparent)]
    Fields(#[from] FieldError),
}

/// Requests of ours are written as JSON: the C++ client reads nothing else.
pub(crate) const OUR_ENCODING: Encoding = Encoding::Json;

/// The address, with an IPv4-mapped IPv6 address as plain IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
