//! What does the command line ask for?
//!
//! RocketMQ's own short flags `-c`, `-n`, `-p` and `-m` mean what they mean to `mqnamesrv` and `mqbroker`, and a link with such a name to
//! the binary is that role.

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use roxmq_bench::BenchArgs;
use std::ffi::OsString;
use std::path::PathBuf;

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run one role or all of them.
    Serve(Start),
    /// Print the configuration with which the roles would run.
    PrintConfig(Start),
    /// Measure.
    Bench(BenchArgs),
    /// Check a data folder.
    Verify(Check),
    /// Rebuild what is derived in a data folder, and cut its log at an offset if one is given.
    Repair(Check, Option<i64>),
    /// Print a script that completes command lines in a shell.
    Completions(Shell),
}

/// Which roles to run, and what the command line says about their configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// What runs in this process.
    pub roles: Roles,
    /// The file given with `--config`.
    pub config_file: Option<PathBuf>,
    /// The `key=value` pairs of `--set`, in order, and then that of `-n`.
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

/// Which data folder to check, and how to report.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The data folder of a stopped broker
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Where the log is, if storePathCommitLog says so
    #[arg(long, value_name = "DIR")]
    pub commit_log: Option<PathBuf>,
    /// Report in JSON
    #[arg(long)]
    pub json: bool,
}

/// Reads the command line, the program's own name first.
///
/// # Errors
/// When it makes no sense, and when it asks for help or the version: [`clap::Error::exit_code`] tells them apart.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let line = Line::try_parse_from(as_written_here(arguments))?;
    let (roles, mut flags, print_only) = match line.command {
        None => (Roles::All, line.flags, false),
        Some(Word::Nameserver(flags)) => (Roles::NameServer, Flags { own: flags, nameservers: None }, false),
        Some(Word::Broker(flags)) => (Roles::Broker, flags, false),
        Some(Word::Config { role, flags }) => (role.map_or(Roles::All, RoleWord::roles), flags, true),
        Some(Word::Verify(check)) => return Ok(Command::Verify(check)),
        Some(Word::Repair { check, truncate_at }) => return Ok(Command::Repair(check, truncate_at)),
        Some(Word::Bench(bench)) => return Ok(Command::Bench(bench)),
        Some(Word::Completions { shell }) => return Ok(Command::Completions(shell)),
    };
    if flags.own.proxy.is_some() {
        return Err(Line::command().error(ErrorKind::InvalidValue, "the gRPC proxy is not served"));
    }
    if let Some(nameservers) = flags.nameservers {
        if !roles.broker() {
            let what = "-n says where a broker registers, and there is no broker";
            return Err(Line::command().error(ErrorKind::ArgumentConflict, what));
        }
        flags.own.set.push(("namesrvAddr".into(), nameservers));
    }
    let start = Start { roles, config_file: flags.own.config, set: flags.own.set };
    Ok(if print_only || flags.own.print { Command::PrintConfig(start) } else { Command::Serve(start) })
}

/// The script that completes command lines in `shell`.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "roxmq", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The words as [`Line`] has them: a role in the program's name is a word of its own, and Java's `-pc` is one flag, not two.
fn as_written_here(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = arguments.into_iter().map(|word| if word == "-pc" { "--enable-proxy".into() } else { word }).collect();
    let program = words.first().map(PathBuf::from).unwrap_or_default();
    match program.file_name().and_then(|name| name.to_str()) {
        Some("mqnamesrv") => words.insert(1, "nameserver".into()),
        Some("mqbroker") => words.insert(1, "broker".into()),
        _ => {}
    }
    words
}

