//! Calls to servers: one connection per address, any number of calls on it at once.

mod link;
mod names;

use crate::message::{CallError, OUR_ENCODING, Received};
use link::Link;
use names::Names;
use parking_lot::Mutex;
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::request::Request;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

pub use link::LinkNumber;

/// How long a connection may take to come about, as Java's `connectTimeoutMillis`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Calls servers, from inside a tokio runtime.
#[derive(Clone, Default)]
pub struct Client {
    links: Arc<Mutex<HashMap<String, Link>>>,
    opaque: Arc<AtomicI32>,
    links_made: Arc<AtomicU64>,
    names: Names,
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
        let link = self.link(address, CONNECT_TIMEOUT).await?;
        let opaque = self.opaque.fetch_add(1, Ordering::Relaxed);
        let mut frame = Vec::new();
        header::write_frame(&mut frame, OUR_ENCODING, Top::request(opaque, R::CODE, false), |sink| request.write(sink), body);
        link.exchange(opaque, frame).await
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
        let stream = match tokio::time::timeout(timeout, self.names.dial(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("timed out".to_owned())),
        };
        let mut links = self.links.lock();
        // Another caller was faster. A second connection would end with its last call, and with it everything that the server ties to it.
        if let Some(link) = links.get(address).filter(|link| link.is_alive()) {
            return Ok(link.clone());
        }
        let number = LinkNumber(self.links_made.fetch_add(1, Ordering::Relaxed) + 1);
        let link = Link::start(stream, number);
        links.insert(address.to_owned(), link.clone());
        Ok(link)
    }
}
