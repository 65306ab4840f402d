//! A broker as the tests start it: on the loopback, with one shard and small files.

use roxmq_broker::Setup;
use roxmq_broker::settings::BrokerConfig;
use roxmq_env::clock::Clock;
use roxmq_env::disk::Disk;
use roxmq_env::randomness::Randomness;
use roxmq_remoting::address::Advertised;

/// These settings, on the loopback.
pub fn small(config: BrokerConfig) -> BrokerConfig {
    BrokerConfig {
        listen_port: 0,
        bind_address: [127, 0, 0, 1].into(),
        broker_name: "b".into(),
        shards: 1,
        segment_bytes: 16 << 20,
        ..config
    }
}

/// What such a broker is started with.
pub fn setup(config: BrokerConfig, clock: &Clock, disk: Disk) -> Setup {
    Setup { config, advertised: Advertised::Configured("127.0.0.1".into()), clock: clock.clone(), disk, randomness: Randomness::seeded(0) }
}
