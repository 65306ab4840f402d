//! What do the sends of a shard share?

use super::destinations::Destinations;
use super::stamp::Stamp;
use crate::broker::Broker;
use crate::settings::BrokerConfig;
use roxmq_protocol::properties::Properties;
use roxmq_protocol::unique_key::UniqueKeys;
use smallvec::SmallVec;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// Its address.
    pub address: SocketAddr,
    /// The address at which it reaches the broker.
    pub met_as: SocketAddr,
    /// Its version.
    pub version: i32,
}

/// Settings and buffers that sends of a shard use one after the other.
pub struct Flow {
    /// The settings: if each send looked them up, the shards' threads would wait for each other.
    pub config: Arc<BrokerConfig>,
    /// The stamp that follows from them.
    pub(super) stamp: Stamp,
    /// How often the settings had changed when they were read.
    pub(super) as_of: u64,
    pub(super) given: String,
    pub(super) properties: String,
    pub(super) msg_id: String,
    pub(super) unique: UniqueKeys,
    pub(super) destinations: Destinations,
}

impl Flow {
    /// Empty buffers.
    pub fn new(broker: &Broker) -> Flow {
        let as_of = broker.settings.changes();
        let config = broker.config();
        Flow {
            stamp: Stamp::of(&config),
            config,
            as_of,
            given: String::new(),
            properties: String::new(),
            msg_id: String::new(),
            unique: UniqueKeys::new(std::process::id() as u16, 1 + broker.randomness.below(u32::MAX)),
            destinations: Destinations::default(),
        }
    }

    /// Takes the present settings. A client whose change of settings was answered finds them changed.
    pub fn refresh(&mut self, broker: &Broker) {
        let as_of = broker.settings.changes();
        if self.as_of != as_of {
            self.as_of = as_of;
            self.config = broker.config();
            self.stamp = Stamp::of(&self.config);
        }
    }

    /// Writes the properties of a message that is being stored to `properties`, see [`Stamp::write_stored`].
    pub(super) fn write_stored(&mut self, sender: Sender, given: Properties<'_>, or_key: &str) -> bool {
        self.stamp.write_stored(&mut self.properties, &self.config, sender.address, given, or_key)
    }
}

/// A unique key. Those of clients have 32 bytes, and need no allocation.
pub struct UniqueKey(SmallVec<[u8; 32]>);

impl UniqueKey {
    /// A copy of this one.
    pub fn of(key: &str) -> UniqueKey {
        UniqueKey(SmallVec::from_slice(key.as_bytes()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        // It was text when it was made.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
