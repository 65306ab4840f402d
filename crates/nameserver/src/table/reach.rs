//! Under which address can somebody who asks reach a broker that was not told its address?
//!
//! A broker with `brokerIP1` (or one of Java) says where it is, and that is what everybody is told. A broker without it only knows its
//! port. Where it can be reached depends on who asks:
//!
//! ```text
//! broker on the NameServer's host   the address that the asker dialled the NameServer at: that host is reachable there
//! broker on another host            the address it came from, as the NameServer sees it
//! ```

use std::net::{IpAddr, SocketAddr};

/// How a broker is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// At the address it gave.
    AsGiven,
    /// Wherever the NameServer's host is reached.
    SameHost,
    /// At this address.
    At(IpAddr),
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// Which address of the NameServer the asker dialled.
    pub dialled: IpAddr,
}

impl Reach {
    /// How a broker that does not know its address is reached, from the two ends of the connection it registered on.
    pub fn of_connection(remote: IpAddr, local: IpAddr) -> Reach {
        let (remote, local) = (remote.to_canonical(), local.to_canonical());
        if remote.is_loopback() || remote == local { Reach::SameHost } else { Reach::At(remote) }
    }

    /// The address to tell `viewer`, of a broker that gave `addr`.
    pub fn addr_for(self, addr: &str, viewer: &Viewer) -> String {
        let ip = match self {
            Reach::AsGiven => return addr.to_owned(),
            Reach::SameHost => viewer.dialled.to_canonical(),
            Reach::At(ip) => ip,
        };
        match addr.rsplit_once(':').and_then(|(_, port)| port.parse().ok()) {
            Some(port) => SocketAddr::new(ip, port).to_string(),
            None => addr.to_owned(),
        }
    }
}
