package org.roxmq.compat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Administration from within a program. The commands of `mqadmin` have a suite of their own. */
final class AdminCases {
    static final List<Case> ALL = List.of(
        Case.of("admin-topic-life", AdminCases::topicLife),
        Case.of("admin-topic-made-again", scene -> madeAgain(scene, 25)),
        Case.of("admin-topic-made-again-young", scene -> madeAgain(scene, 1)),
        Case.of("admin-topic-permissions", AdminCases::permissions),
        Case.of("admin-topic-read-and-write-queues", AdminCases::readAndWriteQueues),
        Case.of("admin-cluster", AdminCases::cluster),
        Case.of("admin-topic-and-consumer-statistics", AdminCases::statistics),
        Case.of("admin-producer-connection", AdminCases::producerConnection));

    private static void topicLife(Scene scene) throws Exception {
        String topic = scene.createdTopic(3);
        DefaultMQAdminExt admin = scene.admin();
        TopicConfig config = admin.examineTopicConfig(Scene.BROKER_ADDRESS, topic);
        Check.equal(3, config.getWriteQueueNums(), "write queues");
        Check.equal(3, config.getReadQueueNums(), "read queues");
        Check.equal(6, config.getPerm(), "permissions");
        Check.that(admin.fetchAllTopicList().getTopicList().contains(topic), "not in the list of topics");
        scene.producer().send(Scene.message(topic, "body"), Scene.queue(topic, 0));
        scene.createTopic(topic, 5);
        scene.awaitStored(topic, 5, 1);

        admin.deleteTopicInBroker(Set.of(Scene.BROKER_ADDRESS), topic);
        deleteInNameServers(admin, topic);
        try {
            admin.examineTopicRouteInfo(topic);
            throw new Check.Failed("a deleted topic has a route");
        } catch (MQClientException gone) {
            Check.equal(17, gone.getResponseCode(), gone.getErrorMessage());
        }
        scene.createTopic(topic, 2);
        Check.equal(0L, scene.producer().maxOffset(Scene.queue(topic, 0)), "messages of the topic created again");
        Check.equal(0L, scene.producer().send(Scene.message(topic, "body"), Scene.queue(topic, 0)).getQueueOffset(), "queue offset");
    }

