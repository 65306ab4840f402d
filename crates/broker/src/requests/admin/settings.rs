//! Which settings are in force, and how do tools change them (25, 26)? Follows Java's `AdminBrokerProcessor`.

use crate::broker::Broker;
use crate::error::Refusal;
use crate::settings::BrokerConfig;
use crate::settings::store::retention;
use crate::tables::system;
use roxmq_config::{ConfigError, Table, Update, properties};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request::{self, VersionReply};
use roxmq_remoting::{Answer, Call};
use std::io;
use std::path::Path;
use std::time::Duration;
use tracing::{info, warn};

/// Code 26.
pub fn current(broker: &Broker, _: &Call<'_>, _: request::BrokerConfig) -> Result<Answer, Refusal> {
    let version = json::to_vec(&*broker.settings.version.lock(), Dialect::Standard);
    let version = String::from_utf8_lossy(&version).into_owned();
    Ok(Answer::body(broker.config().to_properties().into_bytes()).fields(VersionReply { version: version.into() }))
}

/// Code 25. The remark names settings that take effect later or never.
pub fn update(broker: &Broker, call: &Call<'_>, _: request::UpdateBrokerConfig) -> Result<Answer, Refusal> {
    let text = std::str::from_utf8(call.body).map_err(|_| Refusal::Failed("the settings are not UTF-8".into()))?;
    // The file is written before the settings are in force; reading settings does not wait for that.
    let _turn = broker.settings.turn.lock();
    let config = broker.config();
    let update: Update<BrokerConfig> = Update::parse(&*config, text).map_err(|error| match error {
        ConfigError::Forbidden { .. } => Refusal::Forbidden(error.to_string()),
        other => Refusal::Failed(other.to_string()),
    })?;
    if let Some(path) = &config.config_path {
        save(broker, path, &update).map_err(|error| Refusal::Failed(error.to_string()))?;
    }
    info!(changed = ?update.changed, after_restart = ?update.after_restart, "changed settings");
    update.notices.iter().for_each(|notice| warn!("{notice}"));
    let mut answer = Answer::ok();
    answer.remark = update.remark().map(Into::into);
    put_in_force(broker, update.running);
    let mut version = broker.settings.version.lock();
    *version = version.next(broker.clock.now_ms(), 0);
    Ok(answer)
}

/// Puts settings into force, with all that follows from them.
fn put_in_force(broker: &Broker, settings: BrokerConfig) {
    broker.store.set_retention(retention(&settings));
    broker.store.set_flush_interval(Duration::from_millis(settings.flush_interval_ms));
    // Some system topics exist only with a setting.
    system::add_system_topics(&broker.tables.topics, &settings);
    broker.settings.put(settings);
    // The permission, order and limits of topics travel with the registration.
    broker.tables.topics.touch();
    broker.announcements.registration.settings_changed();
    broker.shards.recheck();
}

/// Writes the changes into the file that the broker was started with.
fn save(broker: &Broker, path: &Path, update: &Update<BrokerConfig>) -> io::Result<()> {
    let unreadable = |what: String| io::Error::other(format!("{}: {what}", path.display()));
    let text = String::from_utf8(broker.disk.read(path)?.unwrap_or_default()).map_err(|error| unreadable(error.to_string()))?;
    let merged = properties::merge(&text, &update.saved).map_err(|bad| unreadable(format!("line {} cannot be read", bad.line)))?;
    broker.disk.replace_atomically(path, merged.as_bytes())
}
