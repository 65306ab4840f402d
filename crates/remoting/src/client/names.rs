//! Where is a server whose name is given?

#![expect(clippy::disallowed_methods, reason = "connections begin here, and a look-up may outlive who asked")]

use parking_lot::Mutex;
use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// Names that are being looked up.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<HashSet<String>>>);

impl Names {
    /// Connects to `host:port`.
    pub(super) async fn dial(&self, address: &str) -> io::Result<TcpStream> {
        match address.parse::<SocketAddr>() {
            Ok(address) => TcpStream::connect(address).await,
            Err(_) => TcpStream::connect(&*self.look_up(address).await?).await,
        }
    }

    /// Looks a name up on a thread of its own: the system may take long over it, and the runtime's threads have other work.
    async fn look_up(&self, address: &str) -> io::Result<Vec<SocketAddr>> {
        if !self.0.lock().insert(address.to_owned()) {
            return Err(io::Error::other("the name is still being looked up"));
        }
        let (found, answer) = oneshot::channel();
        let (name, looked_up) = (address.to_owned(), Arc::clone(&self.0));
        let thread = std::thread::Builder::new().name("look-up".to_owned()).spawn(move || {
            let addresses = name.to_socket_addrs().map(Iterator::collect);
            looked_up.lock().remove(&name);
            let _ = found.send(addresses);
        });
        if let Err(error) = thread {
            self.0.lock().remove(address);
            return Err(error);
        }
        answer.await.unwrap_or_else(|_| Err(io::Error::other("the look-up ended without an answer")))
    }
}
