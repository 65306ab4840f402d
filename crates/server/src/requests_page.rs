//! `docs/requests.md` is made from the declarations and the routes. `UPDATE=1 cargo test -p roxmq requests_page` rewrites it.

use roxmq_protocol::request;
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "# Requests

Made from the declarations in `crates/protocol/src/request` and the routes of the roles; do not edit. Fields travel as text: `name` must be
there, `name?` may be missing, `name=x` is x when missing. Who serves it: `broker` with its lane (`send`, `pull` and `turn` run on the
connection's shard, `pool` on a few threads, `write` on others that may wait for the disk, `change` there and answered when it is durable, `decide` many at a time, `relay` waits for a
client), `NameServer`, or `client` for what a broker asks a client. `nobody yet` is no request that this version answers.

| code | name | served by | fields | what |
|---|---|---|---|---|
";

fn page() -> String {
    let lanes: std::collections::HashMap<i32, &str> = roxmq_broker::served().iter().map(|row| (row.code, row.lane)).collect();
    let names = roxmq_nameserver::served();
    let clients = request::asked_of_clients();
    let mut page = HEAD.to_owned();
    for row in request::table() {
        let mut by = Vec::new();
        if let Some(lane) = lanes.get(&row.code) {
            by.push(format!("broker ({lane})"));
        }
        if names.iter().any(|served| served.code == row.code) {
            by.push("NameServer".to_owned());
        }
        if clients.contains(&row.code) {
            by.push("client".to_owned());
        }
        let by = if by.is_empty() { "nobody yet".to_owned() } else { by.join(", ") };
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {} | {} | {by} | {} | {} |", row.code, row.name, row.wire_fields().join(", "), row.doc.trim());
    }
    page
}

#[test]
fn the_page_is_as_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/requests.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("docs/requests.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/requests.md is not what the code says; run the test with UPDATE=1");
}
