"""Which behaviours does the C++ client, through its Python package `rocketmq`, find at a broker? One line per case."""

import business
import cluster
import consume
import send
from harness import run_suite

SIDE_BY_SIDE = {
    "auto_created_topic": send.auto_created_topic,
    "send_sync": send.one_by_one,
    "send_async": send.asynchronous,
    "send_oneway": send.oneway,
    "send_batch": send.batch,
    "send_selected_queue": send.selected_queue,
    "send_selected_queue_oneway": send.selected_queue_oneway,
    "send_refused": send.refused,
    "body_128_kib": send.body_128_kib,
    "body_compressed": send.body_compressed,
    "properties_chinese": send.properties_chinese,
    "push_clustering": consume.clustering,
    "push_by_ipv6": consume.by_ipv6,
    "push_broadcasting": consume.broadcasting,
    "push_tags": consume.tags,
    "push_order_of_one_queue": consume.order_of_one_queue,
    "push_orderly_listener": consume.orderly_listener,
    "retry": business.retry,
    "delay_levels": business.delay_levels,
    "pull": consume.pull,
    "pull_tags": consume.pull_tags,
    "pull_from_offset": consume.pull_from_offset,
    "offsets_over_client_restart": consume.offsets_over_client_restart,
    "two_consumers_share_and_take_over": consume.share_and_take_over,
}

# These restart the broker, so they run alone, one after the other.
ALONE = {
    "offsets_over_broker_restart": consume.offsets_over_broker_restart,
    "clients_live_through_broker_restart": consume.live_through_broker_restart,
}

# These need two NameServers and two brokers, and run alone and only when the last argument is "cluster".
IN_CLUSTER = {
    "cluster_servers_lost": cluster.servers_lost,
}

# These belong to a part of RoxMQ that is not built yet. They run against Java all the same.
LATER = {}

if __name__ == "__main__":
    run_suite(SIDE_BY_SIDE, ALONE, IN_CLUSTER, LATER)
