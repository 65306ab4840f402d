//! Where do the values of a configuration come from, and what does the user learn about those without effect?

use crate::java_keys::Stance;
use crate::properties;
use crate::table::{Change, Table};

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A properties file.
    File {
        /// The file's path as it was given.
        path: String,
        /// The line on which the entry starts, from 1.
        line: usize,
    },
    /// The command line.
    Argument,
    /// A request that changes the running configuration.
    Request {
        /// The line of the request's body, from 1.
        line: usize,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Environment { variable } => write!(out, "environment variable {variable}"),
            Origin::File { path, line } => write!(out, "{path}, line {line}"),
            Origin::Argument => write!(out, "command line"),
            Origin::Request { line } => write!(out, "request, line {line}"),
        }
    }
}

/// A key with a value, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key as written.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// The settings in a properties text that was read from `path`.
pub fn settings_of_file(path: &str, text: &str) -> Result<Vec<Setting>, ConfigError> {
    let entries = properties::parse(text)
        .map_err(|properties::BadEscape { line }| ConfigError::Syntax { origin: Origin::File { path: path.to_owned(), line } })?;
    let setting = |entry: properties::Entry| Setting {
        key: entry.key,
        value: entry.value,
        origin: Origin::File { path: path.to_owned(), line: entry.line },
    };
    Ok(entries.into_iter().map(setting).collect())
}

/// The settings in environment variables of the form `ROXMQ_<KEY>`, where case and further underscores do not count:
/// `ROXMQ_LISTEN_PORT` and `ROXMQ_listenPort` are both `listenPort`. `NAMESRV_ADDR` is `namesrvAddr`, as for Apache RocketMQ.
/// `prefix` stands before the key where two roles are configured together (`NAMESERVER_`). Other variables are ignored, and
/// unknown names cause no warning: Kubernetes sets `ROXMQ_PORT` and the like for a service named roxmq.
pub fn settings_of_environment<C: Table>(prefix: &str, variables: &[(String, String)]) -> Vec<Setting> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let key_of = |variable: &str| {
        if variable == "NAMESRV_ADDR" {
            return C::key("namesrvAddr");
        }
        let wanted = plain(variable.strip_prefix("ROXMQ_")?.strip_prefix(prefix)?);
        C::keys().iter().find(|key| plain(key.name) == wanted)
    };
    let setting = |(variable, value): &(String, String)| {
        Some(Setting {
            key: key_of(variable)?.name.to_owned(),
            value: value.clone(),
            origin: Origin::Environment { variable: variable.clone() },
        })
    };
    variables.iter().filter_map(setting).collect()
}

/// A configuration, and notices for its user.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded<C> {
    /// The values.
    pub config: C,
    /// Settings that had no effect, in the order in which they were written.
    pub notices: Vec<Notice>,
}

/// The defaults with `settings` applied in order: the last one of a key wins.
pub fn load<C: Table>(settings: &[Setting]) -> Result<Loaded<C>, ConfigError> {
    let mut loaded = Loaded { config: C::default(), notices: Vec::new() };
    for setting in settings {
        if let Some(notice) = apply(&mut loaded.config, setting)? {
            loaded.notices.push(notice);
        }
    }
    agree(&loaded.config)?;
    Ok(loaded)
}

