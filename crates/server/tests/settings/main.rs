//! Are the settings tables whole, is every key of Apache RocketMQ known, and where do our defaults differ on purpose?
//!
//! The files in `data` were printed by RocketMQ 5.5.0 itself: the fields of its configuration classes, as new objects have them.

use roxmq_broker::settings::BrokerConfig;
use roxmq_config::{Notice, Origin, Setting, Table, load, properties};
use roxmq_nameserver::settings::NameServerConfig;

fn java_defaults(text: &str) -> Vec<properties::Entry> {
    properties::parse(text).unwrap()
}

fn setting(entry: &properties::Entry) -> Setting {
    Setting { key: entry.key.clone(), value: entry.value.clone(), origin: Origin::Argument }
}

/// `key: ours (RocketMQ: theirs)` for each key whose default is another one here.
fn differences<C: Table>(java: &[properties::Entry]) -> Vec<String> {
    let ours = C::default();
    C::keys()
        .iter()
        .filter_map(|key| {
            let theirs = &java.iter().find(|entry| entry.key == key.name)?.value;
            let printed = key.print(&ours);
            (key.default_shown.is_none() && printed != *theirs).then(|| format!("{}: {printed} (RocketMQ: {theirs})", key.name))
        })
        .collect()
}

fn unknown<C: Table>(java: &[properties::Entry]) -> Vec<String> {
    let known = |name: &str| {
        let in_java_keys = C::java_keys().iter().flat_map(|group| group.keys).any(|(key, _)| *key == name);
        C::key(name).is_some() != in_java_keys
    };
    java.iter().map(|entry| entry.key.clone()).filter(|key| !known(key)).collect()
}

#[test]
fn a_brokers_keys_are_known_and_its_defaults_differ_on_purpose() {
    let java = java_defaults(include_str!("data/rocketmq-5.5.0-broker.properties"));
    assert_eq!(unknown::<BrokerConfig>(&java), Vec::<String>::new());
    assert_eq!(
        differences::<BrokerConfig>(&java),
        [
            // The class says 6888, BrokerStartup makes it 10911.
            "listenPort: 10911 (RocketMQ: 6888)",
            // RocketMQ's default would be ~/store, which a Java broker of the same user may have open.
            "storePathRootDir: roxmq-data (RocketMQ: )",
            // Fewer messages twice after a crash.
            "flushConsumerOffsetInterval: 1000 (RocketMQ: 5000)",
            // What is not consumed is not deleted to make room.
            "cleanFileForciblyEnable: false (RocketMQ: true)",
            // SQL92 costs nothing to those who do not use it.
            "enablePropertyFilter: true (RocketMQ: false)",
            // 400 days instead of 3.
            "timerMaxDelaySec: 34560000 (RocketMQ: 259200)",
        ]
    );
}

#[test]
fn a_nameservers_keys_are_known_and_its_defaults_differ_on_purpose() {
    let java = java_defaults(include_str!("data/rocketmq-5.5.0-namesrv.properties"));
    assert_eq!(unknown::<NameServerConfig>(&java), Vec::<String>::new());
    assert_eq!(
        differences::<NameServerConfig>(&java),
        [
            // NamesrvStartup makes the port 9876.
            "listenPort: 9876 (RocketMQ: 0)",
            // A list of all topics is told apart from a list of some.
            "deleteTopicWithBrokerRegistration: true (RocketMQ: false)",
            // It waits for the brokers that it knew, not for a time.
            "needWaitForService: true (RocketMQ: false)",
        ]
    );
}

#[test]
fn rocketmqs_defaults_ask_for_nothing_that_is_missing() {
    let java = java_defaults(include_str!("data/rocketmq-5.5.0-broker.properties"));
    let no_settings: Vec<Setting> = java.iter().filter(|entry| BrokerConfig::key(&entry.key).is_none()).map(setting).collect();
    let loaded = load::<BrokerConfig>(&no_settings).unwrap();
    let warnings: Vec<String> = loaded.notices.iter().filter(|n| n.is_warning()).map(Notice::to_string).collect();
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn every_default_is_legal_and_every_key_stands_once() {
    fn check<C: Table>() {
        let mut names: Vec<&str> = C::keys().iter().map(|key| key.name).collect();
        for key in C::keys() {
            let printed = key.print(&C::default());
            assert!(key.set(&mut C::default(), &printed), "{}={printed}", key.name);
        }
        names.extend(C::java_keys().iter().flat_map(|group| group.keys).map(|(key, _)| *key));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
    check::<BrokerConfig>();
    check::<NameServerConfig>();
}
