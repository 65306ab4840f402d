//! Which requests are declared?

use super::row::Row;
use super::{admin, client, names, pull, relay, send};

/// The codes of the requests that a broker sends to a client.
pub fn asked_of_clients() -> Vec<i32> {
    relay::TABLE.iter().map(|row| row.code).collect()
}

/// Every declared request, by code.
pub fn table() -> Vec<Row> {
    let mut rows = [send::TABLE, pull::TABLE, client::TABLE, admin::TABLE, names::TABLE, relay::TABLE].concat();
    rows.sort_by_key(|row| row.code);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_declared_twice() {
        let rows = table();
        for pair in rows.windows(2) {
            assert_ne!(pair[0].code, pair[1].code, "{} and {}", pair[0].name, pair[1].name);
        }
    }
}
