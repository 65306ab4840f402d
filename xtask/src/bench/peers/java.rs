//! Java RocketMQ: which process, with which settings, and how is it warmed up?

use super::super::stage::Stage;
use super::jvm::{self, Jvm, Launch};
use crate::rig::ports;
use std::fs;
use std::time::{Duration, Instant};

/// Starts a broker in a folder of its own. It registers with no NameServer: the generator needs none.
pub fn start(stage: &Stage, classpath: &str, name: &str, settings: &[&str]) -> Result<Jvm, String> {
    let home = stage.folder.path().join(name);
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let port = ports::free(&[-2, 0, 1], &mut Vec::new())?;
    let mut lines = vec![
        format!("listenPort={port}"),
        format!("haListenPort={}", port + 1),
        format!("brokerName={name}"),
        "brokerIP1=127.0.0.1".to_owned(),
        format!("storePathRootDir={}", home.join("store").display()),
        format!("storePathCommitLog={}", home.join("store/commitlog").display()),
        // It refuses what has waited for 200 ms, which a pause of its collector is enough for. A refusal would be no good run.
        "waitTimeMillsInSendQueue=10000".to_owned(),
        "osPageCacheBusyTimeOutMills=10000".to_owned(),
    ];
    lines.extend(settings.iter().map(|setting| (*setting).to_owned()));
    let file = home.join("broker.conf");
    fs::write(&file, lines.join("\n")).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut options = jvm::options(HEAP);
    options.extend(OPTIONS.iter().map(|option| (*option).to_owned()));
    options.push(format!("-Duser.home={}", home.display()));
    let arguments = ["-c".to_owned(), file.display().to_string()];
    let launch = Launch { options: &options, classpath, main: MAIN, arguments: &arguments, home: &home, port };
    Jvm::start(&launch, stage.folder.path())
}

/// Loads it with everything that it will be measured with.
pub fn warm_up(stage: &Stage, jvm: &Jvm, seconds: f64) {
    let began = Instant::now();
    let loads =
        ["send -c 16 -w 16 -t warm", "send -c 64 -w 1 -t warm", "send -c 4 -w 4 --batch 32 --body 100 -t warm", "pull -c 8 -w 1 -t warm"];
    let each = (seconds / 8.0).max(1.0);
    for words in loads.into_iter().cycle() {
        // Nothing of it counts: a check that fails, because its queues are far behind its log, is printed and no more.
        if let Err(why) = stage.bench_for(&jvm.address, words, each, 0.0) {
            println!("   while warming up: {why}");
        }
        if began.elapsed() >= Duration::from_secs_f64(seconds) {
            break;
        }
    }
}

/// What its heap is given; the script that comes with it asks for 8 GiB.
pub const HEAP: &str = "2g";
const MAIN: &str = "org.apache.rocketmq.broker.BrokerStartup";
const OPTIONS: &[&str] = &[
    "-XX:MaxDirectMemorySize=1g",
    // A disk that is nearly full for other reasons must not stop it.
    "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
    "-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.98",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
];
