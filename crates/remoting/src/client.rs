//! Calls to servers: one connection per address, any number of calls on it at once.

use crate::connection::OUR_ENCODING;
use crate::message::{CallError, Received};
use parking_lot::Mutex;
use roxmq_protocol::frame;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::Request;
use socket2::{SockRef, TcpKeepalive};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

/// Frames that may wait to be written to one server.
const WRITE_QUEUE_MAX: usize = 1024;
/// How long a connection may take to come about, as Java's `connectTimeoutMillis`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often the system asks a silent server's machine whether it is still there. One that was lost and is back says that it knows nothing
/// of the connection.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// How long a server's machine may leave us without a sign before the connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Calls servers, from inside a tokio runtime.
#[derive(Clone, Default)]
pub struct Client {
    links: Arc<Mutex<HashMap<String, Link>>>,
    opaque: Arc<AtomicI32>,
    links_made: Arc<AtomicU64>,
    /// Names that are being looked up.
    looked_up: Arc<Mutex<HashSet<String>>>,
}

type Waiting = Arc<Mutex<Option<HashMap<i32, oneshot::Sender<Received>>>>>;

#[derive(Clone)]
struct Link {
    number: LinkNumber,
    frames: mpsc::Sender<Vec<u8>>,
    /// `None` once the connection is gone.
    waiting: Waiting,
    /// Its other end is dropped when the connection is gone.
    end: watch::Receiver<()>,
}

/// Tells connections apart, also those to one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkNumber(u64);

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
        let link = self.link(address, CONNECT_TIMEOUT).await?;
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

    /// Makes sure that there is a connection to `address`.
    ///
    /// # Errors
    /// When there is none and none can be made within `timeout`.
    pub async fn connect(&self, address: &str, timeout: Duration) -> Result<LinkNumber, CallError> {
        Ok(self.link(address, timeout).await?.number)
    }

    /// The connection to `address`, if there is one.
    pub fn link_to(&self, address: &str) -> Option<LinkNumber> {
        self.living(address).map(|link| link.number)
    }

    /// Waits until `link` is not the connection to `address` any more.
    pub async fn closed(&self, address: &str, link: Option<LinkNumber>) {
        let end = self.living(address).filter(|living| Some(living.number) == link).map(|living| living.end);
        if let Some(mut end) = end {
            // Nothing is ever sent on it.
            let _ = end.changed().await;
        }
    }

    /// Closes the connection to `address`, if there is one.
    pub fn disconnect(&self, address: &str) {
        self.links.lock().remove(address);
    }

    fn living(&self, address: &str) -> Option<Link> {
        self.links.lock().get(address).filter(|link| link.is_alive()).cloned()
    }

    async fn link(&self, address: &str, timeout: Duration) -> Result<Link, CallError> {
        if let Some(link) = self.living(address) {
            return Ok(link);
        }
        let failed = |why: String| CallError::Connect { address: address.to_owned(), why };
        let stream = match tokio::time::timeout(timeout, self.dial(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("timed out".to_owned())),
        };
        // A socket that refuses an option still works.
        let _ = stream.set_nodelay(true);
        let _ = watch_over(&stream);
        let mut links = self.links.lock();
        // Somebody else was faster. A second connection would end with its last call, and with it what the server ties to it.
        if let Some(link) = links.get(address).filter(|link| link.is_alive()) {
            return Ok(link.clone());
        }
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
        let number = LinkNumber(self.links_made.fetch_add(1, Ordering::Relaxed) + 1);
        let link = Link { number, frames, waiting, end };
        links.insert(address.to_owned(), link.clone());
        Ok(link)
    }

    async fn dial(&self, address: &str) -> io::Result<TcpStream> {
        match address.parse::<SocketAddr>() {
            Ok(address) => TcpStream::connect(address).await,
            Err(_) => TcpStream::connect(&*self.look_up(address).await?).await,
        }
    }

    /// Looks a name up on a thread of its own: the system may take long over it, and the runtime's threads have other work.
    async fn look_up(&self, address: &str) -> io::Result<Vec<SocketAddr>> {
        if !self.looked_up.lock().insert(address.to_owned()) {
            return Err(io::Error::other("the name is still being looked up"));
        }
        let (found, answer) = oneshot::channel();
        let (name, looked_up) = (address.to_owned(), Arc::clone(&self.looked_up));
        let thread = std::thread::Builder::new().name("look-up".to_owned()).spawn(move || {
            let addresses = name.to_socket_addrs().map(Iterator::collect);
            looked_up.lock().remove(&name);
            let _ = found.send(addresses);
        });
        if let Err(error) = thread {
            self.looked_up.lock().remove(address);
            return Err(error);
        }
        answer.await.unwrap_or_else(|_| Err(io::Error::other("the look-up ended without an answer")))
    }
}

impl Link {
    fn is_alive(&self) -> bool {
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

/// Ends a link together with the task that reads and writes it, however that ends: the next call connects anew.
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
                let _ = waiter.send(Received::keep(&frame));
            }
            consumed += frame.len;
        }
        held.drain(..consumed);
    }
}
