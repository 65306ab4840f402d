//! Which of our addresses does a client meet?
//!
//! One, in every answer: the configured one (`brokerIP1`), else the one at which it reached us. A broker registers one address,
//! and the NameServer passes it on to every client. Where none is configured, the right one depends on the client: 127.0.0.1 for a
//! program on the same laptop, the address of this network for one next door, never a container bridge's for a client outside. Three
//! pure functions decide it:
//!
//! - [`advertised`] chooses the address that a broker registers, from the interfaces of its machine;
//! - [`reachable_for`] adjusts it in the route answer, from the connection on which the client asked;
//! - [`MetAs::on`] is the broker's name for itself on the connection that the client makes: in message ids, in messages, in tables.
//!
//! ```text
//!   broker ── 103, brokerAddr=192.168.1.5:10911, roxmqAutoAddress=true ──> NameServer       (same machine: came over loopback)
//!   client 127.0.0.1    ── asks on 127.0.0.1    ──>  gets 127.0.0.1:10911
//!   client 192.168.1.9  ── asks on 192.168.1.5  ──>  gets 192.168.1.5:10911
//!   client 10.8.0.2     ── asks on 10.8.0.1     ──>  gets 10.8.0.1:10911   (a VPN that the broker did not think of)
//! ```
//!
//! That an address was found out, not configured, travels as a field of the registration (103) that Java does not have,
//! `roxmqAutoAddress`. A Java NameServer ignores it, a Java broker never sends it, and then addresses pass through unchanged.

use roxmq_env::machine::{self, Interface};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The host that a broker registers with NameServers, without brackets and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertised {
    /// An operator chose it.
    Configured(String),
    /// It was found out, so [`reachable_for`] may replace it.
    Found(String),
}

impl Advertised {
    /// The name or address.
    pub fn host(&self) -> &str {
        match self {
            Advertised::Configured(host) | Advertised::Found(host) => host,
        }
    }

    /// [`advertised`] with what this machine's interfaces and routing table say. A system that does not list its interfaces has none.
    pub fn of_this_machine(configured: Option<&str>, listen: IpAddr) -> Self {
        advertised(configured, listen, &machine::interfaces().unwrap_or_default(), machine::outward())
    }
}

/// How a broker names itself to its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetAs {
    /// All clients meet this address: it was configured.
    Configured(SocketAddr),
    /// Each client meets the address that it dialled. This one is registered; its port is that of all of them.
    Dialled(SocketAddr),
}

impl MetAs {
    /// The broker's address to the client of a connection that was made to `local`.
    ///
    /// The port is the registered one, also for clients of the VIP port, which no route names. A link-local IPv6 address is never
    /// given, as its scope has a meaning on one machine only.
    pub fn on(self, local: IpAddr) -> SocketAddr {
        match self {
            MetAs::Configured(address) => address,
            MetAs::Dialled(registered) if is_scoped(local) => registered,
            MetAs::Dialled(registered) => SocketAddr::new(local.to_canonical(), registered.port()),
        }
    }
}

/// Chooses the host that a broker registers.
///
/// `configured` (`brokerIP1`) always wins. A broker that listens on one address is there and nowhere else, so that no client can be given a
/// better one. Otherwise the interfaces are rated: real networks before VPNs, those before bridges of containers and virtual machines,
/// link-local addresses and loopback last. Of the same rate, the address from which this machine reaches the world (`outward`) comes
/// first, then IPv4, as clients without IPv6 are likelier.
pub fn advertised(configured: Option<&str>, listen: IpAddr, interfaces: &[Interface], outward: Option<IpAddr>) -> Advertised {
    if let Some(host) = configured {
        let mapped = host.parse::<Ipv6Addr>().ok().and_then(|v6| v6.to_ipv4_mapped());
        return Advertised::Configured(mapped.map_or_else(|| host.to_owned(), |v4| v4.to_string()));
    }
    if !listen.is_unspecified() {
        return Advertised::Configured(listen.to_canonical().to_string());
    }
    let best = interfaces
        .iter()
        .filter(|interface| Some(interface.address) == outward || !machine::is_local_only(interface.address))
        .min_by_key(|interface| (rating(interface), Some(interface.address) != outward, interface.address.is_ipv6()));
    let address = best.map(|interface| interface.address).or(outward).unwrap_or(Ipv4Addr::LOCALHOST.into());
    Advertised::Found(address.to_string())
}

/// How far from here an interface's address is likely to be reachable; the first is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Network,
    Tunnel,
    Bridge,
    LinkLocal,
    Loopback,
}

