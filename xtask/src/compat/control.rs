//! How does a suite, a program of its own, stop and start the servers?
//!
//! It calls the script in `COMPAT_CONTROL`, which is this program again as `xtask control SOCKET verb [name]`; that sends one line over a
//! unix socket to the `compat` task, which owns the servers, and prints the answer.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::servers::Servers;
use crate::rig::folder::Folder;

/// Starts answering and returns the path of the script for `COMPAT_CONTROL`.
pub fn serve(folder: &Folder, servers: Arc<Mutex<Servers>>) -> Result<PathBuf, String> {
    let socket = folder.path().join("control.sock");
    let listener = UnixListener::bind(&socket).map_err(|error| format!("{}: {error}", socket.display()))?;
    // Ends with the process; one connection at a time is what keeps verbs in order.
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            answer(connection, &servers);
        }
    });
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let script = folder.path().join("control");
    let text = format!("#!/bin/sh\nexec '{}' control '{}' \"$@\"\n", program.display(), socket.display());
    fs::write(&script, text)
        .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("{}: {error}", script.display()))?;
    Ok(script)
}

/// The `control` task: one request, its answer printed.
pub fn ask(arguments: &[String]) -> Result<(), String> {
    let [socket, request @ ..] = arguments else {
        return Err("usage: control SOCKET verb [name]".to_owned());
    };
    let talk = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        writeln!(stream, "{}", request.join(" "))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = talk().map_err(|error| format!("{socket}: {error}"))?;
    match answer.split_once('\n') {
        Some(("ok", text)) => {
            print!("{text}");
            Ok(())
        }
        Some(("failed", why)) => Err(why.trim_end().to_owned()),
        _ => Err("the compat task has ended".to_owned()),
    }
}

fn answer(connection: UnixStream, servers: &Mutex<Servers>) {
    let mut line = String::new();
    if BufReader::new(&connection).read_line(&mut line).is_err() {
        return;
    }
    let mut words = line.split_whitespace();
    let (verb, name) = (words.next().unwrap_or_default(), words.next());
    let done = match servers.lock() {
        Ok(mut servers) => obey(&mut servers, verb, name),
        Err(_) => Err("the compat task has failed".to_owned()),
    };
    let text = match done {
        Ok(text) => format!("ok\n{text}"),
        Err(why) => format!("failed\n{why}\n"),
    };
    // A suite that has gone does not need its answer.
    let _ = (&connection).write_all(text.as_bytes());
}

fn obey(servers: &mut Servers, verb: &str, name: Option<&str>) -> Result<String, String> {
    if verb == "status" {
        return Ok(servers.status());
    }
    let (action, kind) = verb.split_once('-').ok_or_else(|| format!("no verb {verb:?}"))?;
    let server = servers.find(kind, name)?;
    match action {
        "start" => servers.start(server),
        "stop" => servers.stop(server),
        "kill" => servers.kill(server),
        "restart" => servers.stop(server).and_then(|()| servers.start(server)),
        _ => Err(format!("no verb {verb:?}")),
    }
    .map(|()| String::new())
}
