'use strict';

// Which behaviours does the Node client (ali-ons) find at a broker? One line per case.

const { runSuite } = require('./harness');
const send = require('./send');
const consume = require('./consume');
const business = require('./business');
const cluster = require('./cluster');

const sideBySide = {
  auto_created_topic: send.autoCreatedTopic,
  send_sync: send.oneByOne,
  send_async: send.allAtOnce,
  send_selected_queue: send.shardingKey,
  send_refused: send.refused,
  stored_properties: send.storedProperties,
  body_128_kib: send.body128KiB,
  body_compressed: send.bodyCompressed,
  properties_chinese: send.propertiesChinese,
  create_topic: send.createTopicAgain,
  push_clustering: consume.clustering,
  push_by_ipv6: consume.byIPv6,
  push_broadcasting: consume.broadcasting,
  push_tags: consume.tags,
  push_order_of_one_queue: consume.orderOfOneQueue,
  push_start_positions: consume.startPositions,
  push_without_subscription_in_pull: consume.subscriptionOfHeartbeat,
  retry_and_dead_letters: business.retryAndDeadLetters,
  delay_levels: business.delayLevels,
  namespaces: business.namespaces,
  topic_made_again: consume.topicMadeAgain,
  offset_queries: consume.offsetQueries,
  offsets_over_client_restart: consume.offsetsOverClientRestart,
  two_consumers_share_and_take_over: consume.shareAndTakeOver,
};

// These restart the broker, so they run alone, one after the other.
const alone = {
  offsets_over_broker_restart: consume.offsetsOverBrokerRestart,
  clients_live_through_broker_restart: consume.liveThroughBrokerRestart,
};

// These need two NameServers and two brokers, and run only when the last argument is "cluster".
const inCluster = {
  cluster_servers_lost: cluster.serversLost,
};

const names = process.argv.slice(2);
if (names[names.length - 1] === 'cluster') runSuite({}, inCluster, names.slice(0, -1));
else runSuite(sideBySide, alone, names);
