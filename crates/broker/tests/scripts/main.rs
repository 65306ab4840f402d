//! Scripts of what clients and tools ask of a broker, and what they hear: over real sockets, on a simulated disk and a clock that stands
//! still. What Java answers to the same requests is in the Java client's suite. The steps of every script are described in `roxmq_scripts`, those
//! that only a broker knows in `world.rs`.
//!
//! `cargo test -p roxmq-broker --test scripts send/` plays the scripts of a folder; `UPDATE=1` writes what was seen into them. Every
//! request has a script in the folder that is named as its handler's file.

#![allow(clippy::disallowed_methods, reason = "tests are their own world")]

#[path = "../common/mod.rs"]
mod common;
mod messages;
mod world;

use roxmq_scripts::Route;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let routes = roxmq_broker::served().into_iter().map(|served| {
        let capability = match served.handler.split_once("::") {
            Some((file, _)) => file,
            None if served.lane == "Send" => "send",
            None if served.lane == "Pull" => "pull",
            None => "transactions",
        };
        Route { code: served.code, name: served.name, capability }
    });
    roxmq_scripts::run::<world::Broker>(&folder, routes.collect())
}
