//! One connection to a server: its task, and the calls that wait for answers on it.

use crate::message::{CallError, Received};
use parking_lot::Mutex;
use roxmq_protocol::{frame, header};
use socket2::{SockRef, TcpKeepalive};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

/// Frames that may wait to be written to one server.
const WRITE_QUEUE_MAX: usize = 1024;
/// How often the system asks a silent server's machine whether it is still there. One that was lost and is back answers that it does not
/// know the connection.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// How long a server's machine may leave us without a sign before the connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Tells connections apart, also those to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkNumber(pub(super) u64);

type Waiting = Arc<Mutex<Option<HashMap<i32, oneshot::Sender<Received>>>>>;

/// The connection to a server.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) number: LinkNumber,
    frames: mpsc::Sender<Vec<u8>>,
    /// `None` once the connection is gone.
    waiting: Waiting,
    /// Its other end is dropped when the connection is gone.
    pub(super) end: watch::Receiver<()>,
}

impl Link {
    /// Has a task read and write a new connection.
    pub(super) fn start(stream: TcpStream, number: LinkNumber) -> Link {
        // A socket that refuses an option still works.
        let _ = stream.set_nodelay(true);
        let _ = watch_over(&stream);
        let (read, write) = stream.into_split();
        let (frames, queue) = mpsc::channel::<Vec<u8>>(WRITE_QUEUE_MAX);
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let (running, end) = watch::channel(());
        let calls = Arc::clone(&waiting);
        tokio::spawn(async move {
            let _running = running;
            let ends = Ends(calls);
            tokio::select! {
                () = write_frames(write, queue) => {}
                () = read_answers(read, &ends.0) => {}
            }
        });
        Link { number, frames, waiting, end }
    }

    /// Sends a request and waits for the answer with its number.
    pub(super) async fn exchange(&self, opaque: i32, frame: Vec<u8>) -> Result<Received, CallError> {
        let (answer, received) = oneshot::channel();
        match self.waiting.lock().as_mut() {
            Some(waiting) => waiting.insert(opaque, answer),
            None => return Err(CallError::Closed),
        };
        let _forget = Forget { waiting: &self.waiting, opaque };
        self.frames.send(frame).await.map_err(|_| CallError::Closed)?;
        received.await.map_err(|_| CallError::Closed)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.waiting.lock().is_some()
    }
}

/// Has the system notice that the other machine is gone, also while nothing is sent.
fn watch_over(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    Ok(())
}

async fn write_frames(mut write: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = queue.recv().await {
        if write.write_all(&frame).await.is_err() {
            break;
        }
    }
}

/// Takes a call that was given up off the list.
struct Forget<'a> {
    waiting: &'a Waiting,
    opaque: i32,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.lock().as_mut() {
            waiting.remove(&self.opaque);
        }
    }
}

/// Ends a link together with the task that reads and writes it, however that ends: the next call makes a new connection.
struct Ends(Waiting);

impl Drop for Ends {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

async fn read_answers(mut read: OwnedReadHalf, waiting: &Waiting) {
    let mut held = Vec::with_capacity(16 * 1024);
    'connection: while let Ok(count) = read.read_buf(&mut held).await {
        if count == 0 {
            break;
        }
        let mut consumed = 0;
        loop {
            let frame = match frame::split(&held[consumed..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => break 'connection,
            };
            let Ok(header) = header::read(&frame) else {
                break 'connection;
            };
            if header.is_response()
                && let Some(waiter) = waiting.lock().as_mut().and_then(|waiting| waiting.remove(&header.opaque))
            {
                let _ = waiter.send(Received::copy_of(&frame));
            }
            consumed += frame.len;
        }
        held.drain(..consumed);
    }
}
