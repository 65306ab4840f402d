//! Calls to servers: one connection per address, any number of calls on it at once.

use crate::connection::OUR_ENCODING;
use crate::message::{CallError, Received};
use parking_lot::Mutex;
use roxmq_protocol::frame;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::Request;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{mpsc, oneshot};

/// Frames that may wait to be written to one server.
const WRITE_QUEUE_MAX: usize = 1024;
/// How long a connection may take to come about, as Java's `connectTimeoutMillis`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Calls servers, from inside a tokio runtime.
#[derive(Clone, Default)]
pub struct Client {
    links: Arc<Mutex<HashMap<String, Link>>>,
    opaque: Arc<AtomicI32>,
}

type Waiting = Arc<Mutex<Option<HashMap<i32, oneshot::Sender<Received>>>>>;

#[derive(Clone)]
struct Link {
    frames: mpsc::Sender<Vec<u8>>,
    /// `None` once the connection is gone.
    waiting: Waiting,
}

impl Client {
    /// A client without connections; they are made when they are needed.
    pub fn new() -> Client {
        Client::default()
    }

    /// Sends a request to `address` (`host:port`) and waits for the answer.
    ///
    /// # Errors
    /// When there is no connection, or no answer in time. An answer with another code than success is no error here: see [`Received::fields`].
    pub async fn call<'a, R: Request<'a>>(
        &self,
        address: &str,
        request: &R,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Received, CallError> {
        match tokio::time::timeout(timeout, self.exchange(address, request, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Timeout(timeout.as_millis() as u64)),
        }
    }

    async fn exchange<'a, R: Request<'a>>(&self, address: &str, request: &R, body: &[u8]) -> Result<Received, CallError> {
        let link = self.link(address).await?;
        let opaque = self.opaque.fetch_add(1, Ordering::Relaxed);
        let mut frame = Vec::new();
        header::write_frame(&mut frame, OUR_ENCODING, Top::request(opaque, R::CODE, false), |sink| request.write(sink), body);
        let (answer, received) = oneshot::channel();
        match link.waiting.lock().as_mut() {
            Some(waiting) => waiting.insert(opaque, answer),
            None => return Err(CallError::Closed),
        };
        let _forget = Forget { waiting: &link.waiting, opaque };
        link.frames.send(frame).await.map_err(|_| CallError::Closed)?;
        received.await.map_err(|_| CallError::Closed)
    }

    /// Closes the connection to `address`, if there is one.
    pub fn disconnect(&self, address: &str) {
        self.links.lock().remove(address);
    }

    async fn link(&self, address: &str) -> Result<Link, CallError> {
        let known = self.links.lock().get(address).filter(|link| link.waiting.lock().is_some()).cloned();
        if let Some(link) = known {
            return Ok(link);
        }
        let failed = |why: String| CallError::Connect { address: address.to_owned(), why };
        let stream = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("timed out".to_owned())),
        };
        let _ = stream.set_nodelay(true);
        let (read, mut write) = stream.into_split();
        let (frames, mut queue) = mpsc::channel::<Vec<u8>>(WRITE_QUEUE_MAX);
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let ends = Ends(Arc::clone(&waiting));
        tokio::spawn(async move {
            let _ends = ends;
            while let Some(frame) = queue.recv().await {
                if write.write_all(&frame).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(read_answers(read, Ends(Arc::clone(&waiting))));
        let link = Link { frames, waiting };
        self.links.lock().insert(address.to_owned(), link.clone());
        Ok(link)
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

/// Ends a link together with the task that reads or writes it, however that ends: the next call connects anew.
struct Ends(Waiting);

impl Drop for Ends {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

async fn read_answers(mut read: OwnedReadHalf, link: Ends) {
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
                && let Some(waiter) = link.0.lock().as_mut().and_then(|waiting| waiting.remove(&header.opaque))
            {
                let _ = waiter.send(Received::keep(&frame));
            }
            consumed += frame.len;
        }
        held.drain(..consumed);
    }
}
