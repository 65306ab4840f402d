// Which behaviours does the Go client (rocketmq-client-go/v2) find at a broker?
//
// One line per case. Cases of the first table have topics, groups and clients of their own and run side by side;
// those of the second restart the broker and so run alone, one after the other.
package main

import "os"

var sideBySide = []Case{
	{"auto_created_topic", autoCreatedTopic},
	{"send_sync", sendSync},
	{"send_async", sendAsync},
	{"send_oneway", sendOneway},
	{"send_batch", sendBatch},
	{"send_selected_queue", sendSelectedQueue},
	{"send_sharding_key", sendShardingKey},
	{"send_refused", sendRefused},
	{"body_128_kib", body128KiB},
	{"body_compressed", bodyCompressed},
	{"properties_chinese", propertiesChinese},
	{"push_clustering", pushClustering},
	{"push_broadcasting", pushBroadcasting},
	{"push_tags", pushTags},
	{"push_order_of_one_queue", pushOrderOfOneQueue},
	{"push_orderly_listener", pushOrderlyListener},
	{"push_start_positions", pushStartPositions},
	{"push_while_sending", pushWhileSending},
	{"pull_from_offset", pullFromOffset},
	{"pull_tags", pullTags},
	{"pull_poll_and_ack", pullPollAndAck},
	{"offsets_over_client_restart", offsetsOverClientRestart},
	{"two_consumers_share_and_take_over", twoConsumersShareAndTakeOver},
	{"retry_and_dead_letters", retryAndDeadLetters},
	{"orderly_retry", orderlyRetry},
	{"orderly_dead_letter", orderlyDeadLetter},
	{"delay_levels", delayLevels},
	{"transactions", transactions},
	{"push_sql", pushSQL},
	{"sql_refused", sqlRefused},
	{"request_reply", requestReply},
	{"message_trace", messageTrace},
	{"namespaces", namespaces},
	{"admin_create_topic", adminCreateTopic},
	{"admin_delete_topic", adminDeleteTopic},
	{"admin_topic_made_again", adminTopicMadeAgain},
	{"admin_groups", adminGroups},
}

var alone = []Case{
	{"offsets_over_broker_restart", offsetsOverBrokerRestart},
	{"clients_live_through_broker_restart", clientsLiveThroughBrokerRestart},
}

// cluster needs two NameServers and two brokers; these run alone and only when the last argument is "cluster".
var cluster = []Case{
	{"cluster_servers_lost", clusterServersLost},
}

// later says which cases belong to a part of RoxMQ that is not built yet. They run against Java all the same.
var later = map[string]string{}

func main() {
	if last := len(os.Args) - 1; last > 0 && os.Args[last] == "cluster" {
		os.Args = os.Args[:last]
		runSuite(nil, cluster)
		return
	}
	runSuite(sideBySide, alone)
}