fn rating(interface: &Interface) -> Reach {
    let named = |prefixes: &[&str]| prefixes.iter().any(|prefix| interface.name.starts_with(prefix));
    if interface.address.is_loopback() {
        Reach::Loopback
    } else if machine::is_link_local(interface.address) {
        Reach::LinkLocal
    } else if named(&BRIDGES) {
        Reach::Bridge
    } else if named(&TUNNELS) {
        Reach::Tunnel
    } else {
        Reach::Network
    }
}

/// How the NameServer came to know a broker's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It was configured, or the broker is not one of ours: it is passed on as it is.
    Configured,
    /// It was found out by a broker on the NameServer's own machine.
    AutoHere,
    /// It was found out by a broker on another machine, whose registration came from this address.
    AutoElsewhere {
        /// The broker's end of the connection, as the NameServer sees it.
        seen_from: IpAddr,
    },
}

impl Registered {
    /// Of a registration that came over a connection from `peer` to `local` and does or does not say `roxmqAutoAddress`.
    pub fn from_connection(auto: bool, peer: IpAddr, local: IpAddr) -> Self {
        let (peer, local) = (peer.to_canonical(), local.to_canonical());
        if !auto {
            Registered::Configured
        } else if peer.is_loopback() || peer == local {
            Registered::AutoHere
        } else {
            Registered::AutoElsewhere { seen_from: peer }
        }
    }
}

/// The broker address that stands in the route answer for a client.
///
/// `client` and `local` are the two ends of the connection on which the client asked, `broker` is the registered address. The port is
/// never changed.
///
/// - A configured address is the answer.
/// - A broker on this machine is where the client has just reached us: at `local`. A client on this machine that asked over loopback is
///   answered with loopback of the family in which the broker registered, as the broker surely listens there.
/// - A broker elsewhere is at its registered address, unless no client outside its machine can reach that one (loopback, link-local, or
///   Docker's default networks while neither its registration nor the client comes from them). Then it is where its registration came from.
pub fn reachable_for(client: IpAddr, local: IpAddr, broker: SocketAddr, registered: Registered) -> SocketAddr {
    let (client, local, guess) = (client.to_canonical(), local.to_canonical(), broker.ip().to_canonical());
    let host = match registered {
        Registered::Configured => return broker,
        Registered::AutoHere if local.is_loopback() && local.is_ipv4() != guess.is_ipv4() => match guess {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        },
        Registered::AutoHere if is_scoped(local) => guess,
        Registered::AutoHere => local,
        Registered::AutoElsewhere { seen_from } => {
            let shut_in = is_docker_default(guess) && !is_docker_default(seen_from) && !is_docker_default(client);
            if machine::is_local_only(guess) || shut_in { seen_from } else { guess }
        }
    };
    SocketAddr::new(host, broker.port())
}

/// Whether an address cannot stand in an answer: the scope of a link-local IPv6 address has a meaning on one machine only.
fn is_scoped(address: IpAddr) -> bool {
    address.is_unspecified() || matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// 172.16.0.0/12, from which Docker takes the networks of its containers.
fn is_docker_default(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 172 && (16..32).contains(&v4.octets()[1]))
}

