//! Which configuration does each role of this process run with?
//!
//! ```text
//! --set, -n  >  --config FILE, else the file of changes saved at run time  >  environment  >  default
//! ```
//!
//! With NameServer and broker in one process, `nameserver.KEY` is the NameServer's and `KEY` the broker's, in the file and with `--set`.

use std::io;
use std::path::{Path, PathBuf};

use roxmq_broker::settings::BrokerConfig;
use roxmq_config::{ConfigError, Notice, Origin, Setting, Table, load, settings_of_environment, settings_of_file};
use roxmq_nameserver::settings::NameServerConfig;

use crate::args::{Roles, Start};

/// The configuration of each role that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The NameServer's, where one runs.
    pub nameserver: Option<NameServerConfig>,
    /// The broker's, where one runs.
    pub broker: Option<BrokerConfig>,
    /// Settings without effect.
    pub notices: Vec<Notice>,
}

/// A configuration that cannot be used; the process ends with [`crate::args::EXIT_USAGE`].
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is written in one of the places is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Reads a whole file as text.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Gathers the settings of the roles in `start` from the command line, the file, and the `environment`.
pub fn gather(start: &Start, environment: &[(String, String)], read: ReadFile<'_>) -> Result<Settings, SettingsError> {
    let argument = |(key, value): &(String, String)| Setting { key: key.clone(), value: value.clone(), origin: Origin::Argument };
    let arguments: Vec<Setting> = start.set.iter().map(argument).collect();
    let file = match &start.config_file {
        None => Vec::new(),
        Some(path) => {
            let text = read(path).map_err(|source| SettingsError::Unreadable { path: path.clone(), source })?;
            settings_of_file(&path.display().to_string(), &text)?
        }
    };
    let sources = Sources { start, environment, file, arguments, read };

    let mut settings = Settings { nameserver: None, broker: None, notices: Vec::new() };
    if start.roles.broker() {
        settings.broker = Some(sources.broker(&mut settings.notices)?);
    }
    if start.roles.nameserver() {
        let data = settings.broker.as_ref().map(|broker| broker.store_root.clone());
        settings.nameserver = Some(sources.nameserver(data, &mut settings.notices)?);
    }
    Ok(settings)
}

struct Sources<'a> {
    start: &'a Start,
    environment: &'a [(String, String)],
    file: Vec<Setting>,
    arguments: Vec<Setting>,
    read: ReadFile<'a>,
}

