//! Which figures does the broker show to tools (28, 315, 907)? Follows Java's `AdminBrokerProcessor`.

use crate::broker::Broker;
use crate::counts::statistics::Statistic;
use crate::error::Refusal;
use crate::names;
use crate::waiting::delay::levels::DelayLevel;
use crate::waiting::transaction;
use roxmq_protocol::body::{HaRuntimeInfo, KVTable};
use roxmq_protocol::json::{self, Dialect};
use roxmq_protocol::request;
use roxmq_remoting::{Answer, Call};
use std::collections::BTreeMap;
use std::time::Duration;

/// Version text that tools show and the exporter compares: the RocketMQ release whose behaviour this is.
const VERSION_SHOWN: &str = "V5_5_0";

/// Code 28. Every key that `clusterList`, the Dashboard and the exporter read is there and parses.
pub fn runtime_info(broker: &Broker, _: &Call<'_>, _: request::RuntimeInfo) -> Result<Answer, Refusal> {
    Ok(Answer::body(json::to_vec(&KVTable { table: runtime_table(broker) }, Dialect::Fastjson)))
}

fn runtime_table(broker: &Broker) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    let mut put = |key: &str, value: String| drop(table.insert(key.to_owned(), value));
    let config = broker.config();
    let now = broker.clock.elapsed();
    let now_ms = broker.clock.now_ms();
    let totals = broker.counts.figures.totals(now);
    let store = broker.store.stats();
    let watermarks = broker.store.watermarks();

    put("brokerVersionDesc", VERSION_SHOWN.into());
    put("brokerVersion", roxmq_protocol::header::OUR_VERSION.to_string());
    put("brokerActive", "true".into());
    put("bootTimestamp", broker.identity.started.to_string());
    put("runtime", up_time(now_ms - broker.identity.started.0));
    put("startAcceptSendRequestTimeStamp", config.accept_sends_from_ms.to_string());

    put("putTps", broker.counts.figures.rates(now, |totals| totals.put_messages));
    put("getFoundTps", broker.counts.figures.rates(now, |totals| totals.gets_found));
    put("getMissTps", broker.counts.figures.rates(now, |totals| totals.gets_missed));
    put("getTotalTps", broker.counts.figures.rates(now, |totals| totals.gets_found + totals.gets_missed));
    let transferred = broker.counts.figures.rates(now, |totals| totals.got_messages);
    put("getTransferredTps", transferred.clone());
    // Tools of the 4.x line read the key in its old spelling.
    put("getTransferedTps", transferred);
    put("putMessageTimesTotal", totals.put_messages.to_string());
    put("putMessageFailedTimes", totals.put_failures.to_string());
    put("putMessageSizeTotal", totals.put_bytes.to_string());
    put("putMessageAverageSize", format!("{:.1}", totals.put_bytes as f64 / totals.put_messages.max(1) as f64));
    // Times inside the store are not measured: its mutex is held for microseconds, and no queue forms before it.
    put("putMessageDistributeTime", DISTRIBUTION_EMPTY.into());
    for key in ["putMessageEntireTimeMax", "getMessageEntireTimeMax", "pageCacheLockTimeMills", "dispatchMaxBuffer"] {
        put(key, "0".into());
    }
    put("putLatency99", "0.00".into());
    put("putLatency999", "0.00".into());

    put("commitLogMinOffset", broker.store.min_log_offset().0.to_string());
    put("commitLogMaxOffset", broker.store.visible_end().0.to_string());
    // Not one of Java's: bytes of the log that were missing at the start.
    put("commitLogMissingBytes", broker.store.missing().bytes().to_string());
    put("dispatchBehindBytes", "0".to_owned());
    put("remainHowManyDataToFlush", shown_bytes((watermarks.written().0 - watermarks.flushed().0).max(0) as u64));
    put("remainHowManyDataToCommit", shown_bytes(0));
    put("remainTransientStoreBufferNumbs", i32::MAX.to_string());
    put("earliestMessageTimeStamp", broker.store.earliest_store_time().map_or(-1, |time| time.0).to_string());
    let ratio = store.disk_used_ratio.to_string();
    put("commitLogDiskRatio", ratio.clone());
    let folder = config.commit_log_dir.clone().unwrap_or_else(|| config.store_root.join("commitlog"));
    put(&format!("commitLogDiskRatio_{}", folder.display()), ratio.clone());
    put("consumeQueueDiskRatio", ratio);
    let (total, free) = (store.disk_total_bytes, store.disk_free_bytes);
    put("commitLogDirCapacity", format!("Total : {}, Free : {}.", shown_bytes(total), shown_bytes(free)));

    let [yesterday, today] = broker.counts.figures.mornings();
    put("msgPutTotalYesterdayMorning", yesterday.0.to_string());
    put("msgPutTotalTodayMorning", today.0.to_string());
    put("msgPutTotalTodayNow", totals.put_messages.to_string());
    put("msgGetTotalYesterdayMorning", yesterday.1.to_string());
    put("msgGetTotalTodayMorning", today.1.to_string());
    put("msgGetTotalTodayNow", totals.got_messages.to_string());

    // There are no queues before threads here: a request is handled in the turn in which it is read.
    let capacities = [
        ("send", config.sends_waiting_max),
        ("pull", config.pulls_waiting_max),
        ("litePull", config.pulls_waiting_max),
        ("query", config.pulls_waiting_max),
        ("ack", config.pulls_waiting_max),
    ];
    for (name, capacity) in capacities {
        put(&format!("{name}ThreadPoolQueueSize"), "0".into());
        put(&format!("{name}ThreadPoolQueueCapacity"), capacity.to_string());
        put(&format!("{name}ThreadPoolQueueHeadWaitTimeMills"), "0".into());
    }
    put("EndTransactionQueueSize", broker.waiting.decisions.waiting_count().to_string());
    put("EndTransactionThreadPoolQueueCapacity", transaction::decisions::WAITING_MAX.to_string());
    // As in Java, levels that were never used are left out.
    for level in 1..=config.delay_ladder.levels_ms().len() as i32 {
        let max = broker.store.bounds(names::DELAY_TOPIC, DelayLevel(level).queue_id()).map_or(0, |(_, max)| max.0);
        if max > 0 {
            put(&format!("scheduleMessageOffset_{level}"), format!("{},{max}", broker.waiting.delay_cursors.cursor(DelayLevel(level))));
        }
    }
    // Timed messages are read when they are nearly due, so reading is never behind.
    for key in ["timerReadBehind", "timerOffsetBehind"] {
        put(key, "0".into());
    }
    put("timerCongestNum", broker.waiting.timers.waiting_count().to_string());
    for key in ["timerEnqueueTps", "timerDequeueTps"] {
        put(key, "0.0".into());
    }
    put("topicCount", broker.tables.topics.count().to_string());
    put("groupCount", broker.tables.groups.count().to_string());
    // Not one of Java's: messages that were parked.
    put("messagesParked", broker.counts.figures.parked_messages().to_string());
    // Not one of Java's: groups whose members subscribe differently at this moment.
    put("groupsSubscribedDifferently", broker.tables.clients.groups_at_odds().to_string());
    table
}

