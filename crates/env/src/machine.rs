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

/// The addresses of this machine's interfaces that are up, also of those without a carrier: a link may still come about.
///
/// # Errors
/// When the system does not list them.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let up = if_addrs::get_if_addrs()?.into_iter().filter(is_up);
    Ok(up.map(|interface| Interface { address: interface.ip(), name: interface.name }).collect())
}

/// Whether an interface was switched on. The list itself says only whether it has a carrier.
fn is_up(interface: &if_addrs::Interface) -> bool {
    // An alias such as `eth0:1` is its interface's.
    let name = interface.name.split(':').next().unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "flags of the machine, which is not simulated")]
    let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags"));
    flags.ok().and_then(|flags| switched_on(&flags)).unwrap_or_else(|| interface.is_oper_up())
}

/// Reads the flags that Linux shows in `/sys/class/net/<name>/flags`, in hexadecimal digits.
fn switched_on(flags: &str) -> Option<bool> {
    const IFF_UP: u32 = 1;
    u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).ok().map(|flags| flags & IFF_UP != 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_without_a_carrier_is_up() {
        // Up and running, up without a carrier, down.
        for (flags, is_up) in [("0x1043\n", Some(true)), ("0x1003\n", Some(true)), ("0x1002\n", Some(false)), ("", None), ("0xzz", None)] {
            assert_eq!(switched_on(flags), is_up, "{flags:?}");
        }
        let interfaces = interfaces().expect("Linux lists them");
        assert!(interfaces.iter().any(|interface| interface.address.is_loopback()), "{interfaces:?}");
    }
}
