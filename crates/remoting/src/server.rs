//! Listening, and spreading accepted sockets over the shards.

use crate::mailbox::ShardHandle;
use crate::service::Service;
use crate::shard::Shard;
use roxmq_env::clock::Clock;
use roxmq_env::vital;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tracing::{info, warn};

/// Connections that wait to be accepted, as Java's `ServerBootstrap` asks for.
const BACKLOG: i32 = 1024;
/// How long accepting rests when the process is out of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Where to listen.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// Address and port; port 0 takes a free one. `0.0.0.0` also takes IPv6 where the machine has it.
    pub address: SocketAddr,
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Name of its threads.
    pub name: &'static str,
    /// Threads; at least one.
    pub shards: usize,
    /// A connection on which nothing moved for so long is closed.
    pub idle_max: Duration,
    /// Open connections above which further ones are closed at once.
    pub connections_max: usize,
    /// The service's clock. Its shards rest in the machine's time, and look again when it is a manual clock that has moved.
    pub clock: Clock,
}

/// A running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    shards: Vec<ShardHandle>,
    stop_accepting: Arc<Notify>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens and serves. `service` makes each shard's value, on the shard's thread.
    ///
    /// # Errors
    /// When an address cannot be listened on, or a thread cannot be started.
    pub fn start<S: Service>(
        listen: &[Listen],
        options: ServerOptions,
        service: impl Fn(ShardHandle) -> S + Send + Sync + 'static,
    ) -> io::Result<Server> {
        let listeners = listen.iter().map(|listen| bind(listen.address)).collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(StdListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let service = Arc::new(service);
        let mut threads = Vec::new();
        let mut shards = Vec::new();
        for number in 0..options.shards.max(1) {
            let handle = ShardHandle::new();
            shards.push(handle.clone());
            let moved = handle.clone();
            options.clock.when_advanced(move || moved.wake());
            let (service, idle_max) = (Arc::clone(&service), options.idle_max);
            let (ready, started) = mpsc::channel();
            let thread = vital::spawn(format!("{}-{number}", options.name), move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return ready.send(Err(error)).unwrap_or_default(),
                };
                ready.send(Ok(())).unwrap_or_default();
                let shard = Shard::new(handle.clone(), idle_max);
                let service = Rc::new(service(handle));
                LocalSet::new().block_on(&runtime, shard.run(service));
            })?;
            started.recv().unwrap_or_else(|_| Err(io::Error::other("a shard ended while it started")))?;
            threads.push(thread);
        }
        let stop_accepting = Arc::new(Notify::new());
        threads.push(start_acceptor(listeners, &options, shards.clone(), Arc::clone(&stop_accepting))?);
        Ok(Server { addresses, shards, stop_accepting, threads })
    }

    /// Addresses listened on, in the order asked for, with the ports really taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The shards.
    pub fn shards(&self) -> &[ShardHandle] {
        &self.shards
    }

    /// Stops accepting, writes the answers that are left, closes every connection and ends the threads.
    pub fn stop(self) {
        self.stop_accepting.notify_one();
        self.shards.iter().for_each(ShardHandle::stop);
        for thread in self.threads {
            // None of them ends by a panic: see `vital`.
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<StdListener> {
    // An unspecified IPv4 address means "everywhere": one IPv6 socket takes both where there is IPv6.
    if address.ip().is_unspecified() && address.is_ipv4() {
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
        match bind_to(everywhere, true) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(explain(address, error)),
            Err(_) => {}
        }
    }
    bind_to(address, false).map_err(|error| explain(address, error))
}

fn explain(address: SocketAddr, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

fn bind_to(address: SocketAddr, dual_stack: bool) -> io::Result<StdListener> {
    #[expect(clippy::disallowed_methods, reason = "servers begin here")]
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if dual_stack {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn start_acceptor(
    listeners: Vec<StdListener>,
    options: &ServerOptions,
    shards: Vec<ShardHandle>,
    stop: Arc<Notify>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listeners = {
        let _inside = runtime.enter();
        listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<Vec<_>>>()?
    };
    let connections_max = options.connections_max;
    vital::spawn(format!("{}-accept", options.name), move || {
        runtime.block_on(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for listener in listeners {
                tasks.spawn(vital::task(accept(listener, shards.clone(), connections_max)));
            }
            stop.notified().await;
            tasks.abort_all();
        });
    })
}

async fn accept(listener: TcpListener, shards: Vec<ShardHandle>, connections_max: usize) {
    let mut was_full = false;
    let mut failed = None;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Said once, and again when it is another reason.
                if failed.replace(error.kind()) != Some(error.kind()) {
                    warn!(%error, "cannot accept connections; retrying");
                }
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        if failed.take().is_some() {
            info!("accepting connections again");
        }
        let open: usize = shards.iter().map(ShardHandle::connections).sum();
        if open >= connections_max {
            if !std::mem::replace(&mut was_full, true) {
                warn!(open, "closing new connections: the limit of open ones is reached");
            }
            continue;
        }
        if std::mem::take(&mut was_full) {
            info!(open, "accepting connections again");
        }
        // A socket that refuses the option still works, only slower.
        let _ = stream.set_nodelay(true);
        if let (Ok(stream), Some(shard)) = (stream.into_std(), shards.iter().min_by_key(|shard| shard.connections())) {
            shard.accepted(stream);
        }
    }
}
