//! Which requests are there, and what are their fields? Every request code is one typed declaration.
//!
//! A declaration gives the codec, the server's route, the client's call and a row of `docs/requests.md`. A field is required if the
//! handler cannot do without it, not if Java has `@CFNotNull`, which Java itself does not enforce.

mod admin;
mod client;
mod declare;
mod field;
mod names;
mod pull;
mod relay;
mod row;
mod send;
mod subject;
mod table;

pub use admin::*;
pub use client::*;
pub use declare::{HeaderFields, Request};
pub use field::{Field, FieldError, Text};
pub use names::*;
pub use pull::*;
pub use relay::*;
pub use row::Row;
pub use send::*;
pub use subject::{Resource, Subject};
pub use table::{asked_of_clients, table};

#[cfg(test)]
mod tests;