const DISTRIBUTION_EMPTY: &str = "[<=0ms]:0 [0~10ms]:0 [10~50ms]:0 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 [1~2s]:0 \
                                  [2~3s]:0 [3~4s]:0 [4~5s]:0 [5~10s]:0 [10s~]:0 ";

/// As Java words it: `[ 0 days, 1 hours, 2 minutes, 3 seconds ]`.
fn up_time(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("[ {days} days, {hours} hours, {minutes} minutes, {} seconds ]", seconds % 60)
}

fn shown_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Code 315.
pub fn statistic(broker: &Broker, _: &Call<'_>, request: request::BrokerStats<'_>) -> Result<Answer, Refusal> {
    let now: Duration = broker.clock.elapsed();
    let figures =
        Statistic::named(&request.stats_name).and_then(|statistic| broker.counts.statistics.figures(statistic, &request.stats_key, now));
    match figures {
        Some(figures) => Ok(Answer::body(json::to_vec(&figures, Dialect::Fastjson))),
        None => Err(Refusal::Failed(format!("The stats <{}> <{}> not exist", request.stats_name, request.stats_key))),
    }
}

/// Code 907: a master without replicas.
pub fn replication(broker: &Broker, _: &Call<'_>, _: request::HaStatus) -> Result<Answer, Refusal> {
    let body = HaRuntimeInfo { master: true, master_commit_log_max_offset: broker.store.visible_end().0, ..HaRuntimeInfo::default() };
    Ok(Answer::body(json::to_vec(&body, Dialect::Fastjson)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::BrokerConfig;
    use crate::testing::{self, TOPIC, close, put, try_open};
    use roxmq_env::clock::Clock;
    use roxmq_env::disk::SimDisk;

    #[test]
    fn missing_files_of_the_log_are_shown_or_refuse_the_start() {
        let (sim, clock) = (SimDisk::new(1), Clock::manual(testing::NOW_MS));
        let open = |start_with_missing_log| try_open(&sim.disk(), &clock, BrokerConfig { start_with_missing_log, ..testing::config() });
        let broker = open(false).unwrap();
        while broker.store.stats().segments < 4 {
            put(&broker, TOPIC, 0, "", &"body".repeat(100));
            broker.store.tick();
        }
        assert_eq!(runtime_table(&broker)["commitLogMissingBytes"], "0");
        let folder = broker.config().store_root.join("commitlog");
        close(broker);
        sim.disk().remove(&folder.join(format!("{:020}", 16 << 10))).unwrap();
        let refused = open(false).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("16384 bytes of the commit log are missing") && refused.contains("startWithMissingLog"), "{refused}");
        let broker = open(true).unwrap();
        assert_eq!(runtime_table(&broker)["commitLogMissingBytes"], "16384");
        close(broker);
    }
}
