//! Does the bench notice what a broker does wrong? A small broker does one thing wrong at a time.

mod broker;

use crate::args::{BenchArgs, Task};
use crate::report::{Check, Report};
use crate::run;
use broker::{Broker, Fault};
use clap::Parser;

/// Sends this many messages, however slow the machine is: at a rate, every message is sent.
const SEND_500: &str = "send -c 3 --rate 2500 -d 0.2";
/// The same with transactions, of which some are rolled back.
const TRANSACT_200: &str = "transaction -c 2 --rate 1000 -d 0.2 --rollback 0.25 --timeout 3";

fn bench(broker: &Broker, line: &str) -> Report {
    let line = format!("{line} -b {} --body 64 -q 4 --warm-up 0", broker.address);
    let args = BenchArgs::try_parse_from(["roxmq bench"].into_iter().chain(line.split_whitespace())).expect("a command line");
    let Ok(Task::Measure(options)) = args.task() else { panic!("{line} measures something") };
    run::run(&options).expect("a report")
}

#[test]
fn a_broker_that_does_everything_right() {
    let broker = Broker::start(Fault::None);
    for (line, messages) in [
        (SEND_500, Some(500)),
        ("send -c 3 --rate 2000 -d 0.2 --binary", Some(400)),
        ("send -c 2 --rate 2000 -d 0.2 --batch 5 --threads 2", Some(400)),
        ("send -c 3 -w 4 -d 1", None),
        ("send -c 2 -w 3 -d 1 --binary --batch 3", None),
        ("send --topics 3 -c 2 --rate 1000 -d 0.3 --binary", Some(300)),
    ] {
        let report = bench(&broker, line);
        assert!(report.is_good() && matches!(report.check, Check::StoredAsAcknowledged), "{line}: {report:?}");
        assert_eq!(report.messages_in_all, messages.unwrap_or(report.messages_in_all.max(1)), "{line}: {report:?}");
    }
    for line in [SEND_500, "send --topics 3 -c 2 --rate 1000 -d 0.3 --batch 5"] {
        let report = bench(&broker, &format!("{line} --read-back"));
        assert!(report.is_good(), "{line}: {report:?}");
        assert!(matches!(report.check, Check::ReadBack { messages } if messages == report.messages_in_all), "{line}: {report:?}");
    }
    let report = bench(&broker, &format!("{SEND_500} --readers 2 --slices 4"));
    assert!(report.is_good() && report.beside.is_some_and(|beside| beside.messages > 0), "{report:?}");
    assert_eq!(report.slices.len(), 4, "{report:?}");
    assert_eq!(report.slices.iter().map(|slice| slice.count).sum::<u64>(), report.requests, "{report:?}");
    for line in ["pull -c 3 -d 1", "pull -c 3 -w 4 --pull-batch 7 -d 1"] {
        let report = bench(&broker, line);
        assert!(report.is_good() && report.messages_in_all > 0, "{line}: {report:?}");
    }
    let report = bench(&broker, "pull --topics 3 -c 2 -d 1");
    assert!(report.is_good() && report.messages_in_all > 300, "{report:?}");
    for line in [
        "e2e -c 2 --rate 1000 -d 0.3",
        "e2e --topics 4 -c 2 --rate 1000 -d 0.3 --consumers 3",
        "e2e -c 2 -w 2 --consumers 3 --batch 2 -d 1",
        "e2e -c 2 --rate 1000 -d 0.3 --groups 5 --consumers 3",
    ] {
        let report = bench(&broker, line);
        assert!(report.is_good() && matches!(report.check, Check::ReceivedAsAcknowledged), "{line}: {report:?}");
        assert!(report.messages_in_all > 0, "{line}: {report:?}");
    }
}

#[test]
fn what_goes_wrong_with_a_send_is_noticed() {
    for fault in [Fault::Loses, Fault::StoresTwice, Fault::TellsWrongOffset] {
        let report = bench(&Broker::start(fault), SEND_500);
        assert!(matches!(report.check, Check::Failed(_)) && report.errors.is_empty(), "{fault:?}: {report:?}");
    }
    let report = bench(&Broker::start(Fault::Refuses), SEND_500);
    assert_eq!(report.errors.values().sum::<u64>(), 1, "{report:?}");
    assert!(!report.is_good());
    // Where more is sent than can be taken, the refusal is what is expected.
    let report = bench(&Broker::start(Fault::Refuses), &format!("{SEND_500} --overload -w 500 --read-back"));
    assert!(report.is_good() && report.refused == 1 && report.messages_in_all == 499 - report.unsent, "{report:?}");
    let report = bench(&Broker::start(Fault::ChangesByte), &format!("{SEND_500} --read-back"));
    assert!(matches!(report.check, Check::Failed(_)) && report.errors.is_empty(), "{report:?}");
}