/// Gives `config` the value of one setting, or says why it has no effect.
pub(crate) fn apply<C: Table>(config: &mut C, setting: &Setting) -> Result<Option<Notice>, ConfigError> {
    if let Some(key) = C::key(&setting.key) {
        let illegal =
            || ConfigError::Illegal { key: key.name, value: setting.value.clone(), allowed: key.allowed(), origin: setting.origin.clone() };
        if !key.set(config, &setting.value) {
            return Err(illegal());
        }
        let without_effect = key.change == Change::NotYet && key.print(config) != key.print(&C::default());
        return Ok(without_effect.then(|| Notice::NotServed { setting: setting.clone(), reason: "nothing acts on this key yet" }));
    }
    for group in C::java_keys() {
        let Some((key, java_default)) = group.keys.iter().find(|(key, _)| *key == setting.key) else { continue };
        let changes_something = setting.value.trim() != *java_default;
        return match group.stance {
            Stance::Refused if changes_something => {
                Err(ConfigError::NotServed { key, value: setting.value.clone(), reason: group.reason, origin: setting.origin.clone() })
            }
            Stance::NotServed if changes_something => Ok(Some(Notice::NotServed { setting: setting.clone(), reason: group.reason })),
            Stance::Refused | Stance::NotServed => Ok(None),
            Stance::Meaningless => Ok(Some(Notice::Meaningless { setting: setting.clone(), reason: group.reason })),
        };
    }
    // A request may have very many unknown keys, and comparing all of them would take hours: `Update` compares the first ones.
    let came_over_the_wire = matches!(setting.origin, Origin::Request { .. });
    let nearest = if came_over_the_wire { None } else { C::nearest_key(&setting.key) };
    Ok(Some(Notice::Unknown { setting: setting.clone(), nearest }))
}

pub(crate) fn agree<C: Table>(config: &C) -> Result<(), ConfigError> {
    match config.contradiction() {
        None => Ok(()),
        Some((keys, what)) => Err(ConfigError::Contradiction { keys, what }),
    }
}

/// A setting that has no effect, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No key has this name.
    Unknown {
        /// What was written.
        setting: Setting,
        /// The known name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// It asks for something that RoxMQ does not do.
    NotServed {
        /// What was written.
        setting: Setting,
        /// What is missing.
        reason: &'static str,
    },
    /// It tunes a part of the Java implementation that RoxMQ does not have.
    Meaningless {
        /// What was written.
        setting: Setting,
        /// Why there is nothing to tune.
        reason: &'static str,
    },
}

