//! How does an idle connection behave? It sends a heartbeat now and then, as clients do, and waits.

use crate::measure::clock::{Nanos, Window};
use crate::measure::tally::Tally;
use crate::options::Options;
use crate::wire::connection::Load;
use crate::wire::sends::PRODUCER_GROUP;
use crate::wire::slots::OPAQUE_MIN;
use roxmq_protocol::body::{HeartbeatData, ProducerData};
use roxmq_protocol::code;
use roxmq_protocol::frame::{Encoding, Frame};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{HeaderFields, Heartbeat, Request};

/// One idle connection: a client with one producer.
pub struct Idler {
    encoding: Encoding,
    body: Vec<u8>,
    window: Window,
    /// When the next heartbeat is to go.
    due: Nanos,
    asked: i32,
    is_unanswered: bool,
    /// What it saw.
    pub tally: Tally,
}

impl Idler {
    /// The connection with this number. All of them send their first heartbeats spread over the warm-up.
    pub fn new(options: &Options, number: usize, window: Window) -> Idler {
        let heartbeat = HeartbeatData {
            client_id: format!("127.0.0.1@bench-{number}"),
            producer_data_set: vec![ProducerData { group_name: PRODUCER_GROUP.into() }],
            ..HeartbeatData::default()
        };
        let spread = (window.counted_from - window.start) * number as u64 / options.connections.max(1) as u64;
        Idler {
            encoding: options.encoding(),
            body: json::to_vec(&heartbeat, Dialect::Fastjson),
            window,
            due: window.start + spread,
            asked: 0,
            is_unanswered: false,
            tally: Tally::default(),
        }
    }
}

impl Load for Idler {
    fn ask(&mut self, out: &mut Vec<u8>, now: Nanos) {
        if now < self.due || self.is_unanswered || now >= self.window.end {
            return;
        }
        self.due = now + HEARTBEAT_PERIOD;
        self.asked += 1;
        self.is_unanswered = true;
        let top = Top::request(OPAQUE_MIN + self.asked, Heartbeat::CODE, false);
        header::write_frame(out, self.encoding, top, |sink| Heartbeat {}.write(sink), &self.body);
    }

    fn answer(&mut self, frame: &Frame<'_>, now: Nanos) {
        match header::read(frame) {
            Ok(header) if header.code == code::SUCCESS && header.opaque == OPAQUE_MIN + self.asked => {
                self.is_unanswered = false;
                self.tally.messages_in_all += 1;
                if self.window.counts(now) {
                    self.tally.requests += 1;
                    self.tally.messages += 1;
                    self.tally.latency.add(now.saturating_sub(self.due - HEARTBEAT_PERIOD));
                }
            }
            Ok(header) => self.tally.error(format!("a heartbeat is answered with code {}", header.code)),
            Err(error) => self.tally.error(error.to_string()),
        }
    }

    fn is_done(&self, now: Nanos) -> bool {
        now >= self.window.end && !self.is_unanswered
    }

    fn has_due_times(&self) -> bool {
        false
    }

    fn wakes_at(&self) -> Option<Nanos> {
        (!self.is_unanswered).then(|| self.due.min(self.window.end))
    }
}

/// As often as Java's clients do it.
const HEARTBEAT_PERIOD: Nanos = 30_000_000_000;
