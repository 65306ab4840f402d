//! Handlers, a file for each subject: each takes the NameServer and a typed request, and says what is answered.

pub(crate) mod config;
pub(crate) mod keys;
pub(crate) mod lists;
pub(crate) mod registration;
pub(crate) mod topics;

use roxmq_protocol::json::{self, Dialect};
use roxmq_remoting::{Answer, Call};
use serde::Serialize;

use crate::error::Refusal;
use crate::table::Viewer;

/// A handler's answer.
pub(crate) type Handled = Result<Answer, Refusal>;

/// Success with a body as all clients read it.
fn with_body(body: &impl Serialize) -> Handled {
    Ok(Answer::body(json::to_vec(body, Dialect::Fastjson)))
}

/// The client, as the table has to know it for the addresses in an answer.
fn viewer(call: &Call<'_>) -> Viewer {
    Viewer { client: call.peer.remote().ip(), dialled: call.peer.met_as().ip() }
}

/// The zone of a broker or a client, in a field that Java's RPC hooks add (`MixAll.ZONE_NAME`).
const ZONE_NAME: &str = "__ZONE_NAME";
/// Whether a client wants brokers of its zone only (`MixAll.ZONE_MODE`).
const ZONE_MODE: &str = "__ZONE_MODE";