impl Sources<'_> {
    fn broker(&self, notices: &mut Vec<Notice>) -> Result<BrokerConfig, SettingsError> {
        let environment = settings_of_environment::<BrokerConfig>("", self.environment);
        let (_, file) = self.split(&self.file);
        let (_, arguments) = self.split(&self.arguments);

        let path = match &self.start.config_file {
            Some(path) => path.clone(),
            None => {
                // The saved file would be in the data folder, which the other places name.
                let without_file = load::<BrokerConfig>(&[environment.clone(), arguments.clone()].concat())?;
                without_file.config.store_root.join("config/broker.properties")
            }
        };
        let file = if self.start.config_file.is_some() { file } else { self.saved(&path)? };
        let mut loaded = load::<BrokerConfig>(&[environment, file, arguments].concat())?;
        notices.append(&mut loaded.notices);
        loaded.config.config_path = Some(path);
        Ok(loaded.config)
    }

    /// `data` is the data folder of the broker in the same process.
    fn nameserver(&self, data: Option<PathBuf>, notices: &mut Vec<Notice>) -> Result<NameServerConfig, SettingsError> {
        let defaults = NameServerConfig::default();
        let alone = self.start.roles == Roles::NameServer;
        let environment = settings_of_environment::<NameServerConfig>(if alone { "" } else { "NAMESERVER_" }, self.environment);
        let (file, _) = self.split(&self.file);
        let (arguments, _) = self.split(&self.arguments);

        let folder = data.unwrap_or_else(|| BrokerConfig::default().store_root).join("namesrv");
        let path = match &self.start.config_file {
            Some(path) if alone => path.clone(),
            _ => {
                let without_file = load::<NameServerConfig>(&[environment.clone(), file.clone(), arguments.clone()].concat())?;
                moved(without_file.config.config_path, &defaults.config_path, &folder)
            }
        };
        let saved = if alone && self.start.config_file.is_some() { Vec::new() } else { self.saved(&path)? };
        let mut loaded = load::<NameServerConfig>(&[environment, saved, file, arguments].concat())?;
        notices.append(&mut loaded.notices);
        loaded.config.config_path = path;
        loaded.config.kv_config_path = moved(loaded.config.kv_config_path, &defaults.kv_config_path, &folder);
        Ok(loaded.config)
    }

    /// The NameServer's settings, without the prefix they have beside a broker's, and the broker's.
    fn split(&self, settings: &[Setting]) -> (Vec<Setting>, Vec<Setting>) {
        match self.start.roles {
            Roles::NameServer => (settings.to_vec(), Vec::new()),
            Roles::Broker => (Vec::new(), settings.to_vec()),
            Roles::All => {
                let prefix = format!("{}.", NameServerConfig::ROLE);
                let bare = |setting: &Setting| {
                    let key = setting.key.strip_prefix(&prefix)?.to_owned();
                    Some(Setting { key, ..setting.clone() })
                };
                let brokers = settings.iter().filter(|setting| bare(setting).is_none()).cloned().collect();
                (settings.iter().filter_map(bare).collect(), brokers)
            }
        }
    }

    /// Settings that were changed at run time, where the user gave no file.
    fn saved(&self, path: &Path) -> Result<Vec<Setting>, SettingsError> {
        match (self.read)(path) {
            Ok(text) => Ok(settings_of_file(&path.display().to_string(), &text)?),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
            Err(source) => Err(SettingsError::Unreadable { path: path.to_owned(), source }),
        }
    }
}

/// `path`, or the file of the same name in `folder` if `path` is the default.
fn moved(path: PathBuf, default: &Path, folder: &Path) -> PathBuf {
    match path.file_name() {
        Some(name) if path == default => folder.join(name),
        _ => path,
    }
}

/// Lets a broker register with the NameServer of its own process too, unless its settings name that one already.
pub fn register_with_own(broker: &mut BrokerConfig, nameserver_port: u16) {
    let own = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{nameserver_port}"));
    if !broker.namesrv_addr.iter().any(|address| own.contains(address)) {
        let [loopback, ..] = own;
        broker.namesrv_addr.push(loopback);
    }
}

