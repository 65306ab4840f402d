//! How are the settings of a running NameServer read and changed?

use std::sync::Arc;

use roxmq_config::{ConfigError, Origin, Table, Update, properties};
use roxmq_protocol::request::{NameServerConfig, UpdateNameServerConfig};
use roxmq_remoting::{Answer, Call};
use tracing::{info, warn};

use super::Handled;
use crate::nameserver::NameServer;

/// Takes settings that take effect now, and saves them and the others for the next start; or does nothing.
pub(crate) fn update(server: &NameServer, call: &Call<'_>, _: UpdateNameServerConfig) -> Handled {
    let _one_at_a_time = server.changing.lock();
    let config = server.config();
    let update = Update::parse(&*config, &String::from_utf8_lossy(call.body))?;
    let saved = server.disk.read(&config.config_path)?.unwrap_or_default();
    let merged = properties::merge(&String::from_utf8_lossy(&saved), &update.saved)
        .map_err(|bad| ConfigError::Syntax { origin: Origin::File { path: config.config_path.display().to_string(), line: bad.line } })?;
    if let Some(folder) = config.config_path.parent() {
        server.disk.create_dir_all(folder)?;
    }
    server.disk.replace_atomically(&config.config_path, merged.as_bytes())?;
    info!(changed = ?update.changed, after_restart = ?update.after_restart, "changed settings");
    update.notices.iter().for_each(|notice| warn!("{notice}"));
    let mut answer = Answer::ok();
    answer.remark = update.remark().map(Into::into);
    *server.config.write() = Arc::new(update.running);
    Ok(answer)
}

/// All settings as properties text.
pub(crate) fn read(server: &NameServer, _: &Call<'_>, _: NameServerConfig) -> Handled {
    Ok(Answer::body(server.config().to_properties().into_bytes()))
}