/// Names of interfaces that lead to containers and virtual machines of this machine.
const BRIDGES: [&str; 17] = [
    "docker",
    "br-",
    "veth",
    "virbr",
    "vmnet",
    "vboxnet",
    "podman",
    "cni",
    "flannel",
    "cali",
    "kube",
    "lxc",
    "lxd",
    "incusbr",
    "bridge1",
    "nerdctl",
    "vEthernet",
];
/// Names of interfaces that lead into a VPN.
const TUNNELS: [&str; 6] = ["tun", "tap", "wg", "tailscale", "utun", "zt"];

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn on_machine(text: &str) -> Vec<Interface> {
        let interface = |part: &str| {
            let (name, address) = part.split_once('=').unwrap();
            Interface { name: name.into(), address: ip(address) }
        };
        text.split_whitespace().map(interface).collect()
    }

    #[test]
    fn a_broker_registers_the_address_that_reaches_farthest() {
        let laptop = "lo=127.0.0.1 docker0=172.17.0.1 wlan0=192.168.1.5 lo=::1 wlan0=fe80::1 wlan0=2001:db8::5";
        for (configured, listen, interfaces, outward, expected) in [
            ("", "0.0.0.0", laptop, "192.168.1.5", "192.168.1.5 auto"),
            ("", "0.0.0.0", laptop, "", "192.168.1.5 auto"),
            ("mq.example.org", "0.0.0.0", laptop, "192.168.1.5", "mq.example.org"),
            ("127.0.0.1", "10.0.0.1", laptop, "", "127.0.0.1"),
            ("::ffff:10.0.0.1", "0.0.0.0", laptop, "", "10.0.0.1"),
            // It listens on one address: no client can be given another.
            ("", "10.0.0.1", laptop, "192.168.1.5", "10.0.0.1"),
            ("", "127.0.0.1", laptop, "192.168.1.5", "127.0.0.1"),
            ("", "::ffff:10.0.0.1", laptop, "192.168.1.5", "10.0.0.1"),
            // Two networks: the one that leads outward.
            ("", "0.0.0.0", "lo=127.0.0.1 eth0=10.0.0.1 eth1=10.1.0.1", "10.1.0.1", "10.1.0.1 auto"),
            // A VPN takes all traffic, yet colleagues next door are the likelier clients.
            ("", "0.0.0.0", "lo=127.0.0.1 wg0=10.8.0.2 eth0=10.0.0.1", "10.8.0.2", "10.0.0.1 auto"),
            ("", "0.0.0.0", "lo=127.0.0.1 docker0=172.17.0.1 tun0=10.8.0.2", "", "10.8.0.2 auto"),
            // Inside a container there is one network, whatever it is named.
            ("", "0.0.0.0", "lo=127.0.0.1 eth0=172.17.0.2", "172.17.0.2", "172.17.0.2 auto"),
            ("", "0.0.0.0", "lo=127.0.0.1 docker0=172.17.0.1", "", "172.17.0.1 auto"),
            // IPv6 only.
            ("", "::", "lo=::1 eth0=fe80::1 eth0=2001:db8::5", "2001:db8::5", "2001:db8::5 auto"),
            // No network at all.
            ("", "0.0.0.0", "lo=127.0.0.1 lo=::1 eth0=169.254.3.4", "", "127.0.0.1 auto"),
            ("", "0.0.0.0", "", "", "127.0.0.1 auto"),
        ] {
            let configured = (!configured.is_empty()).then_some(configured);
            let outward = (!outward.is_empty()).then(|| ip(outward));
            let chosen = match advertised(configured, ip(listen), &on_machine(interfaces), outward) {
                Advertised::Configured(host) => host,
                Advertised::Found(host) => format!("{host} auto"),
            };
            assert_eq!(chosen, expected, "{interfaces} outward {outward:?}");
        }
    }

    #[test]
    fn a_client_gets_an_address_that_it_can_reach() {
        use Registered::{AutoElsewhere, AutoHere, Configured};
        let elsewhere = |seen_from: &str| AutoElsewhere { seen_from: ip(seen_from) };
        for (client, local, broker, registered, expected) in [
            // brokerIP1 always wins.
            ("10.0.0.9", "10.0.0.1", "203.0.113.7:10911", Configured, "203.0.113.7:10911"),
            ("127.0.0.1", "127.0.0.1", "172.17.0.2:10911", Configured, "172.17.0.2:10911"),
            // Same host, over loopback, in either family.
            ("127.0.0.1", "127.0.0.1", "192.168.1.5:10911", AutoHere, "127.0.0.1:10911"),
            ("::1", "::1", "192.168.1.5:10911", AutoHere, "127.0.0.1:10911"),
            ("::1", "::1", "[2001:db8::5]:10911", AutoHere, "[::1]:10911"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "192.168.1.5:10911", AutoHere, "127.0.0.1:10911"),
            // All of 127.0.0.0/8 is loopback.
            ("127.0.0.1", "127.0.0.2", "192.168.1.5:10911", AutoHere, "127.0.0.2:10911"),
            // Same host, over its own address.
            ("192.168.1.5", "192.168.1.5", "192.168.1.5:10911", AutoHere, "192.168.1.5:10911"),
            // Another host: never loopback, never a bridge, but where it has just reached us.
            ("192.168.1.9", "192.168.1.5", "127.0.0.1:10911", AutoHere, "192.168.1.5:10911"),
            ("192.168.1.9", "192.168.1.5", "172.17.0.1:10911", AutoHere, "192.168.1.5:10911"),
            ("10.8.0.2", "10.8.0.1", "192.168.1.5:10921", AutoHere, "10.8.0.1:10921"),
            ("::ffff:192.168.1.9", "::ffff:192.168.1.5", "172.17.0.1:10911", AutoHere, "192.168.1.5:10911"),
            ("2001:db8::9", "2001:db8::5", "192.168.1.5:10911", AutoHere, "[2001:db8::5]:10911"),
            // A container on this host reaches us at the bridge, and gets that.
            ("172.17.0.3", "172.17.0.1", "192.168.1.5:10911", AutoHere, "172.17.0.1:10911"),
            // A link-local address means nothing without its scope.
            ("fe80::9", "fe80::5", "192.168.1.5:10911", AutoHere, "192.168.1.5:10911"),
            ("169.254.3.9", "169.254.3.4", "192.168.1.5:10911", AutoHere, "169.254.3.4:10911"),
            // The broker is on another machine.
            ("10.0.0.9", "10.0.0.1", "10.0.0.2:10911", elsewhere("10.0.0.2"), "10.0.0.2:10911"),
            ("10.0.0.9", "10.0.0.1", "10.0.0.2:10911", elsewhere("10.5.0.2"), "10.0.0.2:10911"),
            ("10.0.0.9", "10.0.0.1", "127.0.0.1:10911", elsewhere("10.0.0.2"), "10.0.0.2:10911"),
            ("10.0.0.9", "10.0.0.1", "[fe80::2]:10911", elsewhere("10.0.0.2"), "10.0.0.2:10911"),
            // It is in a container there, and registers through the address translation of its host.
            ("10.0.0.9", "10.0.0.1", "172.17.0.2:10911", elsewhere("10.0.0.2"), "10.0.0.2:10911"),
            // All in one Docker network; and a private network that uses the same range.
            ("172.18.0.4", "172.18.0.2", "172.18.0.3:10911", elsewhere("172.18.0.3"), "172.18.0.3:10911"),
            ("172.31.0.4", "172.31.0.2", "172.31.9.9:10911", elsewhere("172.31.9.9"), "172.31.9.9:10911"),
            // The NameServer is in a container: translated registrations seem to come from its gateway.
            ("10.0.0.9", "172.17.0.2", "10.0.0.2:10911", elsewhere("172.17.0.1"), "10.0.0.2:10911"),
        ] {
            let given = reachable_for(ip(client), ip(local), broker.parse().unwrap(), registered);
            assert_eq!(given.to_string(), expected, "{client} -> {local}, broker {broker} {registered:?}");
        }
    }

    #[test]
    fn a_client_meets_the_broker_where_it_dialled_it() {
        let (v4, v6) = ("192.168.1.5:10911".parse().unwrap(), "[2001:db8::5]:10911".parse().unwrap());
        for (met, local, expected) in [
            // brokerIP1 always wins.
            (MetAs::Configured(v4), "10.8.0.1", "192.168.1.5:10911"),
            (MetAs::Configured(v4), "127.0.0.1", "192.168.1.5:10911"),
            (MetAs::Dialled(v4), "192.168.1.5", "192.168.1.5:10911"),
            (MetAs::Dialled(v4), "10.8.0.1", "10.8.0.1:10911"),
            (MetAs::Dialled(v4), "127.0.0.2", "127.0.0.2:10911"),
            (MetAs::Dialled(v4), "::ffff:10.8.0.1", "10.8.0.1:10911"),
            (MetAs::Dialled(v4), "2001:db8::5", "[2001:db8::5]:10911"),
            (MetAs::Dialled(v6), "10.8.0.1", "10.8.0.1:10911"),
            (MetAs::Dialled(v6), "169.254.3.4", "169.254.3.4:10911"),
            // A link-local address means nothing without its scope.
            (MetAs::Dialled(v6), "fe80::5", "[2001:db8::5]:10911"),
        ] {
            assert_eq!(met.on(ip(local)).to_string(), expected, "{met:?} on {local}");
        }
    }

    #[test]
    fn a_registration_says_where_it_comes_from() {
        for (auto, peer, local, expected) in [
            (false, "127.0.0.1", "127.0.0.1", Registered::Configured),
            (true, "127.0.0.1", "127.0.0.1", Registered::AutoHere),
            (true, "::1", "::1", Registered::AutoHere),
            (true, "::ffff:127.0.0.1", "::ffff:127.0.0.1", Registered::AutoHere),
            (true, "192.168.1.5", "192.168.1.5", Registered::AutoHere),
            (true, "192.168.1.6", "192.168.1.5", Registered::AutoElsewhere { seen_from: ip("192.168.1.6") }),
        ] {
            assert_eq!(Registered::from_connection(auto, ip(peer), ip(local)), expected);
        }
    }

    #[test]
    fn this_machine_has_a_loopback_and_an_address_to_advertise() {
        assert!(machine::interfaces().unwrap().iter().any(|interface| interface.address.is_loopback()));
        let found = Advertised::of_this_machine(None, Ipv4Addr::UNSPECIFIED.into());
        let Advertised::Found(host) = &found else { panic!("{found:?}") };
        assert!(host.parse::<IpAddr>().is_ok_and(|address| !address.is_unspecified()), "{found:?}");
    }
}
