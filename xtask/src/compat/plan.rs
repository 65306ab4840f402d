//! Which processes does a suite run against, and with which settings?

use super::suites::Topology;
use crate::rig::ports;
use crate::rig::programs::{self, JAVA_VERSION};
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the first broker, and of the only one outside the cluster suites.
pub const FIRST_BROKER: &str = "broker-a";
/// Cluster that all brokers belong to.
pub const CLUSTER: &str = "DefaultCluster";

/// What is tested.
pub enum Target {
    /// The program built from this repository.
    RoxMq { program: PathBuf },
    /// The Java NameServer and broker from Maven Central.
    Java { classpath: String },
}

impl Target {
    /// The program of RoxMQ, for suites that start it themselves.
    pub fn roxmq(&self) -> Option<&Path> {
        match self {
            Target::RoxMq { program } => Some(program),
            Target::Java { .. } => None,
        }
    }
}

/// How one process is started.
pub struct Launch {
    /// Its name in the run.
    pub name: &'static str,
    /// Where its NameServer listens, if it has that role.
    pub nameserver_port: Option<u16>,
    /// Where its broker listens, if it has that role.
    pub broker_port: Option<u16>,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its folder: data, configuration, output.
    pub home: PathBuf,
}

impl Launch {
    fn new(folder: &Path, name: &'static str, program: &Path) -> Result<Launch, String> {
        let home = folder.join(name);
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        Ok(Launch { name, nameserver_port: None, broker_port: None, program: program.to_owned(), arguments: Vec::new(), home })
    }
}

/// Chooses ports and writes configuration; starts nothing. NameServers come first.
pub fn plan(target: &Target, topology: Topology, folder: &Path) -> Result<Vec<Launch>, String> {
    let (nameservers, brokers) = match topology {
        Topology::Single | Topology::Mixed | Topology::Bare => (&NAMESERVERS[..1], &BROKERS[..1]),
        Topology::Own => (&NAMESERVERS[..0], &BROKERS[..0]),
        Topology::Cluster => (&NAMESERVERS[..], &BROKERS[..]),
    };
    let mut taken = Vec::new();
    let mut nameserver_ports = Vec::new();
    for _ in nameservers {
        nameserver_ports.push(ports::free(&[0], &mut taken)?);
    }
    let mut broker_ports = Vec::new();
    for _ in brokers {
        // The fast port is two below, the replication port one above.
        broker_ports.push(ports::free(&[-2, 0, 1], &mut taken)?);
    }
    let mut all = Vec::new();
    match target {
        Target::RoxMq { .. } if topology == Topology::Own => {}
        Target::RoxMq { program } if matches!(topology, Topology::Single | Topology::Bare) => {
            let mut server = Launch::new(folder, FIRST_BROKER, program)?;
            server.nameserver_port = Some(nameserver_ports[0]);
            server.broker_port = Some(broker_ports[0]);
            let mut settings = broker_settings(topology, &server, broker_ports[0]);
            settings.push(("nameserver.listenPort".to_owned(), nameserver_ports[0].to_string()));
            server.arguments = as_roxmq_arguments(None, &settings);
            all.push(server);
        }
        Target::RoxMq { program } => {
            for (name, port) in nameservers.iter().zip(&nameserver_ports) {
                let mut server = Launch::new(folder, name, program)?;
                server.nameserver_port = Some(*port);
                let settings = nameserver_settings(*port);
                server.arguments = as_roxmq_arguments(Some("nameserver"), &settings);
                all.push(server);
            }
            for (name, port) in brokers.iter().zip(&broker_ports) {
                let mut server = Launch::new(folder, name, program)?;
                server.broker_port = Some(*port);
                let mut settings = broker_settings(topology, &server, *port);
                settings.push(("namesrvAddr".to_owned(), addresses(&nameserver_ports)));
                server.arguments = as_roxmq_arguments(Some("broker"), &settings);
                all.push(server);
            }
        }
        Target::Java { classpath } => {
            let java = programs::java_program();
            for (name, port) in nameservers.iter().zip(&nameserver_ports) {
                let mut server = Launch::new(folder, name, &java)?;
                server.nameserver_port = Some(*port);
                let mut settings = nameserver_settings(*port);
                settings.push(("kvConfigPath".to_owned(), server.home.join("kvConfig.json").display().to_string()));
                server.arguments = as_java_arguments(&server, classpath, JAVA_NAMESERVER, &settings)?;
                all.push(server);
            }
            for (name, port) in brokers.iter().zip(&broker_ports) {
                all.push(java_broker(folder, topology, name, *port, &nameserver_ports, classpath)?);
            }
        }
    }
    if topology == Topology::Mixed {
        for (name, version) in JAVA_BROKERS {
            let classpath = programs::classpath("compat/java/server", &format!("-Drocketmq.version={version}"))?;
            let port = ports::free(&[-2, 0, 1], &mut taken)?;
            all.push(java_broker(folder, topology, name, port, &nameserver_ports, &classpath)?);
        }
    }
    Ok(all)
}

