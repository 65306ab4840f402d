//! How is the configuration described to its users?

use std::fmt::Write as _;

use super::broker::BrokerConfig;
use super::java_keys::{JavaKeys, Stance};
use super::nameserver::NameServerConfig;
use super::table::{Change, Key, Table};

/// The reference page of all settings, `docs/config.md`.
pub fn reference_page() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n## Broker\n");
    describe_keys::<BrokerConfig>(&mut page);
    page.push_str("\n## NameServer\n");
    describe_keys::<NameServerConfig>(&mut page);
    page.push_str(NO_SETTINGS);
    page.push_str("\n### Of a broker\n");
    describe_java_keys(BrokerConfig::java_keys(), &mut page);
    page.push_str("\n### Of a NameServer\n");
    describe_java_keys(NameServerConfig::java_keys(), &mut page);
    page
}

fn describe_keys<C: Table>(page: &mut String) {
    let defaults = C::default();
    let mut section = "";
    for key in C::keys() {
        if section != key.section {
            section = key.section;
            let _ = write!(page, "\n### {section}\n\n{TABLE_HEAD}");
        }
        let _ = writeln!(page, "{}", row(key, &defaults));
    }
}

fn row<C: Table>(key: &Key<C>, defaults: &C) -> String {
    let default = match (key.default_shown, key.print(defaults)) {
        (Some(shown), _) => shown.to_owned(),
        (None, printed) if printed.is_empty() => String::new(),
        (None, printed) => format!("`{printed}`{}{}", if key.unit.is_empty() { "" } else { " " }, key.unit),
    };
    let change = match key.change {
        Change::Now => "now",
        Change::Restart => "restart",
        Change::NotYet => "no effect yet",
    };
    format!("| `{}` | {default} | {} | {change} | {} |", key.name, key.allowed(), key.doc)
}

fn describe_java_keys(groups: &[JavaKeys], page: &mut String) {
    for group in groups {
        let stance = match group.stance {
            Stance::Meaningless => "Passed over",
            Stance::NotServed => "Passed over with a warning",
            Stance::Refused => "Refused",
        };
        let names: Vec<String> = group.keys.iter().map(|(key, _)| format!("`{key}`")).collect();
        let _ = write!(page, "\n**{stance}: {}.**\n{}\n", group.reason, names.join(", "));
    }
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the tables in crates/env/src/config by `UPDATE=1 cargo test -p roxmq-env --test config_page`. -->

RoxMQ reads RocketMQ's own properties files and key names. A setting is taken from the first of these places that has it:

1. the command line: `--set key=value` (and `-n ADDR;ADDR` for `namesrvAddr`);
2. the file given with `--config FILE` or `-c FILE`; without one, the file to which changes at run time were saved,
   `config/broker.properties` of a broker and `namesrv/namesrv.properties` of a NameServer in the data folder, if it is there;
3. the environment: `ROXMQ_<KEY>`, where case and underscores do not count (`ROXMQ_LISTEN_PORT`), and `NAMESRV_ADDR` for `namesrvAddr`;
4. the default below.

When NameServer and broker run in one process, a plain key is the broker's and `nameserver.<key>` the NameServer's, on the command line and
in the file alike (`ROXMQ_NAMESERVER_<KEY>` in the environment).

A value that is not allowed stops the start with the key, the value, what is allowed, and the line. An unknown key is passed over with a
warning that names the nearest known one. `roxmq config` prints the configuration that would be used.

`mqadmin updateBrokerConfig` and `updateNamesrvConfig` change a running process. Keys marked *now* take effect at once, keys marked *restart*
at the next start; both are saved to the configuration file, where only the lines of the changed keys are rewritten. Keys marked *no effect yet*
are checked and kept, but nothing acts on them in this version; setting one to something else than its default is a warning. The remark of
the answer names the keys that take effect at the next start, have no effect, or are unknown; the tools do not print it, the log has it too.
";

const TABLE_HEAD: &str = "\
| Key | Default | Allowed | Changes | What it does |
|---|---|---|---|---|
";

const NO_SETTINGS: &str = "
## Keys of Apache RocketMQ that are no settings here

A file that contains them starts RoxMQ all the same, unless it asks for safety that RoxMQ does not give: such a key is *refused* when its value
is not RocketMQ's default. Keys of parts that RoxMQ does not have are warned about when their value is not RocketMQ's default.
";
