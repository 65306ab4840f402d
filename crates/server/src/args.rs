//! What does the command line ask for?
//!
//! `roxmq [nameserver|broker] [flags]`, `roxmq config [nameserver|broker] [flags]`, `roxmq verify|repair DIR` and `roxmq bench ...`. RocketMQ's own short flags
//! `-c`, `-n`, `-p` and `-m` mean what they mean to `mqnamesrv` and `mqbroker`, and a link with such a name to the binary is that role.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run one role or all of them.
    Serve(Start),
    /// Print the configuration with which the roles would run.
    PrintConfig(Start),
    /// Measure: the arguments are the bench's.
    Bench(Vec<OsString>),
    /// Look through a data folder.
    Verify(Look),
    /// Make anew what is derived in a data folder, and cut its log at an offset if one is given.
    Repair(Look, Option<i64>),
    /// Print how the program is used.
    Help,
    /// Print the version.
    Version,
}

/// Which data folder to look at, and how to tell about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The data folder.
    pub folder: PathBuf,
    /// Where the log is, if not in the folder's `commitlog`.
    pub commit_log: Option<PathBuf>,
    /// Tell in JSON?
    pub json: bool,
}

/// Which roles to run, and what the command line says about their configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// What runs in this process.
    pub roles: Roles,
    /// The file given with `--config`.
    pub config_file: Option<PathBuf>,
    /// The `key=value` pairs of `--set` and `-n`, in order.
    pub set: Vec<(String, String)>,
}

/// What runs in one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roles {
    /// NameServer and broker.
    #[default]
    All,
    /// The NameServer alone.
    NameServer,
    /// The broker alone.
    Broker,
}

impl Roles {
    /// Whether a NameServer is among them.
    pub fn nameserver(self) -> bool {
        self != Roles::Broker
    }

    /// Whether a broker is among them.
    pub fn broker(self) -> bool {
        self != Roles::NameServer
    }
}