impl Notice {
    /// Whether the user probably expects an effect that does not come: a warning rather than a remark.
    pub fn is_warning(&self) -> bool {
        match self {
            Notice::Unknown { .. } | Notice::NotServed { .. } => true,
            Notice::Meaningless { .. } => false,
        }
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Notice::Unknown { setting, nearest } => {
                write!(out, "unknown key {} ({})", setting.key, setting.origin)?;
                nearest.map_or(Ok(()), |name| write!(out, "; did you mean {name}?"))
            }
            Notice::NotServed { setting, reason } => {
                write!(out, "{}={} has no effect ({}): {reason}", setting.key, setting.value, setting.origin)
            }
            Notice::Meaningless { setting, reason } => {
                write!(out, "{} means nothing here ({}): {reason}", setting.key, setting.origin)
            }
        }
    }
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value that its key does not allow.
    #[error("{key}={value} ({origin}): allowed is {allowed}")]
    Illegal {
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// What would be allowed.
        allowed: String,
        /// Where it was written.
        origin: Origin,
    },
    /// A value that asks for a promise that cannot be kept, such as access control.
    #[error("{key}={value} ({origin}) cannot be honoured: {reason}")]
    NotServed {
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// What is missing.
        reason: &'static str,
        /// Where it was written.
        origin: Origin,
    },
    /// Values which are allowed one by one but not together.
    #[error("{keys}: {what}")]
    Contradiction {
        /// The keys concerned.
        keys: &'static str,
        /// What is wrong with their values.
        what: String,
    },
    /// A text that is not in the properties format.
    #[error("{origin}: \\u must be followed by four hexadecimal digits")]
    Syntax {
        /// Where it was written.
        origin: Origin,
    },
    /// A key that must not be changed over the wire. The sentence is Java's (AdminBrokerProcessor), as tools print it.
    #[error("Can not update config in black list.")]
    Forbidden {
        /// The key.
        key: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    /// What comes of a `broker.conf`: the port, then what is said; or the error.
    fn outcome(text: &str) -> String {
        match settings_of_file("broker.conf", text).and_then(|settings| load::<Sample>(&settings)) {
            Err(error) => error.to_string(),
            Ok(loaded) => {
                let port = loaded.config.listen_port.to_string();
                [port].into_iter().chain(loaded.notices.iter().map(Notice::to_string)).collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, expected) in [
            ("listenPort=10921 ", "10921"),
            ("listenPort=-1\nlistenPort=12000", "listenPort=-1 (broker.conf, line 1): allowed is a whole number from 0 to 65535"),
            ("aclEnable=true", "aclEnable=true (broker.conf, line 1) cannot be honoured: nothing would be protected"),
            ("aclEnable=false", "10911"),
            ("listenport=1", "10911\nunknown key listenport (broker.conf, line 1); did you mean listenPort?"),
            ("colour=blue", "10911\nunknown key colour (broker.conf, line 1)"),
            ("enablePopBufferMerge=true", "10911\nenablePopBufferMerge=true has no effect (broker.conf, line 1): POP is not served"),
            ("enablePopBufferMerge=false", "10911"),
            ("enablePopLog=true", "10911\nenablePopLog means nothing here (broker.conf, line 1): it tuned Java log files"),
            ("deleteWhen=04", "10911"),
            ("deleteWhen=05", "10911\ndeleteWhen=05 has no effect (broker.conf, line 1): nothing acts on this key yet"),
            ("mappedFileSizeCommitLog=500", "mappedFileSizeCommitLog and maxMessageSize: a log file of 500 cannot hold a message of 1000"),
            ("mappedFileSizeCommitLog=500\nmaxMessageSize=500", "10911"),
            ("\n\nbrokerName=\\u12", "broker.conf, line 3: \\u must be followed by four hexadecimal digits"),
        ] {
            assert_eq!(outcome(text), expected, "{text}");
        }
    }

    #[test]
    fn what_comes_later_wins() {
        let from = |key: &str, value: &str| Setting { key: key.into(), value: value.into(), origin: Origin::Argument };
        let loaded = load::<Sample>(&[from("listenPort", "11000"), from("listenPort", "12000")]).unwrap();
        assert_eq!(loaded.config.listen_port, 12_000);
    }

    #[test]
    fn the_environment_is_read_leniently() {
        let variables = [
            ("NAMESRV_ADDR", "n1:9876;n2:9876"),
            ("ROXMQ_LISTEN_PORT", "10921"),
            ("ROXMQ_brokerIP1", "10.0.0.1"),
            ("ROXMQ_PORT", "tcp://10.1.1.1:9876"),
            ("ROXMQ_NAMESERVER_LISTENPORT", "9877"),
            ("listenPort", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let alone = load::<Sample>(&settings_of_environment::<Sample>("", &variables)).unwrap();
        assert_eq!(alone.notices, []);
        assert_eq!(alone.config.namesrv_addr, ["n1:9876", "n2:9876"]);
        assert_eq!((alone.config.listen_port, alone.config.host.as_deref()), (10_921, Some("10.0.0.1")));
        let beside = load::<Sample>(&settings_of_environment::<Sample>("NAMESERVER_", &variables)).unwrap();
        assert_eq!(beside.config.listen_port, 9_877);
    }

    #[test]
    fn a_printed_configuration_is_read_back() {
        let settings = "brokerName=\u{e9}\nnamesrvAddr=n1:9876;[::1]:9876\nbrokerIP1=::1\nfileReservedTime=1";
        let one = load::<Sample>(&settings_of_file("f", settings).unwrap()).unwrap().config;
        let text = one.to_properties();
        assert!(text.is_ascii(), "Java reads the text as Latin-1");
        let again = load::<Sample>(&settings_of_file("f", &text).unwrap()).unwrap();
        assert_eq!((again.config, again.notices), (one, vec![]));
        let names: Vec<&str> = text.lines().map(|line| line.split('=').next().unwrap()).collect();
        assert!(names.is_sorted() && names.len() == Sample::keys().len());
    }
}
