//! What is answered about the key-value configuration?

use roxmq_protocol::request::{DeleteKv, KvNamespace, KvValueReply, PutKv, ReadKv};
use roxmq_remoting::{Answer, Call};

use super::{Handled, with_body};
use crate::error::Refusal;
use crate::nameserver::NameServer;

/// Stores a value.
pub(crate) fn put(server: &NameServer, _: &Call<'_>, request: PutKv<'_>) -> Handled {
    server.kv.lock().put(&request.namespace, &request.key, &request.value)?;
    Ok(Answer::ok())
}

/// Gives a value.
pub(crate) fn read(server: &NameServer, _: &Call<'_>, request: ReadKv<'_>) -> Handled {
    match server.kv.lock().value(&request.namespace, &request.key) {
        Some(value) => Ok(Answer::with(KvValueReply { value: value.to_owned().into() })),
        None => Err(Refusal::NoValue { namespace: request.namespace.into_owned(), key: request.key.into_owned() }),
    }
}

/// Removes a value.
pub(crate) fn delete(server: &NameServer, _: &Call<'_>, request: DeleteKv<'_>) -> Handled {
    server.kv.lock().delete(&request.namespace, &request.key)?;
    Ok(Answer::ok())
}

/// Gives all values of a namespace.
pub(crate) fn namespace(server: &NameServer, _: &Call<'_>, request: KvNamespace<'_>) -> Handled {
    match server.kv.lock().namespace(&request.namespace) {
        Some(table) => with_body(&table),
        None => Err(Refusal::NoNamespace(request.namespace.into_owned())),
    }
}
