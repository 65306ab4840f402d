//! How do the roles start and stop?

use crate::screen::{self, BrokerReady, NameServerReady, Ready};
use crate::settings::{self, Settings};
use roxmq_broker::settings::BrokerConfig;
use roxmq_broker::{RunningBroker, Setup};
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_env::randomness::Randomness;
use roxmq_nameserver::BrokerIdentity;
use roxmq_remoting::address::Advertised;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// How long the screen waits for the NameServers to know the broker. A NameServer that is down does not hold the broker up.
const REGISTRATION_PATIENCE: Duration = Duration::from_millis(200);
/// The variable that says what is logged, in the form of `tracing_subscriber`'s filter.
const LOG_VARIABLE: &str = "ROXMQ_LOG";
/// What is logged without it.
const LOG_DEFAULT: &str = "info";

/// Runs the roles until SIGTERM or Ctrl-C.
///
/// # Errors
/// When a role cannot start. What had started is stopped.
pub fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    start_log();
    raise_file_limit();
    // From the start, so that a stop that comes while the roles start is a clean one too.
    let stop = StopSignals::listen()?;
    let (clock, disk) = (Clock::system(), Disk::real());
    let Settings { nameserver, broker, .. } = settings;

    let own = broker.as_ref().map(|config| BrokerIdentity {
        cluster: config.broker_cluster_name.clone(),
        broker_name: config.broker_name.clone(),
        broker_id: config.broker_id as i64,
    });
    let nameserver = nameserver.map(|config| roxmq_nameserver::serve(config, own, clock.clone(), disk.clone())).transpose()?;
    let mut ready = Ready { nameserver: nameserver.as_ref().map(|running| NameServerReady { listen: running.address() }), broker: None };
    let broker = match broker {
        Some(mut config) => {
            if let Some(nameserver) = &nameserver {
                settings::register_with_own(&mut config, nameserver.address().port());
            }
            let (running, shown) = start_broker(config, clock, disk)?;
            ready.broker = Some(shown);
            Some(running)
        }
        None => None,
    };

    print_screen(&ready);
    stop.wait();
    // The NameServer first: it closes its connections while its routes are complete, and clients go on with the routes that they have, or ask
    // another one. After the broker's goodbye it would answer that there is no such topic.
    if let Some(nameserver) = nameserver {
        broker.iter().for_each(RunningBroker::about_to_stop);
        nameserver.stop();
    }
    if let Some(broker) = broker {
        broker.stop();
    }
    info!("stopped");
    Ok(())
}

fn start_broker(config: BrokerConfig, clock: Clock, disk: Disk) -> Result<(RunningBroker, BrokerReady), Box<dyn Error>> {
    let advertised = Advertised::of_this_machine(config.broker_ip1.as_deref(), config.bind_address);
    let shown = BrokerReady {
        name: config.broker_name.clone(),
        cluster: config.broker_cluster_name.clone(),
        listen: (config.bind_address, config.listen_port).into(),
        fast_port: Some(config.fast_listen_port()),
        advertised: String::new(),
        auto: matches!(advertised, Advertised::Found(_)),
        nameservers: config.namesrv_addr.clone(),
        data: std::path::absolute(&config.store_root)?,
        flush: config.flush_disk_type.to_string(),
        in_container: is_in_container(),
    };
    let running = RunningBroker::start(Setup { config, advertised, clock, disk, randomness: Randomness::system() })?;
    let (known, asked) = running.broker().wait_registered(REGISTRATION_PATIENCE);
    if known < asked {
        warn!(known, asked, "not every NameServer has answered yet; registration goes on");
    }
    let shown = BrokerReady { advertised: running.broker().address().to_owned(), ..shown };
    Ok((running, shown))
}

fn print_screen(ready: &Ready) {
    // The reader of the output may be gone.
    let mut out = std::io::stdout();
    let _ = out.write_all(screen::text(env!("CARGO_PKG_VERSION"), ready).as_bytes());
    let _ = out.flush();
}

fn start_log() {
    let filter = match std::env::var(LOG_VARIABLE) {
        Ok(wanted) => EnvFilter::try_new(&wanted).unwrap_or_else(|error| {
            eprintln!("roxmq: warning: {LOG_VARIABLE}={wanted} has no effect: {error}");
            EnvFilter::new(LOG_DEFAULT)
        }),
        Err(_) => EnvFilter::new(LOG_DEFAULT),
    };
    // Colours are for terminals: in a file their codes would stand between the words (and see no-color.org).
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = std::io::stderr().is_terminal() && !no_color;
    // A line that cannot be written, to a full disk for example, is lost. Reporting it on the same standard error would end the thread.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    log.log_internal_errors(false).with_target(false).init();
}

/// Each connection is a file: take as many as the system lets us have.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        warn!(%error, "the number of open files could not be raised");
    }
}

#[expect(clippy::disallowed_methods, reason = "it asks about the machine, not about data")]
fn is_in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
        || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// SIGTERM and Ctrl-C.
struct StopSignals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<StopSignals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        drop(entered);
        Ok(StopSignals { runtime, terminate, interrupt })
    }

    /// Waits for the first of them, also when it came before.
    fn wait(mut self) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.terminate.recv() => info!("stopping: SIGTERM"),
                _ = self.interrupt.recv() => info!("stopping: interrupted"),
            }
        });
    }
}
