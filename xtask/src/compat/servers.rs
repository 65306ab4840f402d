//! Which server processes does a suite run against, how are they started, stopped and known to be ready?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::folder::{self, Folder};
use super::suites::Topology;
use super::{ports, probe};

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

/// Builds `roxmq` as users do.
pub fn build_roxmq(repository: &Path) -> Result<Target, String> {
    println!("== building roxmq");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--package", "roxmq"]).current_dir(repository);
    match build.status() {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("cargo build: {status}")),
        Err(error) => return Err(format!("cargo build: {error}")),
    }
    let program =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from).join("release").join("roxmq");
    if program.exists() { Ok(Target::RoxMq { program }) } else { Err(format!("{} was not built", program.display())) }
}

/// Has Maven bring the Java servers and list their class path.
pub fn resolve_java(repository: &Path) -> Result<Target, String> {
    println!("== resolving Java RocketMQ {JAVA_VERSION}");
    let classpath = classpath(repository, "compat/java/server", &format!("-Drocketmq.version={JAVA_VERSION}"))?;
    Ok(Target::Java { classpath })
}

/// Has Maven bring what the project in a folder lists, and returns the class path.
pub fn classpath(repository: &Path, project: &str, version: &str) -> Result<String, String> {
    let list = repository.join("target").join(project).join("classpath");
    run_quietly(
        Command::new("mvn")
            .args(["--quiet", "--batch-mode", "dependency:build-classpath", "-Dmdep.includeScope=runtime"])
            .arg(format!("-Dmdep.outputFile={}", list.display()))
            .arg(version)
            .current_dir(repository.join(project)),
    )?;
    let classpath = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    Ok(classpath.trim().to_owned())
}

/// Shows what the command printed only when it failed.
fn run_quietly(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{program}: {}", output.status))
}

/// All servers of a run; the first ones are NameServers.
pub struct Servers {
    all: Vec<Server>,
    folder: PathBuf,
    topology: Topology,
}

/// One process.
struct Server {
    name: &'static str,
    /// Where its NameServer listens, if it has that role.
    nameserver_port: Option<u16>,
    /// Where its broker listens, if it has that role.
    broker_port: Option<u16>,
    program: PathBuf,
    arguments: Vec<String>,
    home: PathBuf,
    child: Option<Child>,
}

/// Position of a server in [`Servers`].
#[derive(Clone, Copy)]
pub struct ServerIndex(usize);

impl Target {
    /// The program of RoxMQ, for suites that start it themselves.
    pub fn roxmq(&self) -> Option<&Path> {
        match self {
            Target::RoxMq { program } => Some(program),
            Target::Java { .. } => None,
        }
    }
}

impl Servers {
    /// Chooses ports and writes configuration; starts nothing.
    pub fn plan(target: &Target, topology: Topology, folder: &Folder, repository: &Path) -> Result<Servers, String> {
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
        let mut servers = Servers { all: Vec::new(), folder: folder.path().to_owned(), topology };
        match target {
            Target::RoxMq { .. } if topology == Topology::Own => {}
            Target::RoxMq { program } if matches!(topology, Topology::Single | Topology::Bare) => {
                let mut server = servers.server(FIRST_BROKER, program)?;
                server.nameserver_port = Some(nameserver_ports[0]);
                server.broker_port = Some(broker_ports[0]);
                let mut settings = broker_settings(topology, &server, broker_ports[0]);
                settings.push(("nameserver.listenPort".to_owned(), nameserver_ports[0].to_string()));
                server.arguments = as_roxmq_arguments(None, &settings);
                servers.all.push(server);
            }
            Target::RoxMq { program } => {
                for (name, port) in nameservers.iter().zip(&nameserver_ports) {
                    let mut server = servers.server(name, program)?;
                    server.nameserver_port = Some(*port);
                    let settings = nameserver_settings(*port);
                    server.arguments = as_roxmq_arguments(Some("nameserver"), &settings);
                    servers.all.push(server);
                }
                for (name, port) in brokers.iter().zip(&broker_ports) {
                    let mut server = servers.server(name, program)?;
                    server.broker_port = Some(*port);
                    let mut settings = broker_settings(topology, &server, *port);
                    settings.push(("namesrvAddr".to_owned(), addresses(&nameserver_ports)));
                    server.arguments = as_roxmq_arguments(Some("broker"), &settings);
                    servers.all.push(server);
                }
            }
            Target::Java { classpath } => {
                let java = java_program();
                for (name, port) in nameservers.iter().zip(&nameserver_ports) {
                    let mut server = servers.server(name, &java)?;
                    server.nameserver_port = Some(*port);
                    let mut settings = nameserver_settings(*port);
                    settings.push(("kvConfigPath".to_owned(), server.home.join("kvConfig.json").display().to_string()));
                    server.arguments = as_java_arguments(&server, classpath, JAVA_NAMESERVER, &settings)?;
                    servers.all.push(server);
                }
                for (name, port) in brokers.iter().zip(&broker_ports) {
                    servers.add_java_broker(topology, name, *port, &nameserver_ports, classpath)?;
                }
            }
        }
        if topology == Topology::Mixed {
            for (name, version) in JAVA_BROKERS {
                let classpath = classpath(repository, "compat/java/server", &format!("-Drocketmq.version={version}"))?;
                let port = ports::free(&[-2, 0, 1], &mut taken)?;
                servers.add_java_broker(topology, name, port, &nameserver_ports, &classpath)?;
            }
        }
        Ok(servers)
    }

