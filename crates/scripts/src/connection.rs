//! One connection of a client: blocking, and in no hurry.

use crate::shown::header_of;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, FieldSink, Header, RawText, Top};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A broken test ends after this; nothing depends on it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// The notice that a group's members changed: it comes when it likes, and only scripts that ask for it see it.
const NOTICE: i32 = 40;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// The number of our last request.
    pub opaque: i32,
    /// The number of the server's last request.
    asked: i32,
    /// What came while something else was waited for.
    early: Vec<Vec<u8>>,
    notices: VecDeque<Vec<u8>>,
    /// In which headers are written.
    encoding: Encoding,
}

/// A request, and who sends it.
pub struct Request<'a> {
    pub code: &'a str,
    pub is_oneway: bool,
    pub language: &'a str,
    pub version: &'a str,
    pub encoding: Encoding,
    pub fields: Vec<(&'a str, String)>,
}

impl Connection {
    pub fn new(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { stream, input: Vec::new(), opaque: 0, asked: 0, early: Vec::new(), notices: VecDeque::new(), encoding: Encoding::Json }
    }

    /// Sends a request.
    pub fn request(&mut self, request: &Request<'_>, body: &[u8]) {
        self.opaque += 1;
        let fields: Vec<String> = request.fields.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let Request { code, language, version, .. } = request;
        let (opaque, flag) = (self.opaque, if request.is_oneway { 2 } else { 0 });
        let header = format!(
            r#"{{"code":{code},"flag":{flag},"language":"{language}","opaque":{opaque},"version":{version},"extFields":{{{}}}}}"#,
            fields.join(",")
        );
        self.encoding = request.encoding;
        self.write(&header, body);
    }

    /// Answers the server's last request.
    pub fn answer(&mut self, code: i32, remark: &str, body: &str) {
        let opaque = self.asked;
        let remark = if remark.is_empty() { String::new() } else { format!(r#","remark":"{remark}""#) };
        let header = format!(r#"{{"code":{code},"flag":1,"language":"JAVA","opaque":{opaque},"version":513{remark}}}"#);
        self.write(&header, body.as_bytes());
    }

    fn write(&mut self, header: &str, body: &[u8]) {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, Encoding::Json, |out| out.extend_from_slice(header.as_bytes()), body);
        if self.encoding == Encoding::Binary {
            bytes = header_of(&bytes, |header| in_binary(header, body));
        }
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next frame, or the answer with this number; what comes before it waits for its turn.
    pub fn next(&mut self, opaque: Option<i32>) -> Vec<u8> {
        let fits = |bytes: &Vec<u8>| opaque.is_none_or(|opaque| header_of(bytes, |header| header.is_response() && header.opaque == opaque));
        let bytes = match self.early.iter().position(fits) {
            Some(place) => self.early.remove(place),
            None => loop {
                let bytes = self.read().expect("the server closed the connection");
                if fits(&bytes) {
                    break bytes;
                }
                self.early.push(bytes);
            },
        };
        match header_of(&bytes, |header| header.is_response()) {
            true => assert_eq!(frame::split(&bytes).unwrap().unwrap().encoding, self.encoding, "the header of an answer"),
            false => self.asked = header_of(&bytes, |header| header.opaque),
        }
        bytes
    }

    /// The next notice.
    pub fn notice(&mut self) -> Vec<u8> {
        while self.notices.is_empty() {
            let other = self.read_one().expect("the server closed the connection");
            self.early.extend(other);
        }
        self.notices.pop_front().unwrap()
    }

    /// Says that nothing more comes, and waits until the server has closed its half as well.
    pub fn close(mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
        while self.read().is_some() {}
    }

    /// The next frame that is no notice, or the end.
    fn read(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(frame) = self.read_one()? {
                return Some(frame);
            }
        }
    }

    /// The next frame, or the end; a notice is laid aside.
    fn read_one(&mut self) -> Option<Option<Vec<u8>>> {
        loop {
            if let Some(len) = frame::split(&self.input).unwrap().map(|frame| frame.len) {
                let frame: Vec<u8> = self.input.drain(..len).collect();
                if header_of(&frame, |header| !header.is_response() && header.code == NOTICE) {
                    self.notices.push_back(frame);
                    return Some(None);
                }
                return Some(Some(frame));
            }
            let mut some = [0; 4096];
            match self.stream.read(&mut some).expect("nothing comes") {
                0 => return None,
                read => self.input.extend_from_slice(&some[..read]),
            }
        }
    }
}

fn in_binary(header: &Header<'_>, body: &[u8]) -> Vec<u8> {
    let flag = if header.is_response() { 1 } else { 2 * i32::from(header.is_oneway()) };
    let remark = header.remark.map(RawText::unescape);
    let Header { code, language, version, opaque, .. } = *header;
    let top = Top { code, language, version, opaque, flag, remark: remark.as_deref() };
    let mut bytes = Vec::new();
    let fields = |sink: &mut FieldSink<'_>| header.fields.iter().for_each(|(name, value)| sink.text(&name, &value));
    header::write_frame(&mut bytes, Encoding::Binary, top, fields, body);
    bytes
}
