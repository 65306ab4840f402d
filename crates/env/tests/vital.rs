//! A process does not outlive work that it cannot do without.

use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};

const CHILD: &str = "ROXMQ_TEST_VITAL_CHILD";

#[test]
fn a_panic_in_vital_work_ends_the_process_and_an_end_without_one_does_not() {
    for work in ["a thread", "a closure", "a task"] {
        let child = |outcome: &str| {
            let mut child = Command::new(std::env::current_exe().expect("a path"));
            child.args(["--exact", "child", "--ignored", "--nocapture"]).env(CHILD, format!("{work} {outcome}")).output().expect("ran")
        };
        let panicked = child("panics");
        assert_eq!(panicked.status.signal(), Some(libc::SIGABRT), "{work}: {panicked:?}");
        assert!(String::from_utf8_lossy(&panicked.stderr).contains("what went wrong"), "{work}: {panicked:?}");
        let ended = child("ends");
        assert!(ended.status.success(), "{work}: {ended:?}");
    }
}

#[test]
#[ignore = "the process that the other test starts"]
fn child() {
    let Ok(work) = std::env::var(CHILD) else { return };
    let panics = work.ends_with("panics");
    let may_panic = move || assert!(!panics, "what went wrong");
    // As a runtime does with its tasks: a panic that can be caught stays without a consequence.
    let _ = std::panic::catch_unwind(|| match &*work {
        "a thread panics" | "a thread ends" => roxmq_env::vital::spawn("vital", may_panic).expect("started").join().expect("no panic"),
        "a closure panics" | "a closure ends" => roxmq_env::vital::run(may_panic),
        _ => {
            let task = pin!(roxmq_env::vital::task(async move { may_panic() }));
            assert_eq!(task.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        }
    });
    // A panic ends the process before this line.
    if panics {
        std::process::exit(0);
    }
}

#[test]
fn a_task_that_is_dropped_while_something_else_panics_ends_nothing() {
    let panicked = std::panic::catch_unwind(|| {
        let mut task = Box::pin(roxmq_env::vital::task(std::future::pending::<()>()));
        let waits = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(waits.is_ready(), "it waits");
    });
    assert!(panicked.is_err());
}
