//! Which of the broker's settings are the store's?

use crate::settings::{BrokerConfig, FlushDiskType};
use roxmq_env::allocator;
use roxmq_store::{FlushMode, Retention, StoreConfig};
use std::time::Duration;

/// The settings with which the store is opened.
pub fn store_config(config: &BrokerConfig) -> StoreConfig {
    StoreConfig {
        root: config.store_root.clone(),
        commit_log_dir: config.commit_log_dir.clone(),
        segment_bytes: config.segment_bytes,
        flush: match config.flush_disk_type {
            FlushDiskType::SyncFlush => FlushMode::Sync,
            FlushDiskType::AsyncFlush => FlushMode::Async { interval: Duration::from_millis(config.flush_interval_ms) },
        },
        retention: retention(config),
        tail_checkpoint_bytes: config.tail_checkpoint_bytes,
        tail_memory_bytes: config.tail_memory_bytes,
        opens_with_missing: config.start_with_missing_log,
        asks_before_deletion: true,
        light_queues: config.serves_light_queues(),
        release_memory: allocator::give_back_what_is_free,
        ..StoreConfig::default()
    }
}

/// Those of them that may change while it is open.
pub fn retention(config: &BrokerConfig) -> Retention {
    Retention {
        file_reserved_hours: config.file_reserved_h,
        retention_bytes: config.retention_bytes,
        disk_reserve_bytes: config.disk_reserve_bytes,
        delete_unexpired_when_full: config.delete_unexpired_when_full,
    }
}