/// The configuration as a file: with it the same roles run the same way.
pub fn print(settings: &Settings) -> String {
    let mut text = settings.broker.as_ref().map(BrokerConfig::to_properties).unwrap_or_default();
    if let Some(nameserver) = &settings.nameserver {
        let prefix = if settings.broker.is_some() { "nameserver." } else { "" };
        for line in nameserver.to_properties().lines() {
            text.push_str(prefix);
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse};

    /// The settings for a command line, environment variables `A=b` and files with their texts.
    fn gathered(line: &str, environment: &[&str], files: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let Ok(Command::Serve(start) | Command::PrintConfig(start)) = parse(line.split(' ').map(Into::into)) else {
            panic!("{line}");
        };
        let variable = |text: &&str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment: Vec<_> = environment.iter().filter_map(variable).collect();
        gather(&start, &environment, &|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned()).ok_or(io::ErrorKind::NotFound.into())
        })
    }

    #[test]
    fn arguments_win_over_the_file_and_that_over_the_environment() {
        let environment = ["ROXMQ_BROKER_NAME=env", "ROXMQ_REGION_ID=env", "NAMESRV_ADDR=env:1", "ROXMQ_LISTEN_PORT=11111"];
        let files = [("b.conf", "brokerName=file\nregionId=file\nnamesrvAddr=file:1")];
        let broker = gathered("roxmq broker -c b.conf --set brokerName=set", &environment, &files).unwrap().broker.unwrap();
        assert_eq!([broker.broker_name.as_str(), &broker.region_id, &broker.namesrv_addr[0]], ["set", "file", "file:1"]);
        assert_eq!((broker.listen_port, broker.config_path), (11_111, Some("b.conf".into())));
    }

    #[test]
    fn one_process_has_two_configurations() {
        let files = [("all.conf", "listenPort=1000\nnameserver.listenPort=2000\nnameserver.orderMessageEnable=true\nnameserver.x=1")];
        let environment = ["ROXMQ_NAMESERVER_SHARDS=3"];
        let settings =
            gathered("roxmq -c all.conf --set nameserver.listenPort=3000 --set storePathRootDir=/d", &environment, &files).unwrap();
        let (broker, nameserver) = (settings.broker.unwrap(), settings.nameserver.unwrap());
        assert_eq!((broker.listen_port, nameserver.listen_port), (1_000, 3_000));
        assert_eq!((broker.shards, nameserver.shards, nameserver.order_message), (0, 3, true));
        assert_eq!(nameserver.kv_config_path, Path::new("/d/namesrv/kvConfig.json"));
        assert_eq!(nameserver.config_path, Path::new("/d/namesrv/namesrv.properties"));
        let notices: Vec<String> = settings.notices.iter().map(Notice::to_string).collect();
        assert_eq!(notices, ["unknown key x (all.conf, line 4)"]);
    }

    #[test]
    fn without_a_file_the_saved_changes_are_read() {
        let files = [("/d/config/broker.properties", "fileReservedTime=5"), ("/d/namesrv/namesrv.properties", "orderMessageEnable=true")];
        let settings = gathered("roxmq --set storePathRootDir=/d", &[], &files).unwrap();
        assert_eq!(settings.broker.as_ref().unwrap().file_reserved_h, 5);
        assert!(settings.nameserver.unwrap().order_message);
        let files = [("b.conf", ""), ("/d/config/broker.properties", "fileReservedTime=5")];
        let broker = gathered("roxmq broker -c b.conf --set storePathRootDir=/d", &[], &files).unwrap().broker.unwrap();
        assert_eq!(broker.file_reserved_h, 72);
    }

    #[test]
    fn a_printed_configuration_starts_the_same() {
        for (line, again) in [
            ("roxmq config --set listenPort=12000 --set nameserver.listenPort=13000", "roxmq -c f"),
            ("roxmq config broker --set brokerIP1=10.0.0.1", "roxmq broker -c f"),
            ("roxmq config nameserver --set listenPort=13000", "roxmq nameserver -c f"),
        ] {
            let first = gathered(line, &[], &[]).unwrap();
            let mut second = gathered(again, &[], &[("f", &print(&first))]).unwrap();
            assert_eq!(second.notices, []);
            if let (Some(broker), Some(before)) = (&mut second.broker, &first.broker) {
                broker.config_path = before.config_path.clone();
            }
            if let (Some(nameserver), Some(before)) = (&mut second.nameserver, &first.nameserver) {
                nameserver.config_path = before.config_path.clone();
            }
            assert_eq!(second, first, "{line}");
        }
    }

    #[test]
    fn says_which_file_is_missing() {
        let error = gathered("roxmq -c none.conf", &[], &[]).unwrap_err();
        assert_eq!(error.to_string(), "cannot read none.conf: entity not found");
    }

    #[test]
    fn a_broker_registers_with_its_own_nameserver_once() {
        for (given, expected) in
            [("", "127.0.0.1:9876"), ("localhost:9876", "localhost:9876"), ("127.0.0.1:9877", "127.0.0.1:9877;127.0.0.1:9876")]
        {
            let namesrv_addr = given.split(';').filter(|address| !address.is_empty()).map(str::to_owned).collect();
            let mut broker = BrokerConfig { namesrv_addr, ..BrokerConfig::default() };
            register_with_own(&mut broker, 9_876);
            assert_eq!(broker.namesrv_addr.join(";"), expected);
        }
    }
}
