//! What are this machine's name and addresses, and from which of them does it reach the world?

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// An address of a network interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The interface's name, such as `eth0`.
    pub name: String,
    /// One of its addresses; an interface with several stands several times.
    pub address: IpAddr,
}

/// This machine's name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The addresses of this machine's interfaces that are up and running.
///
/// # Errors
/// When the system does not list them.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let running = if_addrs::get_if_addrs()?.into_iter().filter(if_addrs::Interface::is_oper_up);
    Ok(running.map(|interface| Interface { address: interface.ip(), name: interface.name }).collect())
}

/// The address from which this machine would reach the world: what the routing table says, without sending anything. `None` without a
/// default route.
pub fn outward() -> Option<IpAddr> {
    // Addresses for documentation: routed like any other, and never assigned.
    let v4 = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9));
    let v6 = SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9));
    [v4, v6].into_iter().find_map(|far| {
        let near: IpAddr = if far.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        #[expect(clippy::disallowed_methods, reason = "the routing table is asked with a socket that sends nothing")]
        let socket = UdpSocket::bind((near, 0)).ok()?;
        socket.connect(far).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|address| !is_local_only(*address))
    })
}

/// Whether an address says nothing to another machine.
pub fn is_local_only(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || is_link_local(address)
}

/// Whether an address is one that a machine gives itself where there is no network.
pub fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
