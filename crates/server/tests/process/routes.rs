//! What does a NameServer say of a topic that is there all the time, while the NameServer stops and starts?
//!
//! Somebody asks for the route again and again. It may be refused because the NameServer is not ready, and the connection may end; it may
//! never hear that there is no such topic, nor a route that lacks a broker.

use crate::running::free_ports;
use roxmq_protocol::body::TopicRouteData;
use roxmq_protocol::frame::{self, Encoding};
use roxmq_protocol::header::{self, Top};
use roxmq_protocol::json;
use roxmq_protocol::request::{HeaderFields, Request, RouteByTopic};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A broken test ends after this; nothing depends on it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked.
const PACE: Duration = Duration::from_millis(1);
/// A topic that every broker has.
const TOPIC: &str = "SELF_TEST_TOPIC";

struct Process(Child);

impl Process {
    fn start(words: &[String]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roxmq"));
        command.args(words).env("ROXMQ_LOG", "error").stdout(Stdio::null());
        Process(command.spawn().expect("the binary starts"))
    }

    fn stop(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().expect("kill runs");
        assert!(asked.success() && self.0.wait().expect("it ends").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn settings(role: Option<&str>, settings: &[String]) -> Vec<String> {
    role.map(str::to_owned).into_iter().chain(settings.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()])).collect()
}

fn nameserver(port: u16, folder: &Path) -> Vec<String> {
    let file = |name: &str| folder.join("namesrv").join(name).display().to_string();
    let paths = [format!("kvConfigPath={}", file("kvConfig.json")), format!("configStorePath={}", file("namesrv.properties"))];
    settings(Some("nameserver"), &[&[format!("listenPort={port}")][..], &paths].concat())
}

fn broker(name: &str, address: SocketAddr, nameserver: u16, folder: &Path) -> Vec<String> {
    let all = [
        format!("listenPort={}", address.port()),
        format!("brokerName={name}"),
        "brokerIP1=127.0.0.1".to_owned(),
        format!("namesrvAddr=127.0.0.1:{nameserver}"),
        format!("storePathRootDir={}", folder.join(name).display()),
    ];
    settings(Some("broker"), &all)
}

/// Asks for the topic's route until it is stopped.
struct Asker {
    seen: Arc<Mutex<Seen>>,
    stops: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// How many brokers a route had, and how often.
    routes: BTreeMap<usize, usize>,
    /// Other codes.
    codes: BTreeMap<i32, usize>,
}

impl Asker {
    fn start(port: u16) -> Asker {
        let (seen, stops) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (noted, ends) = (Arc::clone(&seen), Arc::clone(&stops));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::SeqCst) {
                if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
                    while let Some(brokers) = ask(&mut stream).filter(|_| !ends.load(Ordering::SeqCst)) {
                        let mut seen = noted.lock().expect("no panic");
                        *match brokers {
                            Ok(brokers) => seen.routes.entry(brokers).or_default(),
                            Err(code) => seen.codes.entry(code).or_default(),
                        } += 1;
                        drop(seen);
                        std::thread::sleep(PACE);
                    }
                }
                std::thread::sleep(PACE);
            }
        });
        Asker { seen, stops, thread }
    }

    /// Waits until routes have so many brokers.
    fn sees(&self, brokers: usize) {
        let started = Instant::now();
        while !self.seen.lock().expect("no panic").routes.contains_key(&brokers) {
            assert!(started.elapsed() < PATIENCE, "no route with {brokers} brokers");
            std::thread::sleep(PACE);
        }
    }

    /// Forgets what it saw.
    fn begin(&self) {
        *self.seen.lock().expect("no panic") = Seen::default();
    }

    /// From the beginning on it has only seen whole routes, or "not ready".
    fn has_seen_only(&self, brokers: usize) {
        let seen = self.seen.lock().expect("no panic");
        let Seen { routes, codes } = &*seen;
        assert!(routes.keys().all(|found| *found == brokers) && codes.keys().all(|code| *code == 1), "routes {routes:?}, codes {codes:?}");
    }

    /// From the beginning on it has only seen routes with as many brokers at least, or "not ready".
    fn has_seen_at_least(&self, brokers: usize) {
        let seen = self.seen.lock().expect("no panic");
        let Seen { routes, codes } = &*seen;
        assert!(routes.keys().all(|found| *found >= brokers) && codes.keys().all(|code| *code == 1), "routes {routes:?}, codes {codes:?}");
    }

    fn stop(self) {
        self.stops.store(true, Ordering::SeqCst);
        self.thread.join().expect("no panic");
    }
}

/// How many brokers there are, or why that is not said. `None` once the connection is gone.
fn ask(stream: &mut TcpStream) -> Option<Result<usize, i32>> {
    let request = RouteByTopic { topic: TOPIC.into(), accept_standard_json_only: Some(true) };
    let mut sent = Vec::new();
    header::write_frame(&mut sent, Encoding::Json, Top::request(1, RouteByTopic::CODE, false), |sink| request.write(sink), b"");
    stream.write_all(&sent).ok()?;
    let mut answer = vec![0; 4];
    stream.read_exact(&mut answer).ok()?;
    let length = u32::from_be_bytes([answer[0], answer[1], answer[2], answer[3]]) as usize;
    answer.resize(4 + length, 0);
    stream.read_exact(&mut answer[4..]).ok()?;
    let frame = frame::split(&answer).expect("a frame").expect("a whole one");
    let code = header::read(&frame).expect("a header").code;
    Some(match code {
        0 => Ok(json::from_slice::<TopicRouteData>(frame.body).expect("a route").broker_datas.len()),
        _ => Err(code),
    })
}

#[test]
fn both_roles_in_one_process_stop_and_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, port) = free_ports();
    let all = [
        format!("listenPort={}", address.port()),
        format!("nameserver.listenPort={port}"),
        "brokerIP1=127.0.0.1".to_owned(),
        format!("storePathRootDir={}", folder.path().display()),
    ];
    let words = settings(None, &all);
    let mut process = Process::start(&words);
    let asker = Asker::start(port);
    asker.sees(1);
    for _ in 0..3 {
        process.stop();
        asker.has_seen_only(1);
        asker.begin();
        process = Process::start(&words);
        asker.sees(1);
        asker.has_seen_only(1);
    }
    asker.stop();
}

#[test]
fn a_nameserver_of_its_own_stops_and_starts_beside_two_brokers() {
    let folder = tempfile::tempdir().expect("a folder");
    let ((first, port), (second, _)) = (free_ports(), free_ports());
    let mut process = Process::start(&nameserver(port, folder.path()));
    let brokers = [("a", first), ("b", second)].map(|(name, address)| Process::start(&broker(name, address, port, folder.path())));
    let asker = Asker::start(port);
    asker.sees(2);
    asker.begin();
    for how in ["stop", "kill", "lose the file"] {
        match how {
            "stop" => process.stop(),
            _ => drop(process),
        }
        asker.has_seen_only(2);
        asker.begin();
        if how == "lose the file" {
            std::fs::remove_dir_all(folder.path().join("namesrv")).expect("it was there");
        }
        process = Process::start(&nameserver(port, folder.path()));
        let started = Instant::now();
        asker.sees(2);
        println!("{how}: both brokers are back after {:?}", started.elapsed());
        // Without the file it waits for two seconds, and a slow machine may take longer over one of them.
        if how == "lose the file" { asker.has_seen_at_least(1) } else { asker.has_seen_only(2) }
    }
    asker.stop();
    drop(brokers);
}
