//! Does `roxmq bench` carry through what it measures with a broker of its own?

use std::process::Command;

#[test]
fn timed_messages_come_once_although_the_broker_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_roxmq"))
        .args(["bench", "timer", "--messages", "3000", "--due-per-s", "200", "--seconds", "2", "--json", "--data"])
        .arg(folder.path())
        .output()
        .expect("the binary starts");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains(r#""due":400,"missing":0,"early":0,"twice":0,"unknown":0"#), "{report}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "it cleans up");
}
