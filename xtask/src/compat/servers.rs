//! How are the servers of a run started, stopped and known to be ready?

use super::plan::{self, Launch, Target, address};
use super::probe;
use super::suites::Topology;
use crate::rig::command::run;
use crate::rig::folder::{self, Folder};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// All servers of a run; the first ones are NameServers.
pub struct Servers {
    all: Vec<Server>,
    folder: PathBuf,
    topology: Topology,
}

/// One process.
struct Server {
    launch: Launch,
    child: Option<Child>,
}

/// Position of a server in [`Servers`].
#[derive(Clone, Copy)]
pub struct ServerIndex(usize);

impl Servers {
    /// Those that a suite wants. Chooses ports and writes configuration; starts nothing.
    pub fn plan(target: &Target, topology: Topology, folder: &Folder) -> Result<Servers, String> {
        let launches = plan::plan(target, topology, folder.path())?;
        let all = launches.into_iter().map(|launch| Server { launch, child: None }).collect();
        Ok(Servers { all, folder: folder.path().to_owned(), topology })
    }

    /// `127.0.0.1:port` of each NameServer, running or not.
    pub fn nameserver_addresses(&self) -> Vec<String> {
        self.all.iter().filter_map(|server| server.launch.nameserver_port.map(address)).collect()
    }

    /// `127.0.0.1:port` of the first broker.
    pub fn first_broker_address(&self) -> String {
        self.all.iter().find_map(|server| server.launch.broker_port).map(address).unwrap_or_default()
    }

    /// The server that a control verb means.
    pub fn find(&self, kind: &str, name: Option<&str>) -> Result<ServerIndex, String> {
        let fits = |server: &Server| match kind {
            "broker" => server.launch.broker_port.is_some(),
            // One process for both roles is stopped and started as a broker.
            "nameserver" => server.launch.broker_port.is_none(),
            _ => false,
        };
        self.all
            .iter()
            .position(|server| fits(server) && name.is_none_or(|name| name == server.launch.name))
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
            return Err(format!("{} runs already", self.all[index].launch.name));
        }
        self.spawn(index)?;
        self.wait_until_ready(index)
    }

    /// Clean stop, waits for the end.
    pub fn stop(&mut self, ServerIndex(index): ServerIndex) -> Result<(), String> {
        let server = &mut self.all[index];
        let Some(child) = server.child.as_mut() else {
            return Err(format!("{} does not run", server.launch.name));
        };
        let id = child.id();
        run(Command::new("kill").args(["-TERM", &id.to_string()]))?;
        let ended = until(STOP_TIME_MAX, || matches!(child.try_wait(), Ok(Some(_))));
        if !ended {
            // Do not leave it in the way of the next start.
            let _ = child.kill();
            let _ = child.wait();
        }
        server.child = None;
        folder::forget(&self.folder, id);
        if ended {
            Ok(())
        } else {
            Err(format!("{} did not end within {} s of SIGTERM; killed", server.launch.name, STOP_TIME_MAX.as_secs()))
        }
    }

    /// kill -9.
    pub fn kill(&mut self, ServerIndex(index): ServerIndex) -> Result<(), String> {
        let server = &mut self.all[index];
        let Some(mut child) = server.child.take() else {
            return Err(format!("{} does not run", server.launch.name));
        };
        folder::forget(&self.folder, child.id());
        child.kill().and_then(|()| child.wait()).map(|_| ()).map_err(|error| format!("{}: {error}", server.launch.name))
    }

    /// Kills all: their data is thrown away.
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
                ended.then_some(server.launch.name)
            })
            .collect()
    }

    /// The last lines that each server printed.
    pub fn log_tails(&self) -> Vec<(&'static str, String)> {
        self.all.iter().map(|server| (server.launch.name, server.log_tail())).collect()
    }

    /// One line per server.
    pub fn status(&mut self) -> String {
        self.all
            .iter()
            .map(|server| {
                let port = server.launch.broker_port.or(server.launch.nameserver_port);
                let state = if server.child.is_some() { "running" } else { "stopped" };
                format!("{} {} {state}\n", server.launch.name, port.map(address).unwrap_or_default())
            })
            .collect()
    }

    /// What a route says of a broker. Where its address is not configured, Java's broker finds one.
    fn route_address(&self, port: u16) -> String {
        if self.topology == Topology::Bare { format!(":{port}") } else { address(port) }
    }

    fn spawn(&mut self, index: usize) -> Result<(), String> {
        let server = &mut self.all[index];
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(server.log_path())
            .map_err(|error| format!("{}: {error}", server.launch.name))?;
        let also = log.try_clone().map_err(|error| format!("{}: {error}", server.launch.name))?;
        let child = Command::new(&server.launch.program)
            .args(&server.launch.arguments)
            .current_dir(&server.launch.home)
            .env("HOME", &server.launch.home)
            .env("ROCKETMQ_HOME", &server.launch.home)
            .env_remove("NAMESRV_ADDR")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also)
            .spawn()
            .map_err(|error| format!("{}: {error}", server.launch.program.display()))?;
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
                return Err(format!("{} ended with {status}: {}", server.launch.name, server.log_tail()));
            }
            if Instant::now() > deadline {
                return Err(format!("{} is not ready after {} s: {}", server.launch.name, START_TIME_MAX.as_secs(), server.log_tail()));
            }
            sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// A broker: its port answers and every living NameServer routes to it. A NameServer: it routes to every living broker.
    fn is_ready(&self, index: usize) -> bool {
        let server = &self.all[index];
        let ports = [server.launch.nameserver_port, server.launch.broker_port];
        if !ports.into_iter().flatten().all(probe::accepts) {
            return false;
        }
        let alive = || self.all.iter().filter(|other| other.child.is_some());
        let nameservers = alive().filter_map(|other| other.launch.nameserver_port);
        let brokers: Vec<u16> = match server.launch.broker_port {
            Some(port) => vec![port],
            None => alive().filter_map(|other| other.launch.broker_port).collect(),
        };
        nameservers
            .filter(|port| server.launch.broker_port.is_some() || server.launch.nameserver_port == Some(*port))
            .all(|nameserver| brokers.iter().all(|broker| probe::routes_to(nameserver, &self.route_address(*broker))))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop_all();
    }
}

impl Server {
    fn log_path(&self) -> PathBuf {
        self.launch.home.join("output.log")
    }

    /// The last lines that it printed.
    fn log_tail(&self) -> String {
        let text = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // The logging library of the Java servers reports on itself at length.
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains(" |-")).collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
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

const POLL_INTERVAL: Duration = Duration::from_millis(20);
const START_TIME_MAX: Duration = Duration::from_secs(90);
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
const LOG_TAIL_LINES: usize = 30;
