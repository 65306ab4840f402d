//! A NameServer and everything around it, as scripts use it.
//!
//! ```text
//! # set key=value                    a setting of the NameServer
//! # file name text                   what a file of its folder begins with after the stop
//! * 300                              300 ms pass, then silent brokers are looked for
//! ~ full                             there is no room on the disk for more bytes than are there
//! ! restart                          the NameServer is stopped and started again; every connection is a new one
//! ```
//!
//! A script in which brokers are not meant to be waited for after the start does not wait for them.

use roxmq_config::{Origin, Setting, load};
use roxmq_env::clock::Clock;
use roxmq_env::disk::SimDisk;
use roxmq_nameserver::settings::NameServerConfig;
use roxmq_nameserver::{Running, serve};
use roxmq_scripts::{Connections, Script, Step, World};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

/// Answered at once, whatever the NameServer knows.
const PROBE: &str = "219 namespace=none";
/// The folder of its files.
const FOLDER: &str = "/data/namesrv";

/// A NameServer and everything around it.
pub struct NameServer {
    /// `None` while it restarts.
    running: Option<Running>,
    config: NameServerConfig,
    disk: SimDisk,
    clock: Clock,
    clients: Connections,
}

impl World for NameServer {
    fn start(script: &Script) -> NameServer {
        let of = |key: &str, value: &str| Setting { key: key.into(), value: value.into(), origin: Origin::Argument };
        let mut settings: Vec<Setting> =
            script.noted("set").map(|line| line.split_once('=').unwrap()).map(|(key, value)| of(key, value)).collect();
        if !settings.iter().any(|setting| setting.key == "needWaitForService") {
            settings.push(of("needWaitForService", "false"));
        }
        let loaded = load::<NameServerConfig>(&settings).unwrap();
        assert_eq!(loaded.notices, []);
        let config = NameServerConfig {
            bind_address: Ipv4Addr::LOCALHOST.into(),
            listen_port: 0,
            shards: 1,
            // Silent brokers are looked for when the script says so.
            scan_interval_ms: 600_000,
            kv_config_path: Path::new(FOLDER).join("kvConfig.json"),
            config_path: Path::new(FOLDER).join("namesrv.properties"),
            ..loaded.config
        };
        let (disk, clock) = (SimDisk::new(1), Clock::manual(0));
        let running = serve(config.clone(), None, clock.clone(), disk.disk()).unwrap();
        let clients = Connections::new(running.address(), PROBE, Box::new(|_| None));
        NameServer { running: Some(running), config, disk, clock, clients }
    }

    fn step(&mut self, step: &Step) -> String {
        match (step.sign.as_str(), step.rest.as_str()) {
            ("*", ms) => {
                self.clock.advance(Duration::from_millis(ms.parse().unwrap()));
                self.running.as_ref().unwrap().look_for_silent_brokers();
            }
            ("~", "full") => self.disk.set_capacity(Some(self.disk.used())),
            ("!", "restart") => {
                // While the connections last: a broker whose connection ends before the stop is unregistered, and not waited for.
                self.running.take().unwrap().stop();
                let running = serve(self.config.clone(), None, self.clock.clone(), self.disk.disk()).unwrap();
                self.clients.restart(running.address());
                self.running = Some(running);
            }
            (sign, rest) => return self.clients.step(step).unwrap_or_else(|| panic!("no step of a script: {sign} {rest}")),
        }
        String::new()
    }

    fn end(self, script: &Script) {
        self.running.unwrap().stop();
        drop(self.clients);
        for line in script.noted("file") {
            let (file, content) = line.split_once(' ').unwrap();
            let bytes = self.disk.disk().read(&Path::new(FOLDER).join(file)).unwrap().unwrap_or_default();
            let seen = String::from_utf8(bytes).unwrap();
            assert!(seen.starts_with(content), "{file}: {seen}");
        }
    }
}