fn java_broker(
    folder: &Path,
    topology: Topology,
    name: &'static str,
    port: u16,
    nameserver_ports: &[u16],
    classpath: &str,
) -> Result<Launch, String> {
    let mut server = Launch::new(folder, name, &programs::java_program())?;
    server.broker_port = Some(port);
    // Versions before 5.0 do not start without one.
    let logging = server.home.join("conf");
    fs::create_dir_all(&logging)
        .and_then(|()| fs::write(logging.join("logback_broker.xml"), JAVA_LOGGING))
        .map_err(|error| format!("{}: {error}", logging.display()))?;
    let mut settings = broker_settings(topology, &server, port);
    settings.push(("namesrvAddr".to_owned(), addresses(nameserver_ports)));
    settings.push(("haListenPort".to_owned(), (port + 1).to_string()));
    settings.extend(JAVA_BROKER_SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    server.arguments = as_java_arguments(&server, classpath, JAVA_BROKER, &settings)?;
    Ok(server)
}

fn nameserver_settings(port: u16) -> Vec<(String, String)> {
    vec![("listenPort".to_owned(), port.to_string())]
}

/// Everything else stays at its default, or all of it. One broker alone is registered with a NameServer that outlives it or starts with it; in a
/// cluster a NameServer that returns must hear of brokers soon, hence the shortest period Java takes.
fn broker_settings(topology: Topology, server: &Launch, port: u16) -> Vec<(String, String)> {
    let needed = [("listenPort", port.to_string()), ("storePathRootDir", server.home.join("store").display().to_string())];
    let chosen = [
        ("brokerName", server.name.to_owned()),
        ("brokerClusterName", CLUSTER.to_owned()),
        ("brokerIP1", "127.0.0.1".to_owned()),
        ("autoCreateTopicEnable", "true".to_owned()),
        ("enablePropertyFilter", "true".to_owned()),
        ("enableLmq", "true".to_owned()),
        ("enableMultiDispatch", "true".to_owned()),
        ("registerNameServerPeriod", "10000".to_owned()),
        // Small enough for a case to fill one and see it deleted.
        ("mappedFileSizeCommitLog", (64 << 20).to_string()),
    ];
    let chosen = chosen.into_iter().filter(|_| topology != Topology::Bare);
    needed.into_iter().chain(chosen).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn as_roxmq_arguments(role: Option<&str>, settings: &[(String, String)]) -> Vec<String> {
    let mut arguments: Vec<String> = role.map(str::to_owned).into_iter().collect();
    for (key, value) in settings {
        arguments.push("--set".to_owned());
        arguments.push(format!("{key}={value}"));
    }
    arguments
}

fn as_java_arguments(server: &Launch, classpath: &str, main: &JavaMain, settings: &[(String, String)]) -> Result<Vec<String>, String> {
    let file = server.home.join("server.properties");
    let lines: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    fs::write(&file, lines).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut arguments: Vec<String> = main.options.iter().map(|option| (*option).to_owned()).collect();
    // Java RocketMQ writes its logs below the user's home.
    arguments.push(format!("-Duser.home={}", server.home.display()));
    arguments.extend(["-cp".to_owned(), classpath.to_owned(), main.class.to_owned(), "-c".to_owned(), file.display().to_string()]);
    Ok(arguments)
}

/// Where a port of this machine is reached.
pub fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn addresses(ports: &[u16]) -> String {
    let all: Vec<String> = ports.iter().map(|port| address(*port)).collect();
    all.join(";")
}

const NAMESERVERS: [&str; 2] = ["nameserver-1", "nameserver-2"];
const BROKERS: [&str; 2] = [FIRST_BROKER, "broker-b"];
/// The brokers beside the first one in a mixed cluster, and their versions: the newest, and the last of 4.x whose server Maven Central has.
const JAVA_BROKERS: [(&str, &str); 2] = [("broker-b", JAVA_VERSION), ("broker-c", "4.9.7")];

struct JavaMain {
    class: &'static str,
    options: &'static [&'static str],
}

const JAVA_NAMESERVER: &JavaMain =
    &JavaMain { class: "org.apache.rocketmq.namesrv.NamesrvStartup", options: &["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC"] };

const JAVA_BROKER: &JavaMain = &JavaMain {
    class: "org.apache.rocketmq.broker.BrokerStartup",
    options: &[
        "-Xms1g",
        "-Xmx1g",
        "-XX:+UseG1GC",
        "-XX:MaxDirectMemorySize=1g",
        // A disk that is nearly full for other reasons must not stop the test.
        "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
        "-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.98",
        "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    ],
};

/// What brokers of 4.x log: warnings, with the rest of what they print.
const JAVA_LOGGING: &str = r#"<configuration>
  <appender name="output" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d %p %m%n</pattern></encoder></appender>
  <root level="WARN"><appender-ref ref="output"/></root>
</configuration>
"#;

/// Beyond the settings of every broker.
const JAVA_BROKER_SETTINGS: &[(&str, &str)] = &[
    // Java refuses what has waited 200 ms for its turn, which happens on two processors that run clients as well.
    ("waitTimeMillsInSendQueue", "5000"),
];