#[test]
fn what_goes_wrong_with_a_pull_is_noticed() {
    for fault in [Fault::ChangesByte, Fault::SkipsRecord] {
        let broker = Broker::start(fault);
        assert!(bench(&broker, SEND_500).is_good());
        let report = bench(&broker, "pull -c 4 -d 1");
        assert!(!report.is_good() && !report.errors.is_empty(), "{fault:?}: {report:?}");
    }
    let report = bench(&Broker::start(Fault::Loses), "e2e -c 3 --rate 2500 -d 0.2 --timeout 2");
    assert!(matches!(report.check, Check::Failed(_)), "{report:?}");
}

#[test]
fn messages_that_wait_at_a_broker_that_does_everything_right() {
    let broker = Broker::start(Fault::None);
    for line in [TRANSACT_200, "transaction -c 2 --threads 2 --rate 1000 -d 0.2 --rollback 0.25 --wait --binary"] {
        let report = bench(&broker, line);
        assert!(report.is_good(), "{line}: {report:?}");
        assert!(matches!(report.check, Check::AsDecided { committed: 150, rolled_back: 50, .. }), "{line}: {report:?}");
        assert_eq!((report.messages_in_all, report.unit), (200, "tx"), "{line}: {report:?}");
    }
    let report = bench(&broker, "transaction -c 2 --rate 1000 -d 0.2 --wait --rollback 1");
    assert!(report.is_good() && matches!(report.check, Check::AsDecided { committed: 0, rolled_back: 200, .. }), "{report:?}");
    let report = bench(&broker, "send --delay-level 3 -c 3 --rate 2500 -d 0.2");
    assert!(report.is_good() && matches!(report.check, Check::StoredAsAcknowledged), "{report:?}");
    let report = bench(&broker, "send --deliver-in-ms 5000 -c 3 --threads 2 --rate 2500 -d 0.2");
    assert!(report.is_good(), "{report:?}");
    assert!(matches!(report.check, Check::DeliveredOnce(late) if late.messages == 500 && late.max_ms == 0.0), "{report:?}");
    let report = bench(&broker, "send --deliver-in-ms 34560000000 -c 3 --rate 2500 -d 0.2");
    assert!(report.is_good() && matches!(report.check, Check::Waiting), "{report:?}");
}

#[test]
fn what_goes_wrong_with_messages_that_wait_is_noticed() {
    const DELAYED: &str = "send --delay-level 3 -c 3 --rate 2500 -d 0.2";
    const TIMED: &str = "send --deliver-in-ms 5000 -c 3 --rate 2500 -d 0.2";
    const FAR: &str = "send --deliver-in-ms 34560000000 -c 3 --rate 2500 -d 0.2";
    for (fault, line, told) in [
        (Fault::LosesDecision, TRANSACT_200, "1 messages committed and missing"),
        (Fault::DeliversRolledBack, TRANSACT_200, "50 messages rolled back and delivered"),
        (Fault::DeliversTwice, TRANSACT_200, "1 messages delivered twice"),
        (Fault::DeliversTwice, TIMED, "1 messages delivered twice"),
        (Fault::DeliversEarly, TIMED, "1 messages delivered before their time"),
        (Fault::Loses, FAR, "499 more messages wait, 500 acknowledged"),
        (Fault::Loses, DELAYED, "queue 0: 499 messages stored, 500 acknowledged"),
        (Fault::TellsWrongOffset, DELAYED, "queue 0: the offsets in the answers are not those of its messages"),
    ] {
        let report = bench(&Broker::start(fault), line);
        assert!(matches!(&report.check, Check::Failed(why) if why == told) && report.errors.is_empty(), "{fault:?}: {report:?}");
    }
    let report = bench(&Broker::start(Fault::Refuses), &format!("{TRANSACT_200} --wait"));
    assert_eq!(report.errors.values().sum::<u64>(), 2, "a half message and a decision: {report:?}");
}

#[test]
fn a_broker_that_does_not_answer_ends_the_run() {
    let report = bench(&Broker::start(Fault::IsSilent), &format!("{SEND_500} --timeout 2"));
    assert_eq!(report.errors.get("no answer"), Some(&1), "{report:?}");
}