    fn add_java_broker(
        &mut self,
        topology: Topology,
        name: &'static str,
        port: u16,
        nameserver_ports: &[u16],
        classpath: &str,
    ) -> Result<(), String> {
        let mut server = self.server(name, &java_program())?;
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
        self.all.push(server);
        Ok(())
    }

    fn server(&self, name: &'static str, program: &Path) -> Result<Server, String> {
        let home = self.folder.join(name);
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        Ok(Server { name, nameserver_port: None, broker_port: None, program: program.to_owned(), arguments: Vec::new(), home, child: None })
    }

    /// `127.0.0.1:port` of each NameServer, running or not.
    pub fn nameserver_addresses(&self) -> Vec<String> {
        self.all.iter().filter_map(|server| server.nameserver_port.map(address)).collect()
    }

    /// `127.0.0.1:port` of the first broker.
    pub fn first_broker_address(&self) -> String {
        self.all.iter().find_map(|server| server.broker_port).map(address).unwrap_or_default()
    }

    /// The server that a control verb means.
    pub fn find(&self, kind: &str, name: Option<&str>) -> Result<ServerIndex, String> {
        let fits = |server: &Server| match kind {
            "broker" => server.broker_port.is_some(),
            // One process for both roles is stopped and started as a broker.
            "nameserver" => server.broker_port.is_none(),
            _ => false,
        };
        self.all
            .iter()
            .position(|server| fits(server) && name.is_none_or(|name| name == server.name))
            .map(ServerIndex)
            .ok_or_else(|| format!("no {kind} {} in this run", name.unwrap_or_default()))
    }

    /// Starts all, in order.
    pub fn start_all(&mut self) -> Result<(), String> {
        for server in 0..self.all.len() {
            self.spawn(server)?;
        }
        for server in 0..self.all.len() {
            self.wait_until_ready(server)?;
        }
        Ok(())
    }

    /// Starts one and waits until clients can use it.
    pub fn start(&mut self, ServerIndex(index): ServerIndex) -> Result<(), String> {
        if self.all[index].child.is_some() {
            return Err(format!("{} runs already", self.all[index].name));
        }
        self.spawn(index)?;
        self.wait_until_ready(index)
    }

    /// Clean stop, waits for the end.
    pub fn stop(&mut self, ServerIndex(index): ServerIndex) -> Result<(), String> {
        let server = &mut self.all[index];
        let Some(child) = server.child.as_mut() else {
            return Err(format!("{} does not run", server.name));
        };
        let id = child.id();
        run_quietly(Command::new("kill").args(["-TERM", &id.to_string()]))?;
        let ended = until(STOP_TIME_MAX, || matches!(child.try_wait(), Ok(Some(_))));
        if !ended {
            // Do not leave it in the way of the next start.
            let _ = child.kill();
            let _ = child.wait();
        }
        server.child = None;
        folder::forget(&self.folder, id);
        if ended { Ok(()) } else { Err(format!("{} did not end within {} s of SIGTERM; killed", server.name, STOP_TIME_MAX.as_secs())) }
    }

    /// kill -9.
    pub fn kill(&mut self, ServerIndex(index): ServerIndex) -> Result<(), String> {
        let server = &mut self.all[index];
        let Some(mut child) = server.child.take() else {
            return Err(format!("{} does not run", server.name));
        };
        folder::forget(&self.folder, child.id());
        child.kill().and_then(|()| child.wait()).map(|_| ()).map_err(|error| format!("{}: {error}", server.name))
    }

    /// Ends all, without ceremony: their data is thrown away.
    pub fn stop_all(&mut self) {
        for index in 0..self.all.len() {
            if self.all[index].child.is_some() {
                let _ = self.kill(ServerIndex(index));
            }
        }
    }

