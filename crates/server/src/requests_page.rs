//! `docs/requests.md` is made from the declarations and the routes. `UPDATE=1 cargo test -p roxmq requests_page` rewrites it.

use roxmq_protocol::request;
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "# Requests

Made from the declarations in `crates/protocol/src/request` and the routes of the roles; do not
edit. Fields travel as text: `name` must be there, `name?` may be missing, `name=x` is x when
missing.

Who serves a request:

- `broker`, with its lane: `send`, `pull` and `turn` run on the connection's shard, `pool` on a few
  threads, `write` on others that may wait for the disk, `change` there and answered when it is
  durable, `decide` many at a time, `relay` waits for a client;
- `NameServer`: `always`, or only when its table is `complete`;
- `client`: it is what a broker asks a client;
- `not served`: this version does not answer it.

What its sender must be allowed, which nothing checks yet: `publish` to the topic, `subscribe` for
the group, `admin` for operators and their tools, `internal` for brokers and NameServers, `any` for
what every client does.

What it is about: the `topic`s and consumer `group`s named in its fields, those named in its `body`,
or the `cluster` as a whole.

| code | name | served by | access | about | fields | what |
|---|---|---|---|---|---|---|
";

fn page() -> String {
    let brokers = roxmq_broker::served();
    let name_servers = roxmq_nameserver::served();
    let clients = request::asked_of_clients();
    let mut page = HEAD.to_owned();
    for row in request::table() {
        let (mut by, mut access) = (Vec::new(), Vec::new());
        for (role, served) in [("broker", &brokers), ("NameServer", &name_servers)] {
            for served in served.iter().filter(|served| served.code == row.code) {
                by.push(format!("{role} ({})", served.lane.to_lowercase()));
                access.push(format!("{:?}", served.access).to_lowercase());
            }
        }
        if clients.contains(&row.code) {
            by.push("client".to_owned());
        }
        let by = if by.is_empty() { "not served".to_owned() } else { by.join(", ") };
        let (access, fields) = (access.join(", "), row.wire_fields().join(", "));
        let about = row.about.join(", ").replace("TopicList", "Topic").to_lowercase();
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {} | {} | {by} | {access} | {about} | {fields} | {} |", row.code, row.name, row.doc.trim());
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
