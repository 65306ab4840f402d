//! What can be asked, and what is answered: every request code as one typed declaration.
//!
//! A declaration gives the codec, the server's route, the client's call and a row of `docs/requests.md`. Whether a field must be
//! there is decided by what handlers can do without it, not by Java's `@CFNotNull`, which Java itself does not enforce.

mod admin;
mod client;
pub(crate) mod declare;
pub(crate) mod field;
mod names;
mod pull;
mod relay;
pub(crate) mod row;
mod send;
pub(crate) mod subject;
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
