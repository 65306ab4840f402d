//! How messages in a body are written down.

use roxmq_protocol::properties::name;
use roxmq_protocol::record::{Record, records};
use std::fmt::Write;
use std::net::SocketAddr;

/// What is written down of a message.
#[derive(Clone, Copy)]
pub enum Shows {
    /// Its body, and how often its producer was asked about it.
    Bodies,
    /// The same, and the addresses in it.
    Addresses,
    /// Its body, place, flags and properties.
    Everything,
}

/// The messages of a body; `None` when it has none.
pub fn shown(bytes: &[u8], shows: Shows) -> Option<String> {
    let records = records(bytes).collect::<Result<Vec<_>, _>>().ok()?;
    Some(match shows {
        Shows::Everything => records.iter().map(whole).collect::<Vec<_>>().join("\n< "),
        Shows::Bodies | Shows::Addresses => records.iter().map(|record| short(record, shows)).collect::<Vec<_>>().join(", "),
    })
}

fn short(record: &Record<'_>, shows: Shows) -> String {
    let checks = record.properties().find(name::TRANSACTION_CHECK_TIMES).map_or(String::new(), |times| format!(" checked {times}"));
    let addresses = if matches!(shows, Shows::Addresses) { addresses_in(record) } else { String::new() };
    format!("{}{checks}{addresses}", shown_body(record.body))
}

fn shown_body(body: &[u8]) -> String {
    if body.len() > 100 { format!("{} letters", body.len()) } else { String::from_utf8_lossy(body).into_owned() }
}

fn whole(record: &Record<'_>) -> String {
    let mut text = format!("{} {}@{} log {}", record.topic, record.queue_id, record.queue_offset, record.log_offset);
    for (name, value) in [
        ("flag", record.flag),
        ("sysFlag", record.sys_flag),
        ("reconsumeTimes", record.reconsume_times),
        ("prepared", record.prepared_transaction_offset as i32),
    ] {
        if value != 0 {
            write!(text, " {name}={value}").unwrap();
        }
    }
    let properties: Vec<String> = record.properties().iter().map(|(name, value)| format!("{name}={value};")).collect();
    write!(text, " {} {}", properties.concat(), shown_body(record.body)).unwrap();
    text
}

/// The address of the broker in a message and, if it is of the other kind, that of its producer, whose port differs each time.
fn addresses_in(record: &Record<'_>) -> String {
    let mut text = format!(" @{}", record.store_host);
    if record.born_host.ip().to_string() != "127.0.0.1" {
        write!(text, " by {}", record.born_host.ip()).unwrap();
    }
    if let Some(address) = record.properties().find(name::ROXMQ_BORN_HOST) {
        let address: SocketAddr = address.parse().unwrap();
        assert_eq!(address.port(), record.born_host.port());
        write!(text, ", really {}", address.ip()).unwrap();
    }
    if let Some(first) = record.properties().find(name::ORIGIN_MESSAGE_ID) {
        write!(text, " first {first}").unwrap();
    }
    text
}
