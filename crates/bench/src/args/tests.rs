use super::*;
use crate::options::{Delay, Target};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use roxmq_protocol::frame::Encoding;
use std::time::Duration;

fn task(line: &str) -> Result<Task, OptionError> {
    let words = std::iter::once("roxmq bench").chain(line.split_whitespace());
    BenchArgs::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}")).task()
}

fn options(line: &str) -> Options {
    match task(line) {
        Ok(Task::Measure(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn timer(line: &str) -> TimerOptions {
    match task(line) {
        Ok(Task::Timer(options)) => options,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> ErrorKind {
    let words = std::iter::once("roxmq bench").chain(line.split_whitespace());
    BenchArgs::try_parse_from(words).expect_err(line).kind()
}

#[test]
fn the_declaration_agrees_with_itself() {
    BenchArgs::command().debug_assert();
}

#[test]
fn workloads_have_defaults_of_their_own() {
    for (line, connections, in_flight) in
        [("send", 16, 16), ("pull", 8, 1), ("tail", 8, 1), ("e2e", 16, 16), ("transaction", 16, 16), ("idle", 5000, 16)]
    {
        let mut options = options(line);
        assert_eq!((options.workload.name(), options.connections, options.in_flight), (line, connections, in_flight));
        (options.workload, options.connections, options.in_flight) = (Workload::Send, 16, 16);
        assert_eq!(options, self::options("send"), "{line}: all other defaults are the same");
    }
    let plain = options("send");
    assert_eq!((plain.target(), plain.delay(), plain.encoding()), (Target::Broker("127.0.0.1:10911"), None, Encoding::Json));
    let times = [plain.duration, plain.warm_up, plain.patience].map(|time| time.as_secs());
    assert_eq!((times, plain.body_bytes, plain.queues, plain.pull_messages), ([10, 2, 5], 1024, 8, 32));
}

#[test]
fn reads_flags() {
    let given = options("send -c 1 -w 64 --rate=50000 -n n:9876 -d 1.5 --json");
    assert_eq!(given.target(), Target::NameServer("n:9876"));
    assert_eq!((given.connections, given.in_flight, given.rate, given.json), (1, 64, Some(50_000.0), true));
    assert_eq!(given.duration, Duration::from_millis(1500));
    let given = options("transaction --rollback 0.25 --wait --binary");
    assert_eq!((given.rollbacks, given.is_decision_answered, given.encoding()), (0.25, true, Encoding::Binary));
    let given = options("send --rate 1e6 --overload --readers 2 --read-back --slices 30");
    assert_eq!((given.rate, given.is_overload, given.readers, given.is_read_back, given.slices), (Some(1e6), true, 2, true, 30));
    let given = options("tail --groups 50 --hold-ms 15000");
    assert_eq!((given.groups, given.hold), (50, Some(Duration::from_secs(15))));
    assert_eq!(task("touch"), Ok(Task::Touch));
}

#[test]
fn the_last_of_several_wins() {
    assert_eq!(options("send -d 1 --duration 3").duration, Duration::from_secs(3));
    assert_eq!(options("send -b b:1 -n n:1").target(), Target::NameServer("n:1"));
    assert_eq!(options("send -n n:1 -b b:1").target(), Target::Broker("b:1"));
    assert_eq!(options("send --delay-level 3 --deliver-in-ms 60000").delay(), Some(Delay::Time(Duration::from_secs(60))));
    assert_eq!(options("send --deliver-in-ms 60000 --delay-level 3").delay(), Some(Delay::Level(3)));
}

#[test]
fn refuses_flags_that_do_not_fit_each_other() {
    for (line, expected) in [
        ("send --topics 100000 -q 11", OptionError::TooManyQueues),
        ("send --batch 4096 --body 1000000", OptionError::BatchTooLarge),
        ("send --batch 2 --delay-level 3", OptionError::NoBatch),
        ("transaction --batch 2", OptionError::NoBatch),
        ("send --overload", OptionError::NoRate),
        ("timer --messages 10 --due-per-s 10 -d 2", OptionError::TooFewMessages),
    ] {
        assert_eq!(task(line), Err(expected), "{line}");
    }
    for line in
        ["e2e --delay-level 3", "send --wait", "e2e --readers 1", "pull --groups 2", "e2e --hold-ms 5", "send --read-back --delay-level 1"]
    {
        assert!(matches!(task(line), Err(OptionError::NotFor { .. })), "{line}");
    }
}

#[test]
fn refuses_values_out_of_range() {
    for line in [
        "send --deliver-in-ms 10",
        "transaction --rollback 1.5",
        "send --delay-level 0",
        "send -c 0",
        "send --body 31",
        "send -d x",
        "e2e --rate nan",
        "send --warm-up=-1",
        "timer --days 401",
        "timer --seconds 0",
    ] {
        assert_eq!(refused(line), ErrorKind::ValueValidation, "{line}");
    }
    assert_eq!(refused("send --what"), ErrorKind::UnknownArgument);
    assert_eq!(refused("timer x"), ErrorKind::UnknownArgument);
    assert_eq!(refused("send -c"), ErrorKind::InvalidValue);
    assert_eq!(refused("what"), ErrorKind::InvalidSubcommand);
    assert_eq!(refused(""), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
}

#[test]
fn reads_flags_of_the_timer_run() {
    let line = "timer --messages 5000 --due-per-s=100 --seconds 50 --days 3 --data d --set a=b=c --set=d= --keep";
    let given = timer(line);
    assert_eq!((given.messages, given.due_per_s, given.near(), given.is_kept), (5000, 100, 5000, true));
    assert_eq!((given.window, given.span), (Duration::from_secs(50), Duration::from_secs(3 * 86_400)));
    assert_eq!((given.folder, given.settings), (Some("d".into()), vec!["a=b=c".to_owned(), "d=".to_owned()]));
    let plain = timer("timer");
    assert_eq!((plain.messages, plain.due_per_s, plain.near()), (1_000_000, 2000, 60_000));
    assert_eq!((plain.span, plain.window, plain.down), (Duration::from_secs(400 * 86_400), Duration::from_secs(30), Duration::ZERO));
    assert_eq!((plain.queues, plain.connections, plain.in_flight, plain.body_bytes), (8, 4, 64, 128));
    assert_eq!(timer("timer --duration 3"), timer("timer -d 3"));
}
