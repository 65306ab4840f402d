//! Which address of a broker does a client get? The rules are [`roxmq_remoting::address`]'s; here they meet the table's text.

use roxmq_remoting::address::{self, Registered};
use std::net::{IpAddr, SocketAddr};

/// The client that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The asker's address.
    pub client: IpAddr,
    /// Which address of the NameServer the asker dialled.
    pub dialled: IpAddr,
}

/// The address that `viewer` gets, of a broker that gave `addr`. A host name is never found out by us, so it is given as it is.
pub fn addr_for(known: Registered, addr: &str, viewer: &Viewer) -> String {
    match addr.parse::<SocketAddr>() {
        Ok(broker) => address::reachable_for(viewer.client, viewer.dialled, broker, known).to_string(),
        Err(_) => addr.to_owned(),
    }
}
