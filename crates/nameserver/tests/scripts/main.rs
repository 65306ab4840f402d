//! Scripts of what clients, brokers and tools ask of a NameServer, and what they hear: over real sockets, on a simulated disk and a clock
//! that stands still. Most answers are those of Java's NameServer of 5.5.0; a script says where ours differ on purpose. The steps of every
//! script are explained in `roxmq_scripts`, those that only a NameServer knows in `world.rs`.
//!
//! `cargo test -p roxmq-nameserver --test scripts topics/` plays the scripts of a folder; `UPDATE=1` writes what was seen into them. Every
//! request has a script in the folder that is named as its handler's file.

mod world;

use roxmq_scripts::Route;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let routes = roxmq_nameserver::served().into_iter().map(|served| {
        let capability = served.handler.split_once("::").map_or("", |(file, _)| file);
        Route { code: served.code, name: served.name, capability }
    });
    roxmq_scripts::run::<world::NameServer>(&folder, routes.collect())
}