/// A command line that makes no sense; the process ends with [`EXIT_USAGE`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// The first word is no command.
    #[error("unknown command {0}; there are: nameserver, broker, config, verify, repair, bench")]
    UnknownCommand(String),
    /// A flag that does not exist.
    #[error("unknown flag {0}; see roxmq --help")]
    UnknownFlag(String),
    /// A word where a flag should be.
    #[error("unexpected {0}; settings are written --set key=value")]
    Unexpected(String),
    /// A flag without its value.
    #[error("{0} needs {1}")]
    NoValue(&'static str, &'static str),
    /// A value given to a flag that takes none.
    #[error("{0} takes no value")]
    ValueNotWanted(&'static str),
    /// `--set` with something that is no pair.
    #[error("--set {0}: it must be key=value")]
    NotAPair(String),
    /// A flag given twice that can be given once.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A NameServer was told to which NameServers it should register.
    #[error("-n says where a broker registers, and there is no broker")]
    NoBroker,
    /// `verify` or `repair` without a folder, or with several.
    #[error("{0} needs one data folder")]
    OneFolder(&'static str),
    /// A log offset that is no number.
    #[error("--truncate-at {0}: it must be a log offset, a number of bytes")]
    NotAnOffset(String),
    /// Something Java's launchers know and RoxMQ does not serve.
    #[error("{0} is not served")]
    NotServed(&'static str),
}

/// The exit status of a command line or configuration that cannot be used.
pub const EXIT_USAGE: u8 = 2;

/// How the program is used.
pub const HELP: &str = "\
RoxMQ, a message broker that speaks Apache RocketMQ's protocol.

Usage: roxmq [COMMAND] [FLAGS]

Commands
  (none)        run NameServer and broker in one process
  nameserver    run a NameServer
  broker        run a broker
  config        print the configuration that would be used, as a file that could be used
                (config nameserver, config broker: that role's alone)
  verify DIR    look through the data folder DIR of a stopped broker, and change nothing; the exit code is
                0 if all is sound, 1 if something is damaged, 2 if the folder cannot be looked at
  repair DIR    make anew the index and the checkpoint in DIR from the log; the log is left alone
  bench         measure sends, pulls, transactions and timers; see roxmq bench --help

Flags
  -c, --config FILE    read settings from FILE, in RocketMQ's properties format
      --set KEY=VALUE  set one key; may be repeated, wins over the file.
                       With NameServer and broker in one process, nameserver.KEY is the NameServer's.
  -n ADDR;ADDR         the NameServers of a broker, as --set namesrvAddr=...
  -p                   print the configuration that would be used, and stop
  -h, --help           print this
  -V, --version        print the version

Flags of verify and repair
      --json               tell in JSON
      --commit-log DIR     where the log is, if storePathCommitLog says so
      --truncate-at OFFSET repair only: cut the log there; everything behind is thrown away

Environment
  NAMESRV_ADDR         the NameServers of a broker
  ROXMQ_<KEY>          any key, such as ROXMQ_LISTEN_PORT

A value is taken from --set, else from the file, else from the environment, else it is the default. All keys: docs/config.md
";

/// Reads the command line, the program's own name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, ArgumentError> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().map(PathBuf::from).unwrap_or_default();
    let mut words = Words { rest: arguments.collect::<Vec<_>>().into_iter() };

    let mut roles = match program.file_name().and_then(|name| name.to_str()) {
        Some("mqnamesrv") => Some(Roles::NameServer),
        Some("mqbroker") => Some(Roles::Broker),
        _ => None,
    };
    let mut print_only = false;
    while let Some(word) = words.peek_command() {
        match word.as_str() {
            "bench" if roles.is_none() && !print_only => {
                words.rest.next();
                return Ok(Command::Bench(words.rest.collect()));
            }
            "verify" if roles.is_none() && !print_only => {
                words.rest.next();
                return words.look("verify").map(|(look, _)| look).map(|look| look.map_or(Command::Help, Command::Verify));
            }
            "repair" if roles.is_none() && !print_only => {
                words.rest.next();
                let (look, truncate_at) = words.look("repair")?;
                return Ok(look.map_or(Command::Help, |look| Command::Repair(look, truncate_at)));
            }
            "config" if roles.is_none() && !print_only => print_only = true,
            "nameserver" if roles.is_none() => roles = Some(Roles::NameServer),
            "broker" if roles.is_none() => roles = Some(Roles::Broker),
            _ if roles.is_none() && !print_only => return Err(ArgumentError::UnknownCommand(word)),
            _ => return Err(ArgumentError::Unexpected(word)),
        }
        words.rest.next();
    }

    let mut start = Start { roles: roles.unwrap_or_default(), ..Start::default() };
    while let Some((flag, mut value)) = words.flag()? {
        match flag.as_str() {
            "-h" | "--help" => return none(value, "--help").map(|()| Command::Help),
            "-V" | "--version" => return none(value, "--version").map(|()| Command::Version),
            "-p" | "-m" | "--printConfigItem" | "--printImportantConfig" => {
                none(value, "-p")?;
                print_only = true;
            }
            "-c" | "--config" | "--configFile" => {
                let file = value.take().or_else(|| words.rest.next()).ok_or(ArgumentError::NoValue("--config", "a file"))?;
                if start.config_file.replace(file.into()).is_some() {
                    return Err(ArgumentError::Twice("--config"));
                }
            }
            "-n" | "--namesrvAddr" => {
                let addresses = words.text(value, "-n", "an address list")?;
                if !start.roles.broker() {
                    return Err(ArgumentError::NoBroker);
                }
                start.set.push(("namesrvAddr".into(), addresses));
            }
            "--set" => {
                let pair = words.text(value, "--set", "key=value")?;
                let split = pair.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
                start.set.push(split.filter(|(key, _)| !key.is_empty()).ok_or(ArgumentError::NotAPair(pair))?);
            }
            "--enable-proxy" | "--enableProxy" | "-pc" => return Err(ArgumentError::NotServed("the gRPC proxy")),
            _ => return Err(ArgumentError::UnknownFlag(flag)),
        }
    }
    Ok(if print_only { Command::PrintConfig(start) } else { Command::Serve(start) })
}

fn none(value: Option<OsString>, flag: &'static str) -> Result<(), ArgumentError> {
    value.map_or(Ok(()), |_| Err(ArgumentError::ValueNotWanted(flag)))
}

/// The words of the command line that are not read yet.
struct Words {
    rest: std::vec::IntoIter<OsString>,
}

impl Words {
    /// The next word if it is no flag.
    fn peek_command(&self) -> Option<String> {
        let word = self.rest.as_slice().first()?.to_string_lossy();
        (!word.starts_with('-')).then(|| word.into_owned())
    }

    /// The next flag, with its value where it is written `--flag=value`.
    fn flag(&mut self) -> Result<Option<(String, Option<OsString>)>, ArgumentError> {
        let Some(word) = self.rest.next() else { return Ok(None) };
        let text = word.to_string_lossy().into_owned();
        match text.split_once('=') {
            _ if !text.starts_with('-') => Err(ArgumentError::Unexpected(text)),
            Some((flag, value)) if flag.starts_with("--") => Ok(Some((flag.to_owned(), Some(value.into())))),
            _ => Ok(Some((text, None))),
        }
    }

    /// What `verify` and `repair` are told, and where to cut; no folder where help is asked for.
    fn look(&mut self, command: &'static str) -> Result<(Option<Look>, Option<i64>), ArgumentError> {
        let (mut look, mut truncate_at) = (Look::default(), None);
        loop {
            if let Some(folder) = self.peek_command() {
                if !look.folder.as_os_str().is_empty() {
                    return Err(ArgumentError::Unexpected(folder));
                }
                look.folder = self.rest.next().unwrap_or_default().into();
                continue;
            }
            let Some((flag, value)) = self.flag()? else { break };
            match flag.as_str() {
                "-h" | "--help" => return none(value, "--help").map(|()| (None, None)),
                "--json" => {
                    none(value, "--json")?;
                    look.json = true;
                }
                "--commit-log" => {
                    let folder = value.or_else(|| self.rest.next()).ok_or(ArgumentError::NoValue("--commit-log", "a folder"))?;
                    look.commit_log = Some(folder.into());
                }
                "--truncate-at" if command == "repair" => {
                    let text = self.text(value, "--truncate-at", "a log offset")?;
                    truncate_at = Some(text.parse().ok().filter(|at| *at >= 0).ok_or(ArgumentError::NotAnOffset(text))?);
                }
                _ => return Err(ArgumentError::UnknownFlag(flag)),
            }
        }
        match look.folder.as_os_str().is_empty() {
            true => Err(ArgumentError::OneFolder(command)),
            false => Ok((Some(look), truncate_at)),
        }
    }

    /// The value of a flag as text.
    fn text(&mut self, value: Option<OsString>, flag: &'static str, what: &'static str) -> Result<String, ArgumentError> {
        let value = value.or_else(|| self.rest.next()).ok_or(ArgumentError::NoValue(flag, what))?;
        Ok(value.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, ArgumentError> {
        parse(line.split(' ').map(OsString::from))
    }

    fn start(roles: Roles, config_file: Option<&str>, set: &[(&str, &str)]) -> Start {
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Start { roles, config_file: config_file.map(PathBuf::from), set }
    }

    #[test]
    fn reads_roles_and_flags() {
        use Command::{Bench, Help, PrintConfig, Repair, Serve, Verify, Version};
        let look = |json| Look { folder: "d".into(), commit_log: None, json };
        for (line, expected) in [
            ("roxmq", Serve(start(Roles::All, None, &[]))),
            ("roxmq nameserver", Serve(start(Roles::NameServer, None, &[]))),
            (
                "roxmq broker -c b.conf -n n1:9876;n2:9876",
                Serve(start(Roles::Broker, Some("b.conf"), &[("namesrvAddr", "n1:9876;n2:9876")])),
            ),
            (
                "roxmq --set listenPort=1 --set=nameserver.listenPort=2",
                Serve(start(Roles::All, None, &[("listenPort", "1"), ("nameserver.listenPort", "2")])),
            ),
            ("roxmq --set brokerName= --config=f", Serve(start(Roles::All, Some("f"), &[("brokerName", "")]))),
            ("roxmq --set a=b=c", Serve(start(Roles::All, None, &[("a", "b=c")]))),
            ("roxmq broker -p", PrintConfig(start(Roles::Broker, None, &[]))),
            ("roxmq config", PrintConfig(start(Roles::All, None, &[]))),
            ("roxmq config broker -c f", PrintConfig(start(Roles::Broker, Some("f"), &[]))),
            ("/opt/bin/mqbroker -m", PrintConfig(start(Roles::Broker, None, &[]))),
            ("mqnamesrv -c f", Serve(start(Roles::NameServer, Some("f"), &[]))),
            ("roxmq bench send --body 1024 -n x", Bench(["send", "--body", "1024", "-n", "x"].map(OsString::from).to_vec())),
            ("roxmq verify d", Verify(look(false))),
            ("roxmq verify --json d", Verify(look(true))),
            ("roxmq verify --commit-log l d", Verify(Look { commit_log: Some("l".into()), ..look(false) })),
            ("roxmq repair d --truncate-at=12", Repair(look(false), Some(12))),
            ("roxmq repair d", Repair(look(false), None)),
            ("roxmq verify --help", Help),
            ("roxmq --help", Help),
            ("roxmq broker -h", Help),
            ("roxmq -V", Version),
        ] {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn says_what_makes_no_sense() {
        for (line, expected) in [
            ("roxmq namesrv", "unknown command namesrv; there are: nameserver, broker, config, verify, repair, bench"),
            ("roxmq verify", "verify needs one data folder"),
            ("roxmq verify a b", "unexpected b; settings are written --set key=value"),
            ("roxmq verify d --truncate-at 5", "unknown flag --truncate-at; see roxmq --help"),
            ("roxmq repair d --truncate-at x", "--truncate-at x: it must be a log offset, a number of bytes"),
            ("roxmq broker nameserver", "unexpected nameserver; settings are written --set key=value"),
            ("roxmq broker listenPort=1", "unexpected listenPort=1; settings are written --set key=value"),
            ("roxmq --port 1", "unknown flag --port; see roxmq --help"),
            ("roxmq -c", "--config needs a file"),
            ("roxmq -c a -c b", "--config is given twice"),
            ("roxmq --set listenPort", "--set listenPort: it must be key=value"),
            ("roxmq --set =1", "--set =1: it must be key=value"),
            ("roxmq --help=1", "--help takes no value"),
            ("roxmq nameserver -n a:1", "-n says where a broker registers, and there is no broker"),
            ("roxmq broker --enable-proxy", "the gRPC proxy is not served"),
        ] {
            assert_eq!(read(line).map_err(|error| error.to_string()), Err(expected.to_owned()), "{line}");
        }
    }
}