    /**
     * A topic is deleted and made again under consumers that have read all of it, {@code each} messages of each queue: they get the new ones
     * from the first on, also where the new queue soon is longer than the old one was. With Java they miss what comes before their old
     * offsets, or before they have looked again.
     */
    private static void madeAgain(Scene scene, int each) throws Exception {
        String topic = scene.createdTopic(4);
        List<String> old = fill(scene, topic, "old", each);
        Map<String, List<String>> seen = new TreeMap<>();
        Inbox push = scene.receive(scene.group(), topic, "*");
        seen.put("push", Collections.synchronizedList(new ArrayList<>()));
        DefaultMQPushConsumer ordered = scene.push(scene.group());
        seen.put("ordered", Collections.synchronizedList(new ArrayList<>()));
        ordered.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            messages.forEach(message -> seen.get("ordered").add(Scene.text(message)));
            return ConsumeOrderlyStatus.SUCCESS;
        });
        DefaultMQPushConsumer broadcasting = scene.push(scene.group());
        var clustering = broadcasting.getMessageModel();
        broadcasting.setMessageModel(Enum.valueOf(clustering.getDeclaringClass(), "BROADCASTING"));
        seen.put("broadcasting", Collections.synchronizedList(new ArrayList<>()));
        broadcasting.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> seen.get("broadcasting").add(Scene.text(message)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        for (DefaultMQPushConsumer consumer : List.of(ordered, broadcasting)) {
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.subscribe(topic, "*");
            consumer.start();
        }
        DefaultLitePullConsumer lite = scene.litePull(scene.group());
        seen.put("lite", Collections.synchronizedList(new ArrayList<>()));
        lite.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        lite.subscribe(topic, "*");
        lite.start();
        await(scene, push, lite, seen, old);

        scene.admin().deleteTopicInBroker(Set.of(Scene.BROKER_ADDRESS), topic);
        deleteInNameServers(scene.admin(), topic);
        scene.admin().createAndUpdateTopicConfig(Scene.BROKER_ADDRESS, new TopicConfig(topic, 4, 4, 6));
        List<String> fresh = fill(scene, topic, "new", 3);
        if (!Scene.AGAINST_JAVA) {
            await(scene, push, lite, seen, fresh);
        }
    }

    private static List<String> fill(Scene scene, String topic, String prefix, int each) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (int number = 0; number < 4 * each; number++) {
            bodies.add(prefix + number);
            scene.producer().send(Scene.message(topic, prefix + number), Scene.queue(topic, number % 4));
        }
        return bodies;
    }

    /** A client that is sent to another offset waits 10 s, and then for its next look at its queues. */
    private static void await(Scene scene, Inbox push, DefaultLitePullConsumer lite, Map<String, List<String>> seen, List<String> bodies)
        throws Exception {
        StringBuilder missing = new StringBuilder();
        try {
            Scene.until("all messages", 100, () -> {
                lite.poll(20).forEach(message -> seen.get("lite").add(Scene.text(message)));
                seen.put("push", push.bodies());
                missing.setLength(0);
                for (var consumer : seen.entrySet()) {
                    Set<String> left = new TreeSet<>(bodies);
                    left.removeAll(new ArrayList<>(consumer.getValue()));
                    missing.append(left.isEmpty() ? "" : " " + consumer.getKey() + left);
                }
                return missing.length() == 0;
            });
        } catch (Check.Failed late) {
            throw new Check.Failed(late.getMessage() + "; missing:" + missing);
        }
    }

    /** The call with three arguments takes topic and cluster in 4.9, cluster and topic in 5; that with two exists in 5 alone. */
    private static void deleteInNameServers(DefaultMQAdminExt admin, String topic) throws Exception {
        Set<String> nameservers = Set.of(Scene.NAMESERVERS.split(";"));
        try {
            DefaultMQAdminExt.class.getMethod("deleteTopicInNameServer", Set.class, String.class).invoke(admin, nameservers, topic);
        } catch (NoSuchMethodException old) {
            admin.deleteTopicInNameServer(nameservers, topic, Scene.CLUSTER);
        }
    }

    /** Sets the permissions of a topic at the broker: 2 writes, 4 reads. */
    static void permit(Scene scene, String topic, int permissions) throws Exception {
        TopicConfig config = scene.admin().examineTopicConfig(Scene.BROKER_ADDRESS, topic);
        config.setPerm(permissions);
        scene.admin().createAndUpdateTopicConfig(Scene.BROKER_ADDRESS, config);
    }

    private static void permissions(Scene scene) throws Exception {
        String topic = scene.createdTopic(2);
        permit(scene, topic, 4);
        Scene.until("a producer without queues", () -> {
            try {
                return scene.producer().fetchPublishMessageQueues(topic).isEmpty();
            } catch (MQClientException none) {
                return true;
            }
        });
        permit(scene, topic, 6);
        Scene.until("a producer with queues", () -> {
            try {
                return scene.producer().send(Scene.message(topic, "body")).getSendStatus() == SendStatus.SEND_OK;
            } catch (MQClientException notYet) {
                return false;
            }
        });
    }

    private static void readAndWriteQueues(Scene scene) throws Exception {
        String topic = scene.topic();
        TopicConfig config = new TopicConfig(topic, 6, 2, 6);
        scene.admin().createAndUpdateTopicConfig(Scene.BROKER_ADDRESS, config);
        Scene.until("a route", () -> {
            try {
                return scene.producer().fetchPublishMessageQueues(topic).size() == 2;
            } catch (MQClientException notYet) {
                return false;
            }
        });
        Set<Integer> read = scene.pull(scene.group()).fetchSubscribeMessageQueues(topic).stream()
            .map(MessageQueue::getQueueId).collect(Collectors.toSet());
        Check.equal(Set.of(0, 1, 2, 3, 4, 5), read, "queues to read");
    }

    private static void cluster(Scene scene) throws Exception {
        var info = scene.admin().examineBrokerClusterInfo();
        Check.equal(Set.of(Scene.BROKER), info.getClusterAddrTable().get(Scene.CLUSTER), "brokers of the cluster");
        Check.equal(Scene.BROKER_ADDRESS, info.getBrokerAddrTable().get(Scene.BROKER).getBrokerAddrs().get(0L), "address");
        var route = scene.admin().examineTopicRouteInfo(Scene.CLUSTER);
        Check.equal(Scene.BROKER, route.getBrokerDatas().get(0).getBrokerName(), "route of the cluster's name");
        var pattern = scene.admin().examineTopicRouteInfo("TBW102").getQueueDatas().get(0);
        Check.equal(8, pattern.getWriteQueueNums(), "queues of TBW102");
        Check.equal(7, pattern.getPerm(), "permissions of TBW102");
    }

    private static void statistics(Scene scene) throws Exception {
        String topic = scene.createdTopic(4);
        String group = scene.group();
        var fresh = scene.admin().examineTopicStats(topic).getOffsetTable();
        Check.equal(4, fresh.size(), "queues of a topic without messages");
        fresh.values().forEach(offset -> Check.equal(0L, offset.getMaxOffset(), "largest offset"));
        List<String> bodies = scene.send(topic, null, "body", 40);
        Inbox inbox = scene.receive(group, topic, "*");
        inbox.awaitExactly(bodies);
        inbox.consumer.shutdown();
        scene.send(topic, null, "more", 8);
        scene.awaitStored(topic, 4, 48);
        var queue = scene.admin().examineTopicStats(topic).getOffsetTable().get(Scene.queue(topic, 1));
        Check.equal(0L, queue.getMinOffset(), "smallest offset");
        Check.equal(12L, queue.getMaxOffset(), "largest offset");
        Check.within(System.currentTimeMillis() - 60_000, System.currentTimeMillis(), queue.getLastUpdateTimestamp(), "time");
        Scene.until("the offsets of a consumer that has stopped", () -> {
            var offsets = scene.admin().examineConsumeStats(group, topic).getOffsetTable();
            return offsets.values().stream().mapToLong(each -> each.getConsumerOffset()).sum() == 40;
        });
        var stats = scene.admin().examineConsumeStats(group, topic);
        Check.equal(8L, stats.computeTotalDiff(), "messages behind");
    }

    private static void producerConnection(Scene scene) throws Exception {
        String topic = scene.createdTopic(1);
        scene.producer().send(Scene.message(topic, "body"));
        String group = scene.producer().getProducerGroup();
        String id = scene.producer().buildMQClientId();
        Scene.until("the producer's connection", () -> {
            try {
                var connections = scene.admin().examineProducerConnectionInfo(group, topic).getConnectionSet();
                return connections.stream().anyMatch(each -> each.getClientId().equals(id));
            } catch (org.apache.rocketmq.client.exception.MQBrokerException | MQClientException notYet) {
                return false;
            }
        });
    }

    private AdminCases() {
    }
}
