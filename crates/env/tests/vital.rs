//! A process does not outlive a thread that it cannot do without.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const CHILD: &str = "ROXMQ_TEST_VITAL_CHILD";

#[test]
fn a_panic_in_a_vital_thread_ends_the_process_and_an_end_without_one_does_not() {
    let child = |work: &str| {
        let mut child = Command::new(std::env::current_exe().expect("a path"));
        child.args(["--exact", "child", "--ignored", "--nocapture"]).env(CHILD, work).output().expect("ran")
    };
    let panicked = child("panics");
    assert_eq!(panicked.status.signal(), Some(libc::SIGABRT), "{panicked:?}");
    assert!(String::from_utf8_lossy(&panicked.stderr).contains("what went wrong"), "{panicked:?}");
    let ended = child("ends");
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
#[ignore = "the process that the other test starts"]
fn child() {
    let Ok(work) = std::env::var(CHILD) else { return };
    let panics = work == "panics";
    let thread = roxmq_env::vital::spawn("vital", move || assert!(!panics, "what went wrong")).expect("started");
    // A panic ends the process before this can tell.
    thread.join().expect("no panic");
    if panics {
        std::process::exit(0);
    }
}
