//! How does the generator use one connection? Many requests in each write, many answers in each read.

use crate::measure::clock::{Clock, Nanos};
use roxmq_protocol::frame::{self, Frame};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Why a connection cannot be used any further.
#[derive(Debug, Error)]
pub enum WireError {
    /// Reading or writing failed.
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    /// The broker closed it.
    #[error("connection closed by the broker")]
    Closed,
    /// What came is no frame.
    #[error("answer is no frame: {0}")]
    Frame(#[from] frame::FrameError),
}

/// What a connection is used for.
pub trait Load {
    /// Appends the requests that are due now.
    fn ask(&mut self, out: &mut Vec<u8>, now: Nanos);
    /// Takes one answer.
    fn answer(&mut self, frame: &Frame<'_>, now: Nanos);
    /// Whether no further request and no answer is due.
    fn is_done(&self, now: Nanos) -> bool;
    /// Whether requests have due times, so that the connection polls the clock instead of waiting for answers.
    fn has_due_times(&self) -> bool;
    /// When to look again even if no answer has come.
    fn wakes_at(&self) -> Option<Nanos> {
        None
    }
}

/// Runs `load` over `stream` until it is done.
///
/// # Errors
/// When the connection ends before.
pub async fn drive(stream: &TcpStream, load: &mut impl Load, clock: &Clock, pauses: &Pauses) -> Result<(), WireError> {
    let mut input = Input::new();
    let mut output = Output::default();
    loop {
        let now = clock.now();
        if output.bytes.len() - output.sent < OUT_BYTES_MAX {
            load.ask(&mut output.bytes, now);
        }
        if !output.bytes.is_empty() {
            pauses.put_off();
        }
        let all_sent = output.send(stream)?;
        if all_sent && load.is_done(now) {
            return Ok(());
        }
        if load.has_due_times() {
            tokio::task::yield_now().await;
        } else if all_sent && let Some(at) = load.wakes_at() {
            if let Ok(is_readable) = tokio::time::timeout_at(clock.instant(at).into(), stream.readable()).await {
                is_readable?;
            }
        } else if all_sent {
            stream.readable().await?;
        } else {
            stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
        }
        if input.receive(stream)? {
            pauses.put_off();
            let now = clock.now();
            while let Some(frame) = input.next_frame()? {
                load.answer(&frame, now);
            }
        }
    }
}

/// When a thread whose connections poll the clock may rest: after a round in which none of them had work.
#[derive(Debug, Default)]
pub struct Pauses {
    is_busy: AtomicBool,
}

impl Pauses {
    /// There was work in this round.
    fn put_off(&self) {
        self.is_busy.store(true, Ordering::Relaxed);
    }

    /// Takes part in the rounds of a thread and pauses it, as long as it is polled.
    pub async fn take(&self) {
        loop {
            if !self.is_busy.swap(false, Ordering::Relaxed) {
                std::thread::sleep(PAUSE);
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Requests that are not sent yet.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    /// Sends as much as the socket takes. Is that all?
    fn send(&mut self, stream: &TcpStream) -> Result<bool, WireError> {
        while self.sent < self.bytes.len() {
            match stream.try_write(&self.bytes[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(true)
    }
}

/// Answers that are not read yet.
struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn new() -> Input {
        Input { bytes: vec![0; IN_BYTES_MIN], start: 0, end: 0 }
    }

    /// Reads once. Did anything come?
    fn receive(&mut self, stream: &TcpStream) -> Result<bool, WireError> {
        self.make_room();
        match stream.try_read(&mut self.bytes[self.end..]) {
            Ok(0) => Err(WireError::Closed),
            Ok(read) => {
                self.end += read;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn make_room(&mut self) {
        // A connection that gets little keeps little, so that thousands of idle ones fit.
        if self.end == self.bytes.len() && self.bytes.len() < IN_BYTES {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        let unread = self.start..self.end;
        let claimed = frame::claimed_len(&self.bytes[unread.clone()]).min(frame::FRAME_BYTES_MAX);
        if unread.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.bytes.len() - self.start < claimed.max(self.bytes.len() / 2) {
            self.bytes.copy_within(unread.clone(), 0);
            (self.start, self.end) = (0, unread.len());
        }
        if self.bytes.len() < claimed {
            self.bytes.resize(claimed, 0);
        }
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, WireError> {
        let frame = frame::split(&self.bytes[self.start..self.end])?;
        if let Some(frame) = &frame {
            self.start += frame.len;
        }
        Ok(frame)
    }
}

/// Bytes made in one go.
pub const WRITE_BYTES_MAX: usize = 256 * 1024;
/// With more unsent bytes than this no further request is made.
const OUT_BYTES_MAX: usize = 256 * 1024;
/// The system adds some 10 us, see `keep_pauses_short`.
const PAUSE: Duration = Duration::from_micros(20);
/// Most bytes read at once.
const IN_BYTES: usize = 256 * 1024;
/// Bytes read at once at first.
const IN_BYTES_MIN: usize = 8 * 1024;
