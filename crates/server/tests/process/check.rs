//! Do `roxmq verify` and `roxmq repair` report truly on a folder that a broker left, and end with the codes they promise?

use crate::running::Running;
use std::path::Path;
use std::process::Command;

fn roxmq(words: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_roxmq")).args(words).arg(folder).output().expect("the binary runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn verify_and_repair_end_with_the_codes_they_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    assert_eq!(roxmq(&["verify"], root).0, Some(2), "there is nothing to look at");
    let mut running = Running::start(root, &[]);
    running.screen();
    let mut wire = running.connect();
    for n in 0..20 {
        wire.send("Check", 1, format!("message {n}").as_bytes());
    }
    assert_eq!(roxmq(&["verify"], root).0, Some(2), "a broker uses it");
    assert!(running.stop());
    let (code, text) = roxmq(&["verify", "--json"], root);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(r#""sound":true"#) && text.contains(r#""records":20"#) && text.contains(r#""problems":[]"#), "{text}");

    let index = std::fs::read_dir(root.join("index")).expect("lists").next().expect("one").expect("reads").path();
    flip(&index, 4096 + 7);
    let (code, text) = roxmq(&["verify"], root);
    assert!(code == Some(1) && text.contains("DAMAGED  index/"), "{text}");
    let (code, text) = roxmq(&["repair"], root);
    assert!(code == Some(0) && text.contains("done     rebuilt index/"), "{text}");

    flip(&root.join("config/topics.json"), 40);
    let (code, text) = roxmq(&["verify"], root);
    assert!(code == Some(1) && text.contains("config/topics.json"), "{text}");
    let mut running = Running::start(root, &[]);
    assert_eq!(running.connect().send("Check", 1, b"after"), 20, "the table before stands in");
    assert!(running.stop());

    let log = root.join("commitlog/00000000000000000000");
    flip(&log, 30);
    let (code, text) = roxmq(&["repair"], root);
    assert!(code == Some(1) && text.contains("DAMAGED  commitlog/00000000000000000000 at log offset 0"), "{text}");
    let (code, text) = roxmq(&["repair", "--truncate-at", "7"], root);
    assert!(code == Some(2) && text.contains("no record begins or ends there"), "{text}");
    let (code, text) = roxmq(&["repair", "--truncate-at", "0"], root);
    assert!(code == Some(0) && text.contains("0 records"), "{text}");
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("reads");
    bytes[at] ^= 4;
    std::fs::write(path, bytes).expect("writes");
}