    /// Names of servers that should run and do not.
    pub fn ended_by_themselves(&mut self) -> Vec<&'static str> {
        self.all
            .iter_mut()
            .filter_map(|server| {
                let ended = matches!(server.child.as_mut()?.try_wait(), Ok(Some(_)));
                ended.then_some(server.name)
            })
            .collect()
    }

    /// The last lines that each server printed.
    pub fn log_tails(&self) -> Vec<(&'static str, String)> {
        self.all.iter().map(|server| (server.name, log_tail(server))).collect()
    }

    /// One line per server.
    pub fn status(&mut self) -> String {
        self.all
            .iter()
            .map(|server| {
                let port = server.broker_port.or(server.nameserver_port);
                let state = if server.child.is_some() { "running" } else { "stopped" };
                format!("{} {} {state}\n", server.name, port.map(address).unwrap_or_default())
            })
            .collect()
    }

    /// What a route says of a broker. Where nobody has configured its address, Java's broker finds one.
    fn told(&self, port: u16) -> String {
        if self.topology == Topology::Bare { format!(":{port}") } else { address(port) }
    }

    fn spawn(&mut self, index: usize) -> Result<(), String> {
        let server = &mut self.all[index];
        let log =
            fs::OpenOptions::new().create(true).append(true).open(log_path(server)).map_err(|error| format!("{}: {error}", server.name))?;
        let also = log.try_clone().map_err(|error| format!("{}: {error}", server.name))?;
        let child = Command::new(&server.program)
            .args(&server.arguments)
            .current_dir(&server.home)
            .env("HOME", &server.home)
            .env("ROCKETMQ_HOME", &server.home)
            .env_remove("NAMESRV_ADDR")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            .spawn()
            .map_err(|error| format!("{}: {error}", server.program.display()))?;
        folder::note(&self.folder, child.id());
        server.child = Some(child);
        Ok(())
    }

    fn wait_until_ready(&mut self, index: usize) -> Result<(), String> {
        let deadline = Instant::now() + START_TIME_MAX;
        while !self.is_ready(index) {
            let server = &mut self.all[index];
            let ended = match server.child.as_mut() {
                Some(child) => child.try_wait().ok().flatten(),
                None => None,
            };
            if let Some(status) = ended {
                folder::forget(&self.folder, server.child.take().map_or(0, |child| child.id()));
                return Err(format!("{} ended with {status}: {}", server.name, log_tail(server)));
            }
            if Instant::now() > deadline {
                return Err(format!("{} is not ready after {} s: {}", server.name, START_TIME_MAX.as_secs(), log_tail(server)));
            }
            sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// A broker: its port answers and every living NameServer routes to it. A NameServer: it routes to every living broker.
    fn is_ready(&self, index: usize) -> bool {
        let server = &self.all[index];
        let ports = [server.nameserver_port, server.broker_port];
        if !ports.into_iter().flatten().all(probe::accepts) {
            return false;
        }
        let alive = || self.all.iter().filter(|other| other.child.is_some());
        let nameservers = alive().filter_map(|other| other.nameserver_port);
        let brokers: Vec<u16> = match server.broker_port {
            Some(port) => vec![port],
            None => alive().filter_map(|other| other.broker_port).collect(),
        };
        nameservers
            .filter(|port| server.broker_port.is_some() || server.nameserver_port == Some(*port))
            .all(|nameserver| brokers.iter().all(|broker| probe::routes_to(nameserver, &self.told(*broker))))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn nameserver_settings(port: u16) -> Vec<(String, String)> {
    vec![("listenPort".to_owned(), port.to_string())]
}

/// Everything else stays at its default, or all of it. One broker alone is registered with a NameServer that outlives it or starts with it; in a
/// cluster a NameServer that returns must hear of brokers soon, hence the shortest period Java takes.
fn broker_settings(topology: Topology, server: &Server, port: u16) -> Vec<(String, String)> {
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

fn as_java_arguments(server: &Server, classpath: &str, main: &JavaMain, settings: &[(String, String)]) -> Result<Vec<String>, String> {
    let file = server.home.join("server.properties");
    let lines: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    fs::write(&file, lines).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut arguments: Vec<String> = main.options.iter().map(|option| (*option).to_owned()).collect();
    // Java RocketMQ writes its logs below the user's home.
    arguments.push(format!("-Duser.home={}", server.home.display()));
    arguments.extend(["-cp".to_owned(), classpath.to_owned(), main.class.to_owned(), "-c".to_owned(), file.display().to_string()]);
    Ok(arguments)
}

/// The Java that servers run on.
pub fn java_program() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn addresses(ports: &[u16]) -> String {
    let all: Vec<String> = ports.iter().map(|port| address(*port)).collect();
    all.join(";")
}

fn log_path(server: &Server) -> PathBuf {
    server.home.join("output.log")
}

fn log_tail(server: &Server) -> String {
    let text = fs::read(log_path(server)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // The logging library of the Java servers reports on itself at length.
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(" |-")).collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

/// Polls until `done` or `time_max`; says whether it was done.
fn until(time_max: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time_max;
    loop {
        if done() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        sleep(POLL_INTERVAL);
    }
}

const NAMESERVERS: [&str; 2] = ["nameserver-1", "nameserver-2"];
const BROKERS: [&str; 2] = [FIRST_BROKER, "broker-b"];
/// The brokers beside the first one in a mixed cluster, and their versions: the newest, and the last of 4.x whose server Maven Central has.
const JAVA_BROKERS: [(&str, &str); 2] = [("broker-b", JAVA_VERSION), ("broker-c", "4.9.7")];
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const START_TIME_MAX: Duration = Duration::from_secs(90);
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
const LOG_TAIL_LINES: usize = 30;

/// The Java RocketMQ that is started.
pub const JAVA_VERSION: &str = "5.5.0";

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
