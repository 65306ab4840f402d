//! What does a user see when the process is ready?
//!
//! One screen: version, roles, addresses, data folder, what to try next. Under it stand the lines by which scripts made for Apache
//! RocketMQ's launchers recognise that NameServer and broker are up.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The NameServer, where one runs.
    pub nameserver: Option<NameServerReady>,
    /// The broker, where one runs.
    pub broker: Option<BrokerReady>,
}

/// A NameServer that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServerReady {
    /// Where it listens.
    pub listen: SocketAddr,
}

/// A broker that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerReady {
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: String,
    /// Where it listens for all requests.
    pub listen: SocketAddr,
    /// Where it listens for old clients' sends (VIP channel).
    pub fast_port: Option<u16>,
    /// The host and port that clients connect to.
    pub advertised: String,
    /// Whether that host was found out rather than configured.
    pub auto: bool,
    /// The NameServers with which it registers.
    pub nameservers: Vec<String>,
    /// The data folder, absolute.
    pub data: PathBuf,
    /// How sends are acknowledged: `ASYNC_FLUSH` or `SYNC_FLUSH`.
    pub flush: String,
    /// Whether the process runs in a container, whose own address is only good inside its network.
    pub in_container: bool,
}

/// The screen, and the readiness lines of the roles that run.
pub fn text(version: &str, ready: &Ready) -> String {
    let mut text = format!("RoxMQ {version}\n\n");
    // Writing to a String cannot fail.
    if let Some(nameserver) = &ready.nameserver {
        let _ = writeln!(text, "  NameServer  {}", listening(nameserver.listen));
    }
    if let Some(broker) = &ready.broker {
        let vip = broker.fast_port.map_or_else(String::new, |port| format!(", VIP channel {port}"));
        let how = if broker.auto { ", or as each client can reach it" } else { "" };
        let _ = writeln!(text, "  Broker      {}{vip}", listening(broker.listen));
        let _ = writeln!(text, "              {} in {}", broker.name, broker.cluster);
        let _ = writeln!(text, "  Advertised  {}{how}", broker.advertised);
        if ready.nameserver.is_none() {
            let _ = writeln!(text, "  Registers   {}", if_none(&broker.nameservers.join(";"), "nowhere: no NameServer is given"));
        }
        let _ = writeln!(text, "  Data        {} ({})", broker.data.display(), broker.flush);
        if broker.auto && broker.in_container {
            text.push_str("\n  This is a container. For clients outside of it, start with --set brokerIP1=<address of the host>.\n");
        }
        if broker.nameservers.is_empty() && ready.nameserver.is_none() {
            text.push_str("\n  Clients find a broker through a NameServer: start with -n host:9876, or set NAMESRV_ADDR.\n");
        }
    }
    text.push_str(&try_next(ready));
    text.push('\n');
    text.push_str(&boot_lines(ready));
    text
}

fn try_next(ready: &Ready) -> String {
    let own = ready.nameserver.as_ref().map(|nameserver| local(nameserver.listen));
    let nameservers = own.or_else(|| ready.broker.as_ref().map(|broker| broker.nameservers.join(";"))).unwrap_or_default();
    if nameservers.is_empty() {
        return String::new();
    }
    let quoted = if nameservers.contains([';', '[']) { format!("'{nameservers}'") } else { nameservers };
    let mut text = format!("\n  Try next, with the tools and clients of Apache RocketMQ:\n    export NAMESRV_ADDR={quoted}\n");
    match &ready.broker {
        None => {
            let _ = writeln!(text, "    roxmq broker");
        }
        Some(broker) => {
            let _ = writeln!(text, "    mqadmin clusterList");
            let _ = writeln!(text, "    mqadmin updateTopic -c {} -t hello", broker.cluster);
            let _ = writeln!(text, "    mqadmin sendMessage -t hello -p world");
            let _ = writeln!(text, "    mqadmin consumeMessage -t hello");
        }
    }
    text
}

/// The lines that Java's NamesrvStartup and BrokerStartup print when they are up.
pub fn boot_lines(ready: &Ready) -> String {
    let mut text = String::new();
    if let Some(nameserver) = &ready.nameserver {
        let address = match nameserver.listen {
            everywhere if everywhere.ip().is_unspecified() => format!("0.0.0.0:{}", everywhere.port()),
            one => one.to_string(),
        };
        let _ = writeln!(text, "The Name Server boot success. serializeType=JSON, address {address}");
    }
    if let Some(broker) = &ready.broker {
        let nameservers = broker.nameservers.join(";");
        let tail = if nameservers.is_empty() { String::new() } else { format!(" and name server is {nameservers}") };
        let _ = writeln!(text, "The broker[{}, {}] boot success. serializeType=JSON{tail}", broker.name, broker.advertised);
    }
    text
}

