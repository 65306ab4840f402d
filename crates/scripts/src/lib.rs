//! Scripts of requests and their answers, for tests of a server: what is in a script, how it is played, and which requests have one.
//!
//! A script is a text file. The lines that begin with `< ` are what the server answered; a test plays the other lines and compares.
//! `UPDATE=1 cargo test` writes the answers of today into the scripts, for the difference to be reviewed.
//!
//! ```text
//! # text                             a remark, or something the world asks for: see the test program
//! > a/CPP/407 34 topic=T             request 34 on connection `a`, by a client in that language and of that version (JAVA and 513 if not
//!                                    said), and its answer
//! > a/CPP/407/ROCKETMQ 34           the same, with a header in binary, as the answer's then has to be
//! >> a 11 topic=T                    the same, but its answer comes later; the server has seen it before the script goes on
//! > a 310! topic=T                   one way: there is no answer
//! > a@127.0.0.2 34                   the same, on a connection made to that address
//! {"a":1}                            the body of the request, if it has one
//! | text                             the same, for text that is no JSON; several such lines are several lines
//! |* 1025                            the same, so many letters
//! - KEYS=k;TAGS=t text               the same as a client's batch: a message for each line, with its properties
//! < 0 changed=true | "remark"        the answer's code, fields, remark
//! < {"a":1}                          its body; of settings and figures only those in the request's field `keys`
//! ? a                                waits for what comes next at `a`: an answer, or a request of the server that is no notice (40)
//! ? a code                           the same, and only its code is looked at
//! ? a notice                         waits for the next notice
//! = a {"a":1}                        `a` answers the server's last request with success and this body
//! = a 1 text                         the same, with this code and remark
//! x a                                `a` closes its connection, and the server has noticed before the script goes on
//! ```
//!
//! Everything else is up to the [`World`]. In values of fields, `\u0020` is a blank and `{*9}` stands for nine letters.
//!
//! `script.rs` reads a script, `suite.rs` makes tests of a folder of them, `connection.rs` and `connections.rs` are the clients, and
//! `shown.rs` says how an answer is written down.

#![allow(clippy::disallowed_methods, reason = "a tool: it measures and drives the real world")]

mod connection;
mod connections;
mod script;
mod shown;
mod suite;

pub use connections::{Connections, Probe};
pub use script::{Script, Step};
pub use shown::ShownBody;
pub use suite::{Route, World, run};
