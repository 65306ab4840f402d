//! `docs/config.md` is made from the settings tables of the roles. `UPDATE=1 cargo test -p roxmq config_page` rewrites it.

use roxmq_broker::settings::BrokerConfig;
use roxmq_config::{Table, describe};
use roxmq_nameserver::settings::NameServerConfig;
use std::path::Path;

fn page() -> String {
    [
        INTRODUCTION,
        "\n## Broker\n",
        &describe::keys::<BrokerConfig>(),
        "\n## NameServer\n",
        &describe::keys::<NameServerConfig>(),
        NO_SETTINGS,
        "\n### Of a broker\n",
        &describe::java_keys(BrokerConfig::java_keys()),
        "\n### Of a NameServer\n",
        &describe::java_keys(NameServerConfig::java_keys()),
    ]
    .concat()
}

#[test]
fn the_page_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("docs/config.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/config.md is not what the tables say; run the test with UPDATE=1");
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the settings tables in `crates/broker` and `crates/nameserver` by
`UPDATE=1 cargo test -p roxmq config_page`. -->

RoxMQ reads RocketMQ's own properties files and key names. A setting is taken from the first of
these places that has it:

1. the command line: `--set key=value` (and `-n ADDR;ADDR` for `namesrvAddr`);
2. the file given with `--config FILE` or `-c FILE`; without one, the file to which changes at run
   time were saved, `config/broker.properties` of a broker and `namesrv/namesrv.properties` of a
   NameServer in the data folder, if it is there;
3. the environment: `ROXMQ_<KEY>`, where case and underscores do not count (`ROXMQ_LISTEN_PORT`),
   and `NAMESRV_ADDR` for `namesrvAddr`;
4. the default below.

When NameServer and broker run in one process, a plain key is the broker's and `nameserver.<key>`
the NameServer's, on the command line and in the file alike (`ROXMQ_NAMESERVER_<KEY>` in the
environment).

A value that is not allowed stops the start with the key, the value, what is allowed, and the line.
An unknown key is ignored with a warning that names the nearest known one. `roxmq config` prints the
configuration that would be used.

`mqadmin updateBrokerConfig` and `updateNamesrvConfig` change a running process. Keys marked *now*
take effect at once, keys marked *restart* at the next start; both are saved to the configuration
file, where only the lines of the changed keys are rewritten. Keys marked *no effect yet* are
checked and saved, but nothing acts on them in this version; setting one to anything but its default
is a warning. The remark of the answer names the keys that take effect at the next start, have no
effect, or are unknown; the tools do not print it, the log has it too.
";

const NO_SETTINGS: &str = "
## Keys of Apache RocketMQ that are no settings here

A file with such keys still starts RoxMQ, unless it asks for safety that RoxMQ does not give: such a
key is *refused* when its value is not RocketMQ's default. Keys of parts that RoxMQ does not have
cause a warning when their value is not RocketMQ's default.
";
