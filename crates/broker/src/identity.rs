//! At which address do clients and NameServers reach this broker?

use roxmq_protocol::time::Timestamp;
use roxmq_remoting::address::{Advertised, MetAs};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// The broker's addresses.
pub struct Identity {
    /// Host and port, as announced to NameServers.
    pub address: String,
    /// The same as an address, which stored messages carry.
    pub advertised: SocketAddr,
    /// What clients get instead, also in copies of those messages.
    pub met_as: MetAs,
    /// When the broker started.
    pub started: Timestamp,
}

impl Identity {
    /// The identity of a broker at this host and port. If the host was not configured, each client gets the address that it dialled.
    ///
    /// # Errors
    /// When the host has no address.
    pub fn new(host: &Advertised, port: u16, started: Timestamp) -> io::Result<Identity> {
        let advertised = resolve(host.host(), port)?;
        let met_as = match host {
            Advertised::Configured(_) => MetAs::Configured(advertised),
            Advertised::Found(_) => MetAs::Dialled(advertised),
        };
        Ok(Identity { address: host_and_port(host.host(), advertised.port()), advertised, met_as, started })
    }

    /// The host and port for tools that have dialled this address.
    pub fn address_to(&self, met_as: SocketAddr) -> String {
        match self.met_as {
            MetAs::Configured(_) => self.address.clone(),
            MetAs::Dialled(_) => met_as.to_string(),
        }
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    Ok(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// IPv6 addresses get brackets.
fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