/// The address by which a program on this machine reaches a listener. Listening everywhere includes IPv4.
fn local(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() { format!("127.0.0.1:{}", listen.port()) } else { listen.to_string() }
}

fn listening(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() { format!("port {} on every address", listen.port()) } else { listen.to_string() }
}

fn if_none<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker() -> BrokerReady {
        BrokerReady {
            name: "laptop".into(),
            cluster: "DefaultCluster".into(),
            listen: "0.0.0.0:10911".parse().unwrap(),
            fast_port: Some(10_909),
            advertised: "192.168.1.5:10911".into(),
            auto: true,
            nameservers: vec!["127.0.0.1:9876".into()],
            data: "/home/me/roxmq-data".into(),
            flush: "ASYNC_FLUSH".into(),
            in_container: false,
        }
    }

    #[test]
    fn all_roles() {
        let nameserver = NameServerReady { listen: "0.0.0.0:9876".parse().unwrap() };
        let ready = Ready { nameserver: Some(nameserver), broker: Some(broker()) };
        let expected = "\
RoxMQ 1.2.3

  NameServer  port 9876 on every address
  Broker      port 10911 on every address, VIP channel 10909
              laptop in DefaultCluster
  Advertised  192.168.1.5:10911, or as each client can reach it
  Data        /home/me/roxmq-data (ASYNC_FLUSH)

  Try next, with the tools and clients of Apache RocketMQ:
    export NAMESRV_ADDR=127.0.0.1:9876
    mqadmin clusterList
    mqadmin updateTopic -c DefaultCluster -t hello
    mqadmin sendMessage -t hello -p world
    mqadmin consumeMessage -t hello

The Name Server boot success. serializeType=JSON, address 0.0.0.0:9876
The broker[laptop, 192.168.1.5:10911] boot success. serializeType=JSON and name server is 127.0.0.1:9876
";
        assert_eq!(text("1.2.3", &ready), expected);
    }

    #[test]
    fn a_broker_alone() {
        let broker = BrokerReady {
            listen: "10.0.0.1:10911".parse().unwrap(),
            advertised: "10.0.0.1:10911".into(),
            auto: false,
            nameservers: vec!["n1:9876".into(), "n2:9876".into()],
            fast_port: None,
            ..broker()
        };
        let expected = "\
RoxMQ 1.2.3

  Broker      10.0.0.1:10911
              laptop in DefaultCluster
  Advertised  10.0.0.1:10911
  Registers   n1:9876;n2:9876
  Data        /home/me/roxmq-data (ASYNC_FLUSH)

  Try next, with the tools and clients of Apache RocketMQ:
    export NAMESRV_ADDR='n1:9876;n2:9876'
    mqadmin clusterList
    mqadmin updateTopic -c DefaultCluster -t hello
    mqadmin sendMessage -t hello -p world
    mqadmin consumeMessage -t hello

The broker[laptop, 10.0.0.1:10911] boot success. serializeType=JSON and name server is n1:9876;n2:9876
";
        assert_eq!(text("1.2.3", &Ready { nameserver: None, broker: Some(broker) }), expected);
    }

    #[test]
    fn hints_where_clients_would_be_lost() {
        let broker = BrokerReady { nameservers: vec![], in_container: true, ..broker() };
        let text = text("1.2.3", &Ready { nameserver: None, broker: Some(broker) });
        assert!(text.contains("nowhere: no NameServer is given") && text.contains("start with -n host:9876"), "{text}");
        assert!(text.contains("--set brokerIP1="), "{text}");
        assert!(text.ends_with("\nThe broker[laptop, 192.168.1.5:10911] boot success. serializeType=JSON\n"), "{text}");
    }

    #[test]
    fn a_nameserver_alone() {
        for (listen, address, boot) in
            [("[::]:9876", "127.0.0.1:9876", "0.0.0.0:9876"), ("[2001:db8::5]:9876", "'[2001:db8::5]:9876'", "[2001:db8::5]:9876")]
        {
            let ready = Ready { nameserver: Some(NameServerReady { listen: listen.parse().unwrap() }), broker: None };
            let text = text("1.2.3", &ready);
            assert!(text.contains(&format!("export NAMESRV_ADDR={address}\n    roxmq broker\n")), "{text}");
            assert!(text.ends_with(&format!("The Name Server boot success. serializeType=JSON, address {boot}\n")), "{text}");
        }
    }
}
