//! How does a client meet a broker that answers wrongly? A proxy stands before the NameServer and the broker and falsifies answers.
//!
//! Routes name the broker's address, so the proxy puts its own there: both ports have five digits, so that no length changes.

use super::faults::Fault;
use super::plan::address;
use crate::rig::ports;
use roxmq_protocol::frame;
use roxmq_protocol::header;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The proxy. It passes frames on until this program ends.
pub struct Liar {
    /// Where it is the NameServer.
    pub nameserver: String,
    /// Where it is the broker.
    pub broker: String,
}

/// What the threads of the proxy know.
struct Known {
    fault: Fault,
    /// The broker's address, and the one that clients are to find instead.
    broker: [String; 2],
}

impl Liar {
    /// Starts before a NameServer and a broker, with one fault.
    pub fn start(fault: Fault, nameserver: &str, broker: &str) -> Result<Liar, String> {
        let mut taken = Vec::new();
        let [as_nameserver, as_broker] = [ports::free(&[0], &mut taken)?, ports::free(&[0], &mut taken)?];
        let liar = Liar { nameserver: address(as_nameserver), broker: address(as_broker) };
        let known = Arc::new(Known { fault, broker: [broker.to_owned(), liar.broker.clone()] });
        listen(&liar.nameserver, nameserver, &known)?;
        listen(&liar.broker, broker, &known)?;
        Ok(liar)
    }
}

/// Serves every client, in threads of its own.
fn listen(here: &str, server: &str, known: &Arc<Known>) -> Result<(), String> {
    let listener = TcpListener::bind(here).map_err(|error| format!("{here}: {error}"))?;
    let (server, known) = (server.to_owned(), Arc::clone(known));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A server that is gone refuses its clients as it would without a proxy: the connection ends.
            let Ok(server) = TcpStream::connect(&server) else { continue };
            pass_on(client, server, &known);
        }
    });
    Ok(())
}

/// Both directions of one connection.
fn pass_on(client: TcpStream, server: TcpStream, known: &Arc<Known>) {
    let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
    let codes = Arc::new(Mutex::new(HashMap::new()));
    let (known, asked) = (Arc::clone(known), Arc::clone(&codes));
    std::thread::spawn(move || {
        each_frame(from_client, server, |frame, bytes| {
            if let Ok(header) = header::read(frame) {
                asked.lock().unwrap_or_else(PoisonError::into_inner).insert(header.opaque, header.code);
            }
            bytes.to_vec()
        });
    });
    std::thread::spawn(move || {
        each_frame(from_server, client, |frame, bytes| {
            let Ok(header) = header::read(frame) else { return bytes.to_vec() };
            if !header.is_response() {
                return bytes.to_vec();
            }
            let code = codes.lock().unwrap_or_else(PoisonError::into_inner).remove(&header.opaque);
            let answer = code.and_then(|code| known.fault.falsify(code, frame)).unwrap_or_else(|| bytes.to_vec());
            let [from, to] = &known.broker;
            if code == Some(ROUTE) { replaced(answer, from.as_bytes(), to.as_bytes()) } else { answer }
        });
    });
}

/// Passes on what is made of each frame, until one side is gone.
fn each_frame(mut from: TcpStream, mut to: TcpStream, make: impl Fn(&frame::Frame<'_>, &[u8]) -> Vec<u8>) {
    let (mut input, mut some) = (Vec::new(), vec![0; 64 * 1024]);
    'all: while let Ok(read @ 1..) = from.read(&mut some) {
        input.extend_from_slice(&some[..read]);
        let mut done = 0;
        while let Ok(Some(frame)) = frame::split(&input[done..]) {
            let bytes = &input[done..done + frame.len];
            if to.write_all(&make(&frame, bytes)).is_err() {
                break 'all;
            }
            done += frame.len;
        }
        input.drain(..done);
    }
    for stream in [from, to] {
        // It may have ended already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// `bytes` with each `from` replaced by `to`, which is as long.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    for at in 0..bytes.len().saturating_sub(from.len() - 1) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

/// The request for a topic's route.
const ROUTE: i32 = 105;