/// RoxMQ, a message broker that speaks Apache RocketMQ's protocol.
///
/// Without a command, NameServer and broker run in one process.
#[derive(Parser)]
#[command(name = "roxmq", version, propagate_version = true, args_conflicts_with_subcommands = true, after_help = PLACES)]
struct Line {
    #[command(subcommand)]
    command: Option<Word>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Word {
    /// Run a NameServer
    #[command(after_help = PLACES)]
    Nameserver(OwnFlags),
    /// Run a broker
    #[command(after_help = PLACES)]
    Broker(Flags),
    /// Print the configuration that would be used, as a file that could be used
    #[command(after_help = PLACES)]
    Config {
        /// Print that of this role alone
        #[arg(value_name = "ROLE")]
        role: Option<RoleWord>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Check the data folder of a stopped broker, and change nothing
    ///
    /// The exit code is 0 if all is sound, 1 if something is damaged, 2 if the folder cannot be read.
    Verify(Check),
    /// Rebuild the index and the checkpoint of a data folder from its log
    Repair {
        #[command(flatten)]
        check: Check,
        /// Cut the log there: everything behind is thrown away. Without it the log is left alone
        #[arg(long, value_name = "OFFSET", value_parser = log_offset)]
        truncate_at: Option<i64>,
    },
    Bench(BenchArgs),
    /// Print a script that completes command lines in a shell
    ///
    /// For bash: roxmq completions bash > ~/.local/share/bash-completion/completions/roxmq
    Completions {
        shell: Shell,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleWord {
    Nameserver,
    Broker,
}

impl RoleWord {
    fn roles(self) -> Roles {
        match self {
            RoleWord::Nameserver => Roles::NameServer,
            RoleWord::Broker => Roles::Broker,
        }
    }
}

/// The flags of a process that has a broker.
#[derive(Args)]
struct Flags {
    #[command(flatten)]
    own: OwnFlags,
    /// The NameServers of a broker; the same as --set namesrvAddr=..., and wins over it
    #[arg(short = 'n', long = "namesrvAddr", value_name = "ADDR;ADDR", overrides_with = "nameservers")]
    nameservers: Option<String>,
}

/// The flags of every role.
#[derive(Args)]
struct OwnFlags {
    /// Read settings from FILE, in RocketMQ's properties format
    #[arg(short, long, alias = "configFile", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key; may be repeated, and wins over the file
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Print the configuration that would be used, and stop
    #[arg(short, short_alias = 'm', long = "printConfigItem", alias = "printImportantConfig", overrides_with = "print")]
    print: bool,
    #[arg(long = "enable-proxy", alias = "enableProxy", num_args = 0..=1, default_missing_value = "", hide = true)]
    proxy: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    let key = key.trim();
    if key.is_empty() { Err("it must be KEY=VALUE") } else { Ok((key.to_owned(), value.to_owned())) }
}

fn log_offset(text: &str) -> Result<i64, &'static str> {
    text.parse().ok().filter(|at| *at >= 0).ok_or("it must be a log offset, a number of bytes")
}

/// The exit status of a command line, a configuration or a folder that cannot be used.
pub const EXIT_USAGE: u8 = 2;

const PLACES: &str = "\
Environment:
  NAMESRV_ADDR  The NameServers of a broker
  ROXMQ_<KEY>   Any key, such as ROXMQ_LISTEN_PORT

A value is taken from --set, else from the file, else from the environment, else it is the default.
With NameServer and broker in one process, nameserver.KEY is the NameServer's. All keys: docs/config.md";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, String> {
        let refusal = |error: clap::Error| match error.exit_code() {
            0 => format!("{:?}", error.kind()),
            2 => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            code => panic!("{line}: {code}"),
        };
        parse(line.split(' ').map(OsString::from)).map_err(refusal)
    }

    fn start(roles: Roles, config_file: Option<&str>, set: &[(&str, &str)]) -> Start {
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Start { roles, config_file: config_file.map(PathBuf::from), set }
    }

    #[test]
    fn the_declaration_makes_sense() {
        Line::command().debug_assert();
    }

    #[test]
    fn reads_roles_and_flags() {
        use Command::{Bench, PrintConfig, Repair, Serve, Verify};
        let check = |json| Check { folder: "d".into(), commit_log: None, json };
        for (line, expected) in [
            ("roxmq", Serve(start(Roles::All, None, &[]))),
            ("roxmq nameserver", Serve(start(Roles::NameServer, None, &[]))),
            (
                "roxmq broker -c b.conf -n n1:9876;n2:9876",
                Serve(start(Roles::Broker, Some("b.conf"), &[("namesrvAddr", "n1:9876;n2:9876")])),
            ),
            ("roxmq -n a:1 -n b:1", Serve(start(Roles::All, None, &[("namesrvAddr", "b:1")]))),
            (
                "roxmq --set listenPort=1 --set=nameserver.listenPort=2",
                Serve(start(Roles::All, None, &[("listenPort", "1"), ("nameserver.listenPort", "2")])),
            ),
            ("roxmq --set brokerName= --config=f", Serve(start(Roles::All, Some("f"), &[("brokerName", "")]))),
            ("roxmq --set a=b=c --configFile f", Serve(start(Roles::All, Some("f"), &[("a", "b=c")]))),
            ("roxmq broker -p", PrintConfig(start(Roles::Broker, None, &[]))),
            ("roxmq broker -p -m --printImportantConfig", PrintConfig(start(Roles::Broker, None, &[]))),
            ("roxmq config", PrintConfig(start(Roles::All, None, &[]))),
            ("roxmq config broker -c f", PrintConfig(start(Roles::Broker, Some("f"), &[]))),
            ("/opt/bin/mqbroker -m", PrintConfig(start(Roles::Broker, None, &[]))),
            ("mqnamesrv -c f", Serve(start(Roles::NameServer, Some("f"), &[]))),
            ("roxmq bench send --body 99 -n x", Bench(BenchArgs::parse_from(["bench", "send", "--body", "99", "-n", "x"]))),
            ("roxmq verify d", Verify(check(false))),
            ("roxmq verify --json d", Verify(check(true))),
            ("roxmq verify --commit-log l d", Verify(Check { commit_log: Some("l".into()), ..check(false) })),
            ("roxmq repair d --truncate-at=12", Repair(check(false), Some(12))),
            ("roxmq repair d", Repair(check(false), None)),
            ("roxmq completions zsh", Command::Completions(Shell::Zsh)),
        ] {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn says_what_makes_no_sense() {
        for (line, expected) in [
            ("roxmq --help", "DisplayHelp"),
            ("roxmq verify --help", "DisplayHelp"),
            ("roxmq broker -h", "DisplayHelp"),
            ("roxmq bench timer --help", "DisplayHelp"),
            ("roxmq -V", "DisplayVersion"),
            ("mqbroker -V", "DisplayVersion"),
            ("roxmq namesrv", "unrecognized subcommand 'namesrv'"),
            ("roxmq verify", "the following required arguments were not provided:"),
            ("roxmq verify a b", "unexpected argument 'b' found"),
            ("roxmq verify d --truncate-at 5", "unexpected argument '--truncate-at' found"),
            (
                "roxmq repair d --truncate-at x",
                "invalid value 'x' for '--truncate-at <OFFSET>': it must be a log offset, a number of bytes",
            ),
            (
                "roxmq repair d --truncate-at=-1",
                "invalid value '-1' for '--truncate-at <OFFSET>': it must be a log offset, a number of bytes",
            ),
            ("roxmq broker nameserver", "unexpected argument 'nameserver' found"),
            ("roxmq broker listenPort=1", "unexpected argument 'listenPort=1' found"),
            ("roxmq -c f broker", "the subcommand 'broker' cannot be used with '--config <FILE>'"),
            ("mqbroker verify d", "unexpected argument 'verify' found"),
            ("roxmq --port 1", "unexpected argument '--port' found"),
            ("roxmq -c", "a value is required for '--config <FILE>' but none was supplied"),
            ("roxmq -c a -c b", "the argument '--config <FILE>' cannot be used multiple times"),
            ("roxmq --set listenPort", "invalid value 'listenPort' for '--set <KEY=VALUE>': it must be KEY=VALUE"),
            ("roxmq --set =1", "invalid value '=1' for '--set <KEY=VALUE>': it must be KEY=VALUE"),
            ("roxmq --help=1", "unexpected value '1' for '--help' found; no more were expected"),
            ("roxmq nameserver -n a:1", "unexpected argument '-n' found"),
            ("roxmq config nameserver -n a:1", "-n says where a broker registers, and there is no broker"),
            ("roxmq broker --enable-proxy", "the gRPC proxy is not served"),
            ("mqbroker -pc proxy.json", "the gRPC proxy is not served"),
        ] {
            assert_eq!(read(line), Err(expected.to_owned()), "{line}");
        }
    }

    #[test]
    fn every_command_can_be_completed() {
        let script = completions(Shell::Bash);
        for word in ["nameserver", "broker", "config", "verify", "repair", "bench", "--truncate-at"] {
            assert!(script.contains(word), "{word}");
        }
    }
}
